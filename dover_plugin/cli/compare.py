"""The command ``dover compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dover_plugin.cli.common import (
    OK,
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
    load_scorer,
    open_output,
    progress_bars,
)
from dover_plugin.published import DEFAULT_MODEL

if TYPE_CHECKING:
    from typing import TextIO

    from rich.progress import Progress as Bars

    from dover_plugin.comparison import Comparison, Progress
    from dover_plugin.scorer import Scorer

BELOW = 3  # exit code: a transcode lost more than allowed
SMALLEST = 1e6  # bits per second of a megabit


def compare(
    before: Annotated[Path, typer.Argument(help="The source, or a folder of sources.")],
    afters: Annotated[
        list[Path],
        typer.Argument(metavar="AFTER...", help="Transcodes of it, or a folder of the same names."),
    ],
    seconds: Annotated[
        float, typer.Option(help="Of a segment; intervals are over segments.")
    ] = 5.0,
    fail_below: Annotated[
        float | None,
        typer.Option(
            metavar="D", help="Exit with 3 if a transcode's overall difference is below, as -0.05."
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="ssimulacra2 or vmaf beside, where frames are equal in size."),
    ] = None,
    output_format: Annotated[
        Literal["table", "json", "csv"], typer.Option("--format", "-f", help="Of the results.")
    ] = "table",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write here.", show_default="standard output"),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw differences over time: .png, .svg, .pdf.")
    ] = None,
    ladder: Annotated[
        Path | None, typer.Option(help="Draw quality against bitrate: .png, .svg, .pdf.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a report: one file, to open alone.")
    ] = None,
    model: Model = DEFAULT_MODEL,
    weights: Weights = None,
    device: Device = "auto",
    engine: Engine = "auto",
    precision: Precision = "float32",
    fusion: Fusion = None,
    seed: Seed = None,
    repeats: Repeats = 1,
    decoder: Decoder = "auto",
    accept_license: Accept = False,
) -> None:
    """Compare transcodes with their source: did they cost quality?"""
    from dover_plugin.comparison import by_loss
    from dover_plugin.errors import SettingsError
    from dover_plugin.full_reference import METRICS

    unknown = [name for name in metric or () if name not in METRICS]
    if unknown:
        raise SettingsError(f"No metric is named {unknown[0]!r}. Choose from {', '.join(METRICS)}.")
    folders = before.is_dir()
    if folders and (len(afters) != 1 or not afters[0].is_dir()):
        raise SettingsError(f"'{before}' is a folder. Name one folder of transcodes after it.")
    if folders and (plot or ladder or html):
        raise SettingsError("Pictures and reports are of one source. Name files, not folders.")
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
        found = _compare(before, afters, scorer, seconds, bars)
        metrics: dict[str, list[list[float]]] = {
            name: _metric(name, found, bars) for name in metric or ()
        }
    if plot or ladder:
        from dover_plugin.pictures import draw_comparisons, draw_ladder, save_figure

        if plot:
            save_figure(draw_comparisons(found), plot)
        if ladder:
            save_figure(draw_ladder(found), ladder)
    if html:
        from dover_plugin.report import comparison_report, write_report

        write_report(comparison_report(found, metrics), html)
    with open_output(output) as stream:
        WRITERS[output_format](found, metrics, stream)
    worst = by_loss(found)[-1].overall.difference
    raise typer.Exit(BELOW if fail_below is not None and worst < fail_below else OK)


def _compare(
    before: Path, afters: list[Path], scorer: "Scorer", seconds: float, bars: "Bars"
) -> "list[Comparison]":
    from dover_plugin.comparison import compare_many, match_folders

    watch = _watch(bars)
    if not before.is_dir():
        return compare_many(before, afters, scorer, seconds=seconds, progress=watch)
    pairs, alone = match_folders(before, afters[0])
    for file in alone:
        typer.echo(f"'{file}' has no counterpart and is left out.", err=True)
    return [
        found
        for old, new in pairs
        for found in compare_many(old, [new], scorer, seconds=seconds, progress=watch)
    ]


def _metric(name: str, found: "list[Comparison]", bars: "Bars") -> "list[list[float]]":
    """Of each transcode, one number a segment."""
    from dover_plugin.full_reference import full_reference

    return [
        full_reference(
            name,
            Path(each.before.info.path or ""),
            Path(each.after.info.path or ""),
            [pair.after.segment for pair in each.pairs],
        )
        for each in bars.track(found, description=name)
    ]


def _watch(bars: "Bars") -> "Progress":
    tasks: dict[str, Any] = {}

    def show(path: str, done: int, total: int) -> None:
        if path not in tasks:
            tasks[path] = bars.add_task(Path(path).name, total=total)
        bars.update(tasks[path], completed=done, total=total)

    return show


def _write_json(
    found: "list[Comparison]", metrics: "dict[str, list[list[float]]]", stream: "TextIO"
) -> None:
    import json
    from dataclasses import asdict

    from dover_plugin.comparison import by_loss, knee

    bend = knee(found)
    comparisons = []
    for number, each in enumerate(found):
        row = {"before": each.before.info.path, **each.to_dict()}
        for name, values in metrics.items():
            row[name] = sum(values[number]) / len(values[number])
            for segment, value in zip(row["segments"], values[number], strict=True):
                segment[name] = value
        comparisons.append(row)
    result = {
        "settings": asdict(found[0].before.settings),
        "comparisons": comparisons,
        "order": [each.after.info.path for each in by_loss(found)],
        "knee": bend.after.info.path if bend else None,
    }
    stream.write(json.dumps(result) + "\n")


def _write_csv(
    found: "list[Comparison]", metrics: "dict[str, list[list[float]]]", stream: "TextIO"
) -> None:
    """A row for each segment of each transcode."""
    from dover_plugin.timeline import SCORES, write_rows

    rows = [
        {
            "before": each.before.info.path,
            "after": each.after.info.path,
            "size": each.size,
            "bitrate": each.bitrate,
            "start_seconds": pair.before.start_seconds,
            "end_seconds": pair.before.end_seconds,
            **{f"{score}_before": getattr(pair.before.scores, score) for score in SCORES},
            **{f"{score}_after": getattr(pair.after.scores, score) for score in SCORES},
            **{f"{score}_difference": pair.difference(score) for score in SCORES},
            **{name: values[number][place] for name, values in metrics.items()},
        }
        for number, each in enumerate(found)
        for place, pair in enumerate(each.pairs)
    ]
    write_rows(rows, stream)


def _write_table(
    found: "list[Comparison]", metrics: "dict[str, list[list[float]]]", stream: "TextIO"
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dover_plugin.comparison import by_loss, knee
    from dover_plugin.output import printable, settings_line
    from dover_plugin.timeline import SCORES

    console = Console(file=stream, highlight=False)
    table = Table("after - before", box=None, header_style="bold", pad_edge=False)
    for name in (*SCORES, "Mbit/s", *metrics):
        table.add_column(name, justify="right")
    ordered = by_loss(found)
    for each in ordered:
        values = metrics.values()
        means = [sum(v[found.index(each)]) / len(v[found.index(each)]) for v in values]
        table.add_row(
            Text(printable(str(each.after.info.path)), overflow="fold"),
            *(f"{each.change(score).difference:+.3f}" for score in SCORES),
            f"{each.bitrate / SMALLEST:.2f}" if each.bitrate else "",
            *(f"{mean:.1f}" for mean in means),
        )
    console.print(table)
    for each in ordered:
        console.print(printable(each.sentence()))
    bend = knee(found)
    if bend:
        console.print(
            f"knee: {printable(Path(str(bend.after.info.path)).name)}; more bits bring little"
        )
    for warning in dict.fromkeys(w for each in found for w in each.warnings):
        console.print(f"note: {warning}", style="yellow")
    console.print(
        "± is half of a 95 % interval by the bootstrap over segments"
        if len(found[0].pairs) > 1
        else "one segment, so no interval",
        style="dim",
    )
    console.print(settings_line(found[0].before.settings), style="dim")


WRITERS = {"table": _write_table, "json": _write_json, "csv": _write_csv}
