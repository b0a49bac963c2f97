"""Write scores as a terminal table, JSON lines or CSV."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dover_plugin.analysis.statistics import Statistics
from dover_plugin.batch.minimums import COLUMNS as KEEP_COLUMNS
from dover_plugin.batch.minimums import NO_MINIMUMS, Minimums
from dover_plugin.io.csv_cells import safe_row
from dover_plugin.preprocessing.sampling import BRANCHES
from dover_plugin.ranks import published_sets
from dover_plugin.scores import COLUMNS, Failure, Result, Scores
from dover_plugin.text import printable, settings_line

STATISTICS = tuple(field.name for field in fields(Statistics))
LOW, HIGH = 1 / 3, 2 / 3  # thirds of the scale, used for colours only


def write_json(
    results: Iterable[Result], stream: TextIO, ranks: bool, minimums: Minimums = NO_MINIMUMS
) -> None:
    """Write one JSON object per line, each as soon as its result arrives."""
    for result in results:
        row = result.to_dict()
        if minimums:
            row |= minimums.columns(row)
        if ranks:
            row["ranks"] = _rank_rows(result)
        stream.write(json.dumps(row) + "\n")
        stream.flush()


def write_csv(
    results: Iterable[Result], stream: TextIO, ranks: bool, minimums: Minimums = NO_MINIMUMS
) -> None:
    """Write a header and one row per result; ranks are columns such as LIVE-VQC_technical."""
    names = [f"{s.name}_{b}" for s in published_sets() for b in BRANCHES]
    more = KEEP_COLUMNS if minimums else ()
    writer = csv.DictWriter(stream, [*COLUMNS, *more, *(names if ranks else ())])
    writer.writeheader()
    for result in results:
        row = result.to_dict()
        if minimums:
            row |= minimums.columns(row)
        row["warnings"] = "; ".join(row["warnings"])
        if ranks:
            for name, branches in (_rank_rows(result) or {}).items():
                for branch, rank in branches.items():
                    row[f"{name}_{branch}"] = rank["percentile"]
        writer.writerow(safe_row(row))
        stream.flush()


def write_table(
    results: Iterable[Result], stream: TextIO, ranks: bool, minimums: Minimums = NO_MINIMUMS
) -> None:
    """Write a table of all results, their errors and warnings, and the settings."""
    console = Console(file=stream, highlight=False)
    done = list(results)
    table = Table("video", box=None, header_style="bold", pad_edge=False)
    for column in ("technical", "aesthetic", "overall"):
        table.add_column(column, justify="right")
    if minimums:
        table.add_column("keep")
    for result in done:
        keep = _keep_cells(result, minimums)
        name = Text(printable(result.path or "frames"), overflow="fold")
        if isinstance(result, Scores):
            values = (result.technical, result.aesthetic, result.overall)
            table.add_row(name, *(Text(number(v), style=colour(v)) for v in values), *keep)
        else:
            table.add_row(name, *[Text("failed", style="red")] * 3, *keep)
    console.print(table)
    if ranks:
        for result in done:
            if isinstance(result, Scores):
                console.print(_rank_table(result))
    for line in _notes(done):
        console.print(line, soft_wrap=True)


WRITERS = {"table": write_table, "json": write_json, "csv": write_csv}


def number(value: float | None) -> str:
    """A score in [0, 1] with three digits; "-" without one."""
    return "-" if value is None else f"{value:.3f}"


def colour(value: float | None) -> str:
    """Terminal colour of a score in [0, 1]."""
    if value is None:
        return "dim"
    return "red" if value < LOW else "yellow" if value < HIGH else "green"


def statistics_table(
    rows: Mapping[str, Statistics], first: str = "", names: Sequence[str] = STATISTICS
) -> Table:
    """A table with one row of statistics per key."""
    table = Table(first, box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(name.replace("_", " "), justify="right", no_wrap=True)
    for key, statistics in rows.items():
        values = [getattr(statistics, name) for name in names]
        cells = ("" if value is None else f"{value:.3f}" for value in values)
        table.add_row(Text(key, overflow="fold"), *cells)
    return table


def _keep_cells(result: Result, minimums: Minimums) -> list[str]:
    """The cell of the column "keep", if there are minimums."""
    if not minimums:
        return []
    found = minimums.columns(result.to_dict())
    return ["yes" if found["keep"] else f"no: {found['reason']}"]


def _notes(results: list[Result]) -> Iterator[Text]:
    by_warning: dict[str, int] = {}
    for result in results:
        if isinstance(result, Failure):
            yield Text(f"error: {printable(result.error)}", style="red")
        else:
            for warning in result.warnings:
                by_warning[warning] = by_warning.get(warning, 0) + 1
    for warning, count in by_warning.items():
        yield Text(f"note ({count}): {warning}" if count > 1 else f"note: {warning}", "yellow")
    if results:
        yield Text(settings_line(results[0].settings), style="dim")


def _rank_rows(result: Result) -> dict[str, Any] | None:
    if isinstance(result, Failure):
        return None
    return {
        name: {
            branch: {"percentile": rank.percentile, "z": rank.z}
            for branch, rank in branches.items()
        }
        for name, branches in result.ranks().items()
    }


def _rank_table(result: Scores) -> Table:
    name = printable(result.path or "frames")
    table = Table(f"percentiles of {name}", box=None, pad_edge=False)
    table.add_column("technical", justify="right")
    table.add_column("aesthetic", justify="right")
    for name, branches in result.ranks().items():
        cells = [f"{branches[b].percentile:.0f}" if b in branches else "-" for b in BRANCHES]
        table.add_row(name, *cells)
    return table
