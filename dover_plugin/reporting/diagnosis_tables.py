"""Write diagnoses as a terminal table, JSON lines or CSV."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dover_plugin.analysis.diagnosis import Diagnosis, Finding, NotDiagnosed, SegmentFindings
from dover_plugin.analysis.distortions import NAMES
from dover_plugin.analysis.segments import time_code
from dover_plugin.io.csv_cells import safe_row
from dover_plugin.text import printable

COLOURS = {"none": "green", "visible": "yellow", "strong": "red", None: "dim"}
COLUMNS = (
    "path", "part", "start_frame", "end_frame", "start_seconds", "end_seconds", "tags",
    *(column for name in NAMES for column in (name, f"{name}_severity")),
    "spatial_information", "temporal_information", "warnings", "error",
)  # fmt: skip

type Outcome = Diagnosis | NotDiagnosed


def write_json(outcomes: Iterable[Outcome], stream: TextIO) -> None:
    """Write one JSON object per line, each as soon as it is there."""
    for each in outcomes:
        row = asdict(each) if isinstance(each, NotDiagnosed) else each.to_dict() | {"error": None}
        stream.write(json.dumps(row) + "\n")
        stream.flush()


def write_csv(outcomes: Iterable[Outcome], stream: TextIO) -> None:
    """Write a row per video (part "video") and a row per segment (part "segment")."""
    writer = csv.DictWriter(stream, COLUMNS)
    writer.writeheader()
    for each in outcomes:
        rows = [asdict(each)] if isinstance(each, NotDiagnosed) else _rows(each)
        writer.writerows(safe_row(row) for row in rows)
        stream.flush()


def write_table(outcomes: Iterable[Outcome], stream: TextIO) -> None:
    """Write a table of distortions per video, the tags of its segments, and its warnings."""
    console = Console(file=stream, highlight=False)
    for number, each in enumerate(outcomes):
        if number:
            console.print()
        path = each.path if isinstance(each, NotDiagnosed) else each.info.path
        console.print(Text(printable(path or "frames"), "bold"), soft_wrap=True)
        if isinstance(each, NotDiagnosed):
            console.print(Text(f"error: {printable(each.error)}", "red"), soft_wrap=True)
            continue
        console.print(_table(each))
        information = each.found.spatial_information, each.found.temporal_information
        if None not in information:
            console.print("SI {:.1f}, TI {:.1f} (ITU-T P.910, mean)".format(*information))
        console.print(f"tags: {', '.join(each.tags) or 'none'}", soft_wrap=True)
        for line in _segment_lines(each):
            console.print(line, soft_wrap=True)
        for warning in each.info.warnings:
            console.print(Text(f"note: {warning}", "yellow"), soft_wrap=True)


WRITERS = {"table": write_table, "json": write_json, "csv": write_csv}


def _table(found: Diagnosis) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("distortion", "value", "", "visible", "strong", "worst segment"):
        numeric = name in ("value", "visible", "strong")
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for finding in found.found.findings:
        table.add_row(
            finding.name,
            "" if finding.value is None else f"{finding.value:.1f} {finding.unit}",
            Text(finding.severity or "not measured", COLOURS[finding.severity]),
            f"{finding.visible:g}",
            f"{finding.strong:g}",
            _worst(found, finding),
        )
    return table


def _worst(found: Diagnosis, finding: Finding) -> str:
    """Value and time of the worst of several segments, where the distortion is visible."""
    sign = 1 if finding.strong > finding.visible else -1
    parts = [(part, part[finding.name]) for part in found.segments]
    seen = [(part, each) for part, each in parts if each.severity in ("visible", "strong")]
    if len(found.segments) < 2 or not seen:
        return ""
    part, worst = max(seen, key=lambda pair: sign * (pair[1].value or 0))
    return f"{worst.value:.1f} at {_place(part)}"


def _segment_lines(found: Diagnosis) -> Iterator[str]:
    """The tags that single segments have and the video has not."""
    for part in found.segments:
        more = [tag for tag in part.tags if tag not in found.tags]
        if more:
            yield f"from {_place(part)}: {', '.join(more)}"


def _place(part: SegmentFindings) -> str:
    if part.start_seconds is None:
        return f"frame {part.segment.start}"
    return time_code(part.start_seconds)[:8]


def _rows(found: Diagnosis) -> Iterator[dict[str, Any]]:
    whole = found.to_dict()
    video = {"path": whole["path"], "part": "video", "warnings": "; ".join(whole["warnings"])}
    yield video | _cells(whole)
    for part in whole["segments"]:
        known = {name: value for name, value in part.items() if name in COLUMNS}
        yield known | {"path": whole["path"], "part": "segment"} | _cells(part)


def _cells(part: dict[str, Any]) -> dict[str, Any]:
    cells: dict[str, Any] = {"tags": " ".join(part["tags"])}
    for name, finding in part["distortions"].items():
        cells |= {name: finding["value"], f"{name}_severity": finding["severity"]}
    for name in ("spatial_information", "temporal_information"):
        cells[name] = part[name]
    return cells
