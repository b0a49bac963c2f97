"""The command ``dover timeline``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dover_plugin.cli.common import (
    OK,
    PICTURES,
    check_new,
    open_output,
    progress_bars,
)
from dover_plugin.cli.options import OUTPUT, SEGMENTS, ModelOptions, expand_options

if TYPE_CHECKING:
    from typing import TextIO

    from dover_plugin.analysis.timeline import Timeline


@expand_options
def timeline(
    video: Annotated[
        Path,
        typer.Argument(
            help="Video to score, or a .json file of vspipe --json whose scores are shown."
        ),
    ],
    model: ModelOptions,
    segments: Annotated[
        str,
        typer.Option(
            help="Segment length such as 5s or 240f, or scenes to cut at shot changes.",
            rich_help_panel=SEGMENTS,
        ),
    ] = "10s",
    overlap: Annotated[
        str,
        typer.Option(
            help="Overlap of consecutive segments, such as 1s or 24f.", rich_help_panel=SEGMENTS
        ),
    ] = "0f",
    output_format: Annotated[
        Literal["table", "json", "csv"],
        typer.Option("--format", "-f", help="Output format.", rich_help_panel=OUTPUT),
    ] = "table",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write the results to this file.",
            show_default="standard output",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Plot scores over time into a .png, .svg or .pdf file.", rich_help_panel=OUTPUT
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(help="Write a self-contained HTML report.", rich_help_panel=OUTPUT),
    ] = None,
) -> None:
    """Score a video segment by segment."""
    from dover_plugin.errors import SettingsError
    from dover_plugin.reporting.timeline_tables import write_rows, write_timeline

    check_new(output)
    check_new(plot, PICTURES)
    check_new(html, (".html",))
    recorded = video.suffix.lower() == ".json"
    if recorded and html:
        raise SettingsError("An HTML report needs the video, got a .json file. Use --plot.")
    found = _recorded(video) if recorded else _scored(video, model, segments, overlap)
    with open_output(output) as stream:
        if output_format == "json":
            write_timeline(found, stream)
        elif output_format == "csv":
            write_rows(found.rows(), stream)
        else:
            _print(found, stream, recorded=recorded)
    if plot:
        from dover_plugin.reporting.plots import draw_timeline
        from dover_plugin.reporting.style import save_figure

        save_figure(draw_timeline(found), plot)
    if html:
        from dover_plugin.reporting.html import timeline_report, write_report

        write_report(timeline_report(found), html)
    raise typer.Exit(OK)


def _recorded(file: Path) -> "Timeline":
    from dover_plugin.analysis.recorded import read_properties

    return read_properties(file)


def _scored(video: Path, model: ModelOptions, segments: str, overlap: str) -> "Timeline":
    from dover_plugin.analysis.segments import cut
    from dover_plugin.analysis.timeline import Timeline

    source = model.open_video(video)
    with progress_bars() as bars:
        scorer = model.load_scorer(bars)
        finding = bars.add_task("finding scenes", total=None, visible=segments == "scenes")
        cuts = cut(source, segments, overlap)
        bars.remove_task(finding)
        scored = scorer.timeline(source, segments=cuts)
        parts = list(bars.track(scored, len(cuts), description="scoring segments"))
    return Timeline(source.info, scorer.settings, parts)  # reading may have added warnings


def _print(found: "Timeline", stream: "TextIO", *, recorded: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dover_plugin.analysis.timeline import LOW_PERCENTILE, segment_row
    from dover_plugin.reporting.text import colour
    from dover_plugin.scores import SCORES
    from dover_plugin.text import settings_line

    console = Console(file=stream, highlight=False)
    table = Table("from", box=None, header_style="bold", pad_edge=False)
    for name in ("frames", *SCORES):
        table.add_column(name, justify="right")
    for row in found.rows():
        cells = [f"[{colour(row[score])}]{row[score]:.3f}[/]" for score in SCORES]
        frames = f"{row['start_frame']}-{row['end_frame'] - 1}"
        table.add_row(row["time_code"] or "", frames, *cells)
    console.print(table)
    for score in SCORES:
        sums = found.summary(score)
        console.print(
            f"{score}: lowest {sums.minimum:.3f}, {LOW_PERCENTILE} % below {sums.low:.3f}, "
            f"mean {sums.mean:.3f}"
        )
    places = [
        f"{row['time_code'] or row['start_frame']} ({row['overall']:.3f})"
        for row in map(segment_row, found.worst())
    ]
    console.print(f"worst: {', '.join(places)}", soft_wrap=True)
    for warning in found.warnings():
        console.print(Text(f"note: {warning}", "yellow"), soft_wrap=True)
    used = found.settings
    line = (
        f"{used.model} ({used.weights_sha256[:8]}), {used.fusion} fusion, recorded by VapourSynth"
    )
    console.print(Text(line if recorded else settings_line(used), "dim"), soft_wrap=True)
