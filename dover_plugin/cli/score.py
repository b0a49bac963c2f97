"""The command ``dover score``: a few videos to standard output, or many into a file."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dover_plugin.cli.batch_options import InputOptions, MinimumOptions, ReaderOptions
from dover_plugin.cli.common import OK, SOME_FAILED, check_new, open_output, progress_bars
from dover_plugin.cli.model_options import ModelOptions
from dover_plugin.cli.options import BATCH, INPUT, OUTPUT, expand_options

if TYPE_CHECKING:
    from dover_plugin.batch.minimums import Minimums
    from dover_plugin.io.source import Video
    from dover_plugin.readers.reading import Limits
    from dover_plugin.scorer import Scorer
    from dover_plugin.scores import Result

ISOLATED_FROM = 10  # videos; reader processes take seconds to start


@expand_options
def score(
    inputs: InputOptions,
    model: ModelOptions,
    readers: ReaderOptions,
    kept: MinimumOptions,
    input_format: Annotated[
        Literal["paths", "bytes"],
        typer.Option(
            help="Meaning of - for standard input: a list of paths, or the bytes of one video.",
            rich_help_panel=INPUT,
        ),
    ] = "paths",
    fetch_urls: Annotated[
        bool,
        typer.Option(
            "--fetch-urls",
            help="Also fetch URLs in lists and tables.",
            rich_help_panel=INPUT,
        ),
    ] = False,
    ranks: Annotated[
        bool,
        typer.Option(
            "--ranks",
            help="Show percentile ranks in published data sets (dover only).",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    output_format: Annotated[
        Literal["table", "json", "csv"] | None,
        typer.Option(
            "--format",
            "-f",
            help="Format on standard output; json prints one object per line.",
            show_default="table",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write scores to this .jsonl, .csv or .parquet file; a second run resumes.",
            show_default="standard output",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    restart: Annotated[
        bool,
        typer.Option(
            "--restart",
            help="Score all videos again and rename the existing --output file.",
            rich_help_panel=BATCH,
        ),
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help="Retry videos that failed in an earlier run.",
            rich_help_panel=BATCH,
        ),
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(help="Write a self-contained HTML report.", rich_help_panel=OUTPUT),
    ] = None,
) -> None:
    """Score videos. Results go to standard output, messages to standard error."""
    from dover_plugin.errors import SettingsError

    if ranks and model.model != "dover":
        raise SettingsError(
            f"Percentile ranks exist for the model dover only, got {model.model}. Omit --ranks, "
            "or use --model dover."
        )
    if output_format and output:
        raise SettingsError(
            "--format cannot be used with --output; the suffix of the file selects the format."
        )
    if output and (html or ranks):
        raise SettingsError("--html and --ranks cannot be used with --output.")
    if not output and (restart or retry_failed):
        raise SettingsError("--restart and --retry-failed require --output.")
    limits = readers.limits()
    minimums = kept.minimums()
    if minimums and output and output.suffix.lower() == ".jsonl":
        raise SettingsError(
            "--min-technical, --min-aesthetic and --min-overall cannot be used with a .jsonl file, "
            "which a later run resumes. Use .csv or .parquet, or --format json."
        )
    check_new(html, (".html",))
    piped = input_format == "bytes"
    if piped and (inputs.paths != ["-"] or inputs.listed or output):
        raise SettingsError(
            "--input-format bytes reads one video from standard input: use it with - alone, "
            "without --from and --output."
        )
    videos: list[str] = []
    if not piped:
        videos = inputs.videos(as_sequence=model.as_sequence, urls_in_lists=fetch_urls)
    if output:
        from dover_plugin.batch.tables import check_output

        check_output(output, restart=restart)
    with progress_bars() as bars:
        scorer = model.load_scorer(bars)
    minimums.check(scorer.present)
    workers = readers.workers or 1
    if output:
        from dover_plugin.cli.batch import score_into

        raise typer.Exit(
            score_into(
                output,
                scorer,
                videos,
                workers=workers,
                limits=limits,
                restart=restart,
                retry_failed=retry_failed,
                minimums=minimums,
            )
        )
    isolated = limits if readers.given or len(videos) >= ISOLATED_FROM else None
    raise typer.Exit(
        _stream(
            scorer,
            [sys.stdin.buffer] if piped else videos,
            workers,
            isolated,
            output_format or "table",
            ranks,
            minimums,
            html,
        )
    )


def _stream(
    scorer: "Scorer",
    videos: "Sequence[Video]",
    workers: int,
    limits: "Limits | None",
    output_format: str,
    ranks: bool,
    minimums: "Minimums",
    html: Path | None,
) -> int:
    """Print results in order as they arrive; returns the exit code."""
    from dover_plugin.reporting.text import WRITERS

    done: list[Result] = []
    with progress_bars() as bars:
        scored = scorer.score_many(videos, workers=workers, limits=limits)
        results = _keep(bars.track(scored, len(videos), description="scoring"), done)
        with open_output(None) as stream:
            WRITERS[output_format](results, stream, ranks, minimums)
    failures = [result for result in done if result.error]
    if output_format != "table":
        for failure in failures:
            typer.echo(f"dover: {failure.error}", err=True)
    if html and len(failures) < len(done):
        from dover_plugin.reporting.html import score_report, write_report

        write_report(score_report(done), html)
    return SOME_FAILED if failures else OK


def _keep(results: "Iterable[Result]", done: "list[Result]") -> "Iterator[Result]":
    """Pass results through and keep them, without their maps."""
    from dataclasses import replace

    from dover_plugin.scores import Scores

    for result in results:
        done.append(replace(result, maps=None) if isinstance(result, Scores) else result)
        yield result
