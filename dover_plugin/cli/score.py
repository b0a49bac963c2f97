"""The command ``dover score``: a few videos to standard output, or many into a file."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dover_plugin.cli.common import (
    OK,
    SOME_FAILED,
    Accept,
    Decoder,
    Device,
    Engine,
    Fusion,
    Model,
    Precision,
    Repeats,
    Seed,
    Weights,
    check_new,
    consent,
    load_scorer,
    need_extra,
    open_output,
    progress_bars,
)
from dover_plugin.weights.registry import DEFAULT_MODEL

if TYPE_CHECKING:
    from dover_plugin.readers.reading import Limits
    from dover_plugin.scorer import Scorer
    from dover_plugin.scores import Result

ISOLATED_FROM = 10  # videos; processes of their own take seconds to start


def score(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="Videos, folders of videos, patterns as 'clips/**/*.mp4'; - reads paths.",
        ),
    ] = None,
    listed: Annotated[
        Path | None,
        typer.Option("--from", help="A list of paths, one a line, or a .csv or .parquet table."),
    ] = None,
    column: Annotated[str, typer.Option(help="Of that table.")] = "path",
    model: Model = DEFAULT_MODEL,
    weights: Weights = None,
    device: Device = "auto",
    engine: Engine = "auto",
    precision: Precision = "float32",
    fusion: Fusion = None,
    seed: Seed = None,
    repeats: Repeats = 1,
    decoder: Decoder = "auto",
    ranks: Annotated[
        bool, typer.Option("--ranks", help="Rank among published sets of videos (dover only).")
    ] = False,
    output_format: Annotated[
        Literal["table", "json", "csv"] | None,
        typer.Option(
            "--format",
            "-f",
            help="On standard output; json is one object per line.",
            show_default="table",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Keep every score here, .jsonl, .csv or .parquet; go on with what is there.",
            show_default="standard output",
        ),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Score all anew, and put aside what --output holds.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what failed before.")
    ] = False,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="auto|ADDRESS", help="Score on a Ray cluster; --output is a folder of shards."
        ),
    ] = None,
    gpus: Annotated[
        float | None,
        typer.Option(
            min=0, help="Of each scorer on the cluster, as 1 or 0.25.", show_default="none"
        ),
    ] = None,
    scorers: Annotated[
        int | None,
        typer.Option(min=1, help="Actors that hold the model there.", show_default="1"),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that read videos.",
            show_default="1; on a cluster, as many as are free",
        ),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which a video fails.", show_default="600")
    ] = None,
    memory: Annotated[
        float | None,
        typer.Option(help="GiB that reading one video may take.", show_default="4"),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a report: one file, to open alone.")
    ] = None,
    accept_license: Accept = False,
) -> None:
    """Score videos. Results go to standard output, all else to standard error."""
    from dover_plugin.errors import SettingsError
    from dover_plugin.readers.reading import GIGABYTE, Limits

    if ranks and model != "dover":
        raise SettingsError(
            f"The published sets were scored with dover, so {model} has no ranks in them. "
            "Leave out --ranks, or use --model dover."
        )
    limits = Limits(
        Limits.seconds if timeout is None else timeout,
        Limits.memory if memory is None else memory * GIGABYTE,
    )
    if output_format and (output or ray):
        raise SettingsError("--format is of standard output; that of --output is its suffix.")
    if ray:
        need_extra("ray", ["ray", "pyarrow"])
        from dover_plugin.cli.cluster import score_on_cluster
        from dover_plugin.weights.store import find

        if output is None or restart or html or ranks:
            raise SettingsError(
                "--ray writes shards into the folder --output, and takes none of --restart, "
                "--html, --ranks."
            )
        find(model, weights, consent=consent(accept_license))
        settings = {
            "model": model, "weights": weights, "device": device, "fusion": fusion, "seed": seed,
            "repeats": repeats, "engine": engine, "precision": precision, "decoder": decoder,
        }  # fmt: skip
        raise typer.Exit(
            score_on_cluster(
                _videos(paths or [], listed, column), output, settings, ray, limits,
                scorers=scorers or 1, gpus=gpus or 0.0, readers=workers,
                retry_failed=retry_failed,
            )
        )  # fmt: skip
    if gpus is not None or scorers is not None:
        raise SettingsError("--gpus and --scorers are of a cluster. Leave them out, or add --ray.")
    if output and (html or ranks):
        raise SettingsError(
            "--html and --ranks are of videos on standard output. Leave out --output."
        )
    if not output and (restart or retry_failed):
        raise SettingsError("--restart and --retry-failed are of what --output holds. Name it.")
    check_new(html, (".html",))
    videos = _videos(paths or [], listed, column)
    if output:
        from dover_plugin.batch.tables import check_output

        check_output(Path(output), restart=restart)
    with progress_bars() as bars:
        scorer = load_scorer(
            bars,
            model,
            weights,
            accept_license,
            device=device,
            fusion=fusion,
            seed=seed,
            repeats=repeats,
            engine=engine,
            precision=precision,
            decoder=decoder,
        )
    if output:
        from dover_plugin.cli.batch import score_into

        raise typer.Exit(
            score_into(
                Path(output),
                scorer,
                videos,
                workers=workers or 1,
                limits=limits,
                restart=restart,
                retry_failed=retry_failed,
            )
        )
    asked = any(option is not None for option in (workers, timeout, memory))
    kept = limits if asked or len(videos) >= ISOLATED_FROM else None
    writer = output_format or "table"
    raise typer.Exit(_stream(scorer, videos, workers or 1, kept, writer, ranks, html))


def _videos(paths: list[str], listed: Path | None, column: str) -> list[str]:
    """What the user names, in order."""
    from dover_plugin.errors import SettingsError
    from dover_plugin.io.files import find_videos
    from dover_plugin.io.inputs import expand, read_from, read_list

    named: list[str] = []
    for path in paths:
        named += find_videos(read_list(sys.stdin)) if path == "-" else expand([path])
    if listed:
        named += find_videos(read_from(listed, column))
    if not named:
        raise SettingsError("No video was named. Name videos, folders, or a list with --from.")
    return named


def _stream(
    scorer: "Scorer",
    videos: list[str],
    workers: int,
    limits: "Limits | None",
    output_format: str,
    ranks: bool,
    html: Path | None,
) -> int:
    """Results in order as they come; returns the exit code."""
    from dover_plugin.reporting.text import WRITERS

    done: list[Result] = []
    with progress_bars() as bars:
        scored = scorer.score_many(videos, workers=workers, limits=limits)
        results = _watch(bars.track(scored, len(videos), description="scoring"), done)
        with open_output(None) as stream:
            WRITERS[output_format](results, stream, ranks)
    failures = [result for result in done if result.error]
    if output_format != "table":
        for failure in failures:
            typer.echo(f"dover: {failure.error}", err=True)
    if html and len(failures) < len(done):
        from dover_plugin.reporting.html import score_report, write_report

        write_report(score_report(done), html)
    return SOME_FAILED if failures else OK


def _watch(results: "Iterable[Result]", done: "list[Result]") -> "Iterator[Result]":
    from dataclasses import replace

    from dover_plugin.scores import Scores

    for result in results:
        done.append(replace(result, maps=None) if isinstance(result, Scores) else result)
        yield result
