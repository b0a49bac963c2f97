"""The command ``dover compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

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
    INPUT,
    OUTPUT,
    SEGMENTS,
    OutputFile,
    expand_options,
)

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from dover_plugin.analysis.comparing import Progress
    from dover_plugin.analysis.comparison import Comparison, NotCompared
    from dover_plugin.scorer import Scorer


@expand_options
def compare(
    before: Annotated[str, typer.Argument(help="Source video, or a folder of sources.")],
    afters: Annotated[
        list[str],
        typer.Argument(
            metavar="AFTER",
            help="Transcodes of the source, or a folder of transcodes with matching names.",
        ),
    ],
    model: ModelOptions,
    seconds: Annotated[
        float,
        typer.Option(
            help="Segment length in seconds; confidence intervals are over segments.",
            rich_help_panel=SEGMENTS,
        ),
    ] = 5.0,
    fail_below: Annotated[
        float | None,
        typer.Option(
            metavar="D",
            help="Exit with code 3 if the overall difference of a transcode is below this value, "
            "for example -0.05.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    fail_stat: Annotated[
        Literal["mean", "median", "min", "p1", "p5", "p10"] | None,
        typer.Option(
            metavar="STATISTIC",
            help="Statistic of the differences that --fail-below applies to: mean (default), "
            "median, min (the worst segment), p1, p5 or p10.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    no_source: Annotated[
        bool,
        typer.Option(
            "--no-source",
            help="Treat the first video as another version, not as the source, and show signed "
            "differences to it.",
            rich_help_panel=INPUT,
        ),
    ] = False,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Also compute this full-reference metric: vmaf, vmaf_neg, xpsnr, ssim, psnr or "
            "ssimulacra2; may be repeated.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    output_format: Annotated[
        Literal["table", "json", "csv"],
        typer.Option("--format", "-f", help="Output format.", rich_help_panel=OUTPUT),
    ] = "table",
    output: OutputFile = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Plot differences over time into a .png, .svg or .pdf file.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    ladder: Annotated[
        Path | None,
        typer.Option(
            help="Plot quality against bitrate into a .png, .svg or .pdf file.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(help="Write a self-contained HTML report.", rich_help_panel=OUTPUT),
    ] = None,
) -> None:
    """Measure the quality difference between transcodes and their source."""
    from dover_plugin.analysis.comparison import NotCompared
    from dover_plugin.analysis.full_reference import require
    from dover_plugin.errors import SettingsError
    from dover_plugin.reporting.comparison_tables import WRITERS, compared

    require(metric or [])
    if metric and (how := model.open_options().record()):
        raise SettingsError(f"--metric compares whole files, as they are stored. Omit {how}.")
    if no_source and metric:
        raise SettingsError("--metric compares with a source; omit it, or omit --no-source.")
    folders = Path(before).is_dir() and not model.as_sequence
    if folders and (len(afters) != 1 or not Path(afters[0]).is_dir()):
        raise SettingsError(
            f"'{before}' is a folder. Give one folder of transcodes as the second argument."
        )
    if folders and (plot or ladder or html):
        raise SettingsError("--plot, --ladder and --html need one source file, not folders.")
    statistic = check_gate(fail_below, fail_stat)
    check_new(output)
    check_new(plot, PICTURES)
    check_new(ladder, PICTURES)
    check_new(html, (".html",))
    with progress_bars() as bars:
        scorer = model.load_scorer(bars)
        outcomes, left_out = _compare(before, afters, scorer, seconds, not no_source, bars)
        outcomes = [_measured(each, metric or [], bars) for each in outcomes]
    with open_output(output) as stream:
        WRITERS[output_format](outcomes, scorer.settings, stream)
    found = compared(outcomes)
    if found and (plot or ladder):
        from dover_plugin.reporting.plots import draw_comparisons, draw_ladder
        from dover_plugin.reporting.style import save_figure

        if plot:
            save_figure(draw_comparisons(found), plot)
        if ladder:
            save_figure(draw_ladder(found), ladder)
    if found and html:
        from dover_plugin.reporting.html import comparison_report, write_report

        write_report(comparison_report(found), html)
    failed = [each for each in outcomes if isinstance(each, NotCompared)]
    if output or output_format != "table":
        for each in failed:
            typer.echo(f"dover: {each.error}", err=True)
    lost = fail_below is not None and any(
        each.statistics().gate(statistic) < fail_below for each in found
    )
    if failed or (fail_below is not None and left_out):
        raise typer.Exit(SOME_FAILED)
    raise typer.Exit(BELOW if lost else OK)


def _compare(
    before: str,
    afters: list[str],
    scorer: "Scorer",
    seconds: float,
    has_source: bool,
    bars: "Bars",
) -> "tuple[list[Comparison | NotCompared], int]":
    """Every outcome, and how many files had no counterpart."""
    from dover_plugin.analysis.comparing import compare_many
    from dover_plugin.analysis.comparison import NotCompared
    from dover_plugin.errors import VideoError
    from dover_plugin.io.pairing import match_folders

    watch = _watch(bars)
    if not Path(before).is_dir() or scorer.read_options.as_sequence:
        found = compare_many(
            before, afters, scorer, seconds=seconds, has_source=has_source, progress=watch
        )
        return list(found), 0
    pairs, alone = match_folders(Path(before), Path(afters[0]))
    for file in alone:
        typer.echo(f"'{file}' has no counterpart and is left out.", err=True)
    outcomes: list[Comparison | NotCompared] = []
    for old, new in pairs:
        try:
            outcomes += compare_many(
                old, [new], scorer, seconds=seconds, has_source=has_source, progress=watch
            )
        except VideoError as error:  # of the source
            outcomes.append(NotCompared(str(new), str(error)))
    return outcomes, len(alone)


def _measured(
    outcome: "Comparison | NotCompared", metrics: list[str], bars: "Bars"
) -> "Comparison | NotCompared":
    from dover_plugin.analysis.comparison import NotCompared
    from dover_plugin.analysis.full_reference import measured
    from dover_plugin.text import name_of

    if isinstance(outcome, NotCompared) or not metrics:
        return outcome
    task = bars.add_task(f"{', '.join(metrics)} of {name_of(outcome.after.info.path)}", total=None)
    try:
        return measured(outcome, metrics)
    finally:
        bars.remove_task(task)


def _watch(bars: "Bars") -> "Progress":
    from dover_plugin.text import name_of

    tasks: dict[str, Any] = {}

    def show(path: str, done: int, total: int) -> None:
        if path not in tasks:
            tasks[path] = bars.add_task(name_of(path), total=total)
        bars.update(tasks[path], completed=done, total=total)

    return show
