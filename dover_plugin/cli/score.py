"""The command ``dover score``."""

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
    load_scorer,
    open_output,
    progress_bars,
)
from dover_plugin.published import DEFAULT_MODEL

if TYPE_CHECKING:
    from dover_plugin.scores import Result


def score(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Videos, or folders of videos.")
    ],
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
        Literal["table", "json", "csv"],
        typer.Option("--format", "-f", help="json is one object per line."),
    ] = "table",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write here.", show_default="standard output"),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a report: one file, to open alone.")
    ] = None,
    accept_license: Accept = False,
) -> None:
    """Score videos. Results go to standard output, all else to standard error."""
    from dover_plugin.errors import SettingsError
    from dover_plugin.files import find_videos
    from dover_plugin.output import WRITERS

    if ranks and model != "dover":
        raise SettingsError(
            f"The published sets were scored with dover, so {model} has no ranks in them. "
            "Leave out --ranks, or use --model dover."
        )
    videos = list(find_videos(paths))
    check_new(output)
    check_new(html, (".html",))
    with progress_bars() as bar:
        scorer = load_scorer(
            bar,
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
        done: list[Result] = []
        results = _watch(
            bar.track(scorer.score_many(videos), len(videos), description="scoring"), done
        )
        with open_output(output) as stream:
            WRITERS[output_format](results, stream, ranks)
    failures = [result for result in done if result.error]
    if html and len(failures) < len(done):
        from dover_plugin.report import score_report, write_report

        write_report(score_report(done), html)
    if failures and (output or output_format != "table"):
        for failure in failures:
            typer.echo(f"dover: {failure.error}", err=True)
    raise typer.Exit(SOME_FAILED if failures else OK)


def _watch(results: "Iterable[Result]", done: "list[Result]") -> "Iterator[Result]":
    from dataclasses import replace

    from dover_plugin.scores import Scores

    for result in results:
        done.append(replace(result, maps=None) if isinstance(result, Scores) else result)
        yield result
