"""Write timelines as a terminal table, JSON lines or CSV."""

import csv
import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dover_plugin.analysis.timeline import COLUMNS, NoTimeline, Timeline, segment_row
from dover_plugin.io.csv_cells import safe_row
from dover_plugin.reporting.text import colour, number, statistics_table
from dover_plugin.scores import SCORES, Settings
from dover_plugin.text import printable, settings_line

OF_MANY = ("mean", "median", "p5", "minimum", "std")  # statistics in the table of many videos

type Outcome = Timeline | NoTimeline


def write_json(outcomes: Iterable[Outcome], _: Settings | None, stream: TextIO) -> None:
    """Write one JSON object per video, one per line, as soon as it is scored."""
    for each in outcomes:
        row = asdict(each) if isinstance(each, NoTimeline) else each.to_dict()
        stream.write(json.dumps(row) + "\n")
        stream.flush()


def write_csv(outcomes: Iterable[Outcome], _: Settings | None, stream: TextIO) -> None:
    """Write one row per segment of each video, and one per failure, as soon as it is scored."""
    empty = dict.fromkeys(("path", *COLUMNS, "error"))
    writer = csv.DictWriter(stream, list(empty))
    writer.writeheader()
    for each in outcomes:
        rows = [asdict(each)] if isinstance(each, NoTimeline) else each.rows()
        path = each.path if isinstance(each, NoTimeline) else each.info.path
        writer.writerows(safe_row(empty | row | {"path": path}) for row in rows)
        stream.flush()


def write_table(outcomes: Iterable[Outcome], settings: Settings | None, stream: TextIO) -> None:
    """Write the segments of one video, or the statistics of several, and the notes.

    Args:
        outcomes: of the videos, in order.
        settings: of the scorer; those of the first timeline come first.
        stream: text stream.
    """
    console = Console(file=stream, highlight=False)
    outcomes = list(outcomes)
    found = [each for each in outcomes if isinstance(each, Timeline)]
    if len(outcomes) == 1 and found:
        console.print(_segments(found[0]))
        sums = {score: found[0].summary(score) for score in found[0].present}
        console.print(statistics_table(sums, "score"))
        places = [
            f"{row['time_code'] or row['start_frame']} ({row[found[0].present[0]]:.3f})"
            for row in map(segment_row, found[0].worst())
        ]
        console.print(f"worst: {', '.join(places)}", soft_wrap=True)
    elif found:
        rows = {printable(each.info.path or "frames"): each.summary() for each in found}
        console.print(statistics_table(rows, found[0].present[0], OF_MANY))
    for each in outcomes:
        if isinstance(each, NoTimeline):
            console.print(Text(f"error: {printable(each.error)}", "red"), soft_wrap=True)
    for warning in dict.fromkeys(warning for each in found for warning in each.warnings()):
        console.print(Text(f"note: {warning}", "yellow"), soft_wrap=True)
    settings = found[0].settings if found else settings
    if settings:
        console.print(Text(settings_line(settings), "dim"), soft_wrap=True)


WRITERS = {"table": write_table, "json": write_json, "csv": write_csv}


def _segments(found: Timeline) -> Table:
    table = Table("from", box=None, header_style="bold", pad_edge=False)
    for name in ("frames", *SCORES):
        table.add_column(name, justify="right")
    for row in found.rows():
        cells = [f"[{colour(row[score])}]{number(row[score])}[/]" for score in SCORES]
        frames = f"{row['start_frame']}-{row['end_frame'] - 1}"
        table.add_row(row["time_code"] or "", frames, *cells)
    return table
