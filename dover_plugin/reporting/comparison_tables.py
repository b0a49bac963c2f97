"""Write comparisons as a terminal table, JSON or CSV."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dover_plugin.analysis.change import FEWEST, INTERVAL, Change
from dover_plugin.analysis.comparison import Comparison, NotCompared, by_loss, knee
from dover_plugin.io.csv_cells import safe_row
from dover_plugin.scores import SCORES, Settings
from dover_plugin.text import name_of, printable, settings_line

MEGA = 1e6  # bits or bytes

type Outcome = Comparison | NotCompared


def write_json(outcomes: Sequence[Outcome], settings: Settings, stream: TextIO) -> None:
    """Write all comparisons as one JSON object."""
    found = compared(outcomes)
    bend = knee(found)
    result = {
        "settings": asdict(settings),
        "comparisons": [
            {"before": each.before.info.path, "before_size": each.before_size, **each.to_dict()}
            for each in found
        ],
        "failed": [asdict(each) for each in outcomes if isinstance(each, NotCompared)],
        "order": [each.after.info.path for each in by_loss(found)],
        "knee": bend.after.info.path if bend else None,
    }
    stream.write(json.dumps(result) + "\n")


def write_csv(outcomes: Sequence[Outcome], _: Settings, stream: TextIO) -> None:
    """Write one CSV row per segment of each transcode, and one row per failure."""
    found = compared(outcomes)
    names = list(dict.fromkeys(name for each in found for name in each.metrics))
    rows = [_segment(each, number, names) for each in found for number in range(len(each.pairs))]
    columns = dict.fromkeys(name for row in rows for name in row) or ["after", "error"]
    rows = [dict.fromkeys(columns) | row for row in rows]
    rows += [
        dict.fromkeys(columns) | {"after": each.path, "error": each.error}
        for each in outcomes
        if isinstance(each, NotCompared)
    ]
    writer = csv.DictWriter(stream, list(rows[0]))
    writer.writeheader()
    writer.writerows(safe_row(row) for row in rows)


def write_table(outcomes: Sequence[Outcome], settings: Settings, stream: TextIO) -> None:
    """Write a table sorted by quality loss, a summary line per transcode, and the notes."""
    console = Console(file=stream, highlight=False)
    ordered = by_loss(compared(outcomes))
    metrics = list(dict.fromkeys(name for each in ordered for name in each.metrics))
    if ordered:
        console.print(_table(ordered))
    if metrics:
        console.print(_metric_table(ordered, metrics))
    for each in ordered:
        console.print(Text(each.sentence()), soft_wrap=True)
    bend = knee(ordered)
    if bend:
        name = name_of(bend.after.info.path)
        console.print(
            Text(f"knee: {name}; a higher bitrate improves quality little"), soft_wrap=True
        )
    for failed in outcomes:
        if isinstance(failed, NotCompared):
            console.print(Text(f"error: {printable(failed.error)}", "red"), soft_wrap=True)
    for warning in dict.fromkeys(w for each in ordered for w in each.warnings):
        console.print(Text(f"note: {warning}", "yellow"), soft_wrap=True)
    if any(each.main.low is not None for each in ordered):
        console.print(Text(f"intervals: {INTERVAL}", "dim"), soft_wrap=True)
    elif ordered:
        note = f"no intervals: they need {FEWEST} segments; --seconds sets the segment length"
        console.print(Text(note, "dim"), soft_wrap=True)
    console.print(Text(settings_line(settings), "dim"), soft_wrap=True)


def signed(change: Change | None) -> str:
    """A difference such as -0.110; empty without one."""
    return f"{change.difference:+.3f}" if change else ""


WRITERS = {"table": write_table, "json": write_json, "csv": write_csv}


def compared(outcomes: Sequence[Outcome]) -> list[Comparison]:
    """The comparisons that succeeded."""
    return [each for each in outcomes if isinstance(each, Comparison)]


def _table(ordered: Sequence[Comparison]) -> Table:
    first = ordered[0]
    title = "after - before" if first.has_source else f"- {name_of(first.before.info.path)}"
    table = Table(title, box=None, header_style="bold", pad_edge=False)
    for column in (*SCORES, "Mbit/s", "MB"):
        table.add_column(column, justify="right")
    for name, each in _named(ordered):
        table.add_row(
            name,
            *(signed(each.change(score)) for score in SCORES),
            f"{each.bitrate / MEGA:.2f}" if each.bitrate else "",
            f"{each.size / MEGA:.2f}" if each.size else "",
        )
    return table


def _metric_table(ordered: Sequence[Comparison], metrics: Sequence[str]) -> Table:
    table = Table("fidelity", box=None, header_style="bold", pad_edge=False)
    for metric in metrics:
        table.add_column(metric, justify="right")
    for name, each in _named(ordered):
        table.add_row(name, *(_metric(each, metric) for metric in metrics))
    return table


def _named(ordered: Sequence[Comparison]) -> Iterator[tuple[Text, Comparison]]:
    """Each comparison and the name of its transcode, or the path where names are equal."""
    names = [name_of(each.after.info.path) for each in ordered]
    if len(set(names)) < len(names):
        names = [printable(str(each.after.info.path)) for each in ordered]
    for name, each in zip(names, ordered, strict=True):
        yield Text(name, overflow="fold"), each


def _metric(found: Comparison, name: str) -> str:
    """Mean of a full-reference metric over the segments; empty if it was not computed."""
    if name not in found.metrics:
        return ""
    return f"{fmean(found.metrics[name]):.{4 if name == 'ssim' else 1}f}"


def _segment(found: Comparison, number: int, metrics: Sequence[str]) -> dict[str, Any]:
    pair = found.pairs[number]
    return {
        "before": found.before.info.path,
        "after": found.after.info.path,
        "size": found.size,
        "bitrate": found.bitrate,
        "start_seconds": pair.before.start_seconds,
        "end_seconds": pair.before.end_seconds,
        **{f"{score}_before": getattr(pair.before.scores, score) for score in SCORES},
        **{f"{score}_after": getattr(pair.after.scores, score) for score in SCORES},
        **{f"{score}_difference": pair.difference(score) for score in SCORES},
        **{each: found.metrics[each][number] for each in metrics if each in found.metrics},
        "error": None,
    }
