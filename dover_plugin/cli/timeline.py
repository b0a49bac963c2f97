"""The command ``dover timeline``."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dover_plugin.cli.batch_options import InputOptions
from dover_plugin.cli.common import (
    BELOW,
    OK,
    PICTURES,
    SOME_FAILED,
    check_gate,
    check_new,
    open_output,
    progress_bars,
)
from dover_plugin.cli.model_options import ModelOptions
from dover_plugin.cli.options import (
    OUTPUT,
    SEGMENTS,
    FailBelow,
    FailStatistic,
    OutputFile,
    SegmentLength,
    expand_options,
)

if TYPE_CHECKING:
    from rich.progress import Progress

    from dover_plugin.analysis.timeline import NoTimeline, Timeline
    from dover_plugin.scorer import Scorer


@expand_options
def timeline(
    inputs: InputOptions,
    model: ModelOptions,
    segments: SegmentLength = "10s",
    overlap: Annotated[
        str,
        typer.Option(
            help="Overlap of consecutive segments, such as 1s or 24f.", rich_help_panel=SEGMENTS
        ),
    ] = "0f",
    fail_below: FailBelow = None,
    fail_stat: FailStatistic = None,
    output_format: Annotated[
        Literal["table", "json", "csv"],
        typer.Option(
            "--format",
            "-f",
            help="Output format; json prints one object per video.",
            rich_help_panel=OUTPUT,
        ),
    ] = "table",
    output: OutputFile = None,
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
    """Score videos segment by segment. A .json file of 'vspipe --json' is shown as recorded."""
    from dover_plugin.analysis.timeline import NoTimeline, Timeline
    from dover_plugin.errors import SettingsError
    from dover_plugin.reporting.timeline_tables import WRITERS

    statistic = check_gate(fail_below, fail_stat)
    check_new(output)
    check_new(plot, PICTURES)
    check_new(html, (".html",))
    videos = inputs.videos(as_sequence=model.as_sequence)
    if len(videos) > 1 and (plot or html):
        raise SettingsError(f"--plot and --html need one video, got {len(videos)}. Use one.")
    recorded = [video for video in videos if _is_recorded(video)]
    if recorded and html:
        raise SettingsError("An HTML report needs the video, got a .json file. Use --plot.")
    done: list[Timeline | NoTimeline] = []
    with progress_bars() as bars:
        scorer = model.load_scorer(bars) if len(recorded) < len(videos) else None

        def watched() -> "Iterator[Timeline | NoTimeline]":
            for each in _timelines(videos, scorer, segments, overlap, bars):
                done.append(each)
                if isinstance(each, NoTimeline) and (output or output_format != "table"):
                    typer.echo(f"dover: {each.error}", err=True)  # a table shows it
                yield each

        outcomes = watched()
        first = next(outcomes)  # an error of a single video leaves no file
        with open_output(output) as stream:
            settings = scorer.settings if scorer else None
            WRITERS[output_format](chain([first], outcomes), settings, stream)
    found = [each for each in done if isinstance(each, Timeline)]
    if found and plot:
        from dover_plugin.reporting.plots import draw_timeline
        from dover_plugin.reporting.style import save_figure

        save_figure(draw_timeline(found[0]), plot)
    if found and html:
        from dover_plugin.reporting.html import timeline_report, write_report

        write_report(timeline_report(found[0]), html)
    if len(found) < len(done):
        raise typer.Exit(SOME_FAILED)
    below = fail_below is not None and any(
        each.summary().gate(statistic) < fail_below for each in found
    )
    raise typer.Exit(BELOW if below else OK)


def _is_recorded(video: str) -> bool:
    """Whether a file holds frame properties that vspipe has written."""
    return video.lower().endswith(".json")


def _timelines(
    videos: list[str], scorer: "Scorer | None", segments: str, overlap: str, bars: "Progress"
) -> "Iterator[Timeline | NoTimeline]":
    """The timeline of each video, with a progress bar; recorded ones need no scorer."""
    from dover_plugin.analysis.recorded import read_properties
    from dover_plugin.analysis.segments import cut
    from dover_plugin.analysis.timeline import NoTimeline, Timeline
    from dover_plugin.errors import DoverError, EngineError
    from dover_plugin.text import name_of

    for video in videos:
        task = bars.add_task(name_of(video), total=None)
        try:
            if scorer is None or _is_recorded(video):
                yield read_properties(Path(video))
                continue
            source = scorer.read_options.open(video)
            cuts = cut(source, segments, overlap)
            scored = scorer.timeline(source, segments=cuts)
            parts = list(bars.track(scored, len(cuts), task_id=task))
        except EngineError:  # of all videos
            raise
        except (DoverError, MemoryError) as error:
            if len(videos) == 1:
                raise
            yield NoTimeline(video, str(error) or "too little memory to read it")
        else:
            yield Timeline(source.info, scorer.settings, parts)  # reading may have added warnings
        finally:
            bars.remove_task(task)
