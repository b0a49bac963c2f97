"""Write a timeline as CSV or JSON."""

import csv
import json
from collections.abc import Iterable
from typing import Any, TextIO

from dover_plugin.analysis.timeline import Timeline
from dover_plugin.io.csv_cells import safe_row


def write_rows(rows: Iterable[dict[str, Any]], stream: TextIO) -> None:
    """Write rows as CSV with a header."""
    rows = list(rows)
    writer = csv.DictWriter(stream, list(rows[0]))
    writer.writeheader()
    writer.writerows(safe_row(row) for row in rows)


def write_timeline(found: Timeline, stream: TextIO) -> None:
    """Write a timeline as one JSON object."""
    stream.write(json.dumps(found.to_dict()) + "\n")
