"""A timeline as CSV or JSON."""

import csv
import json
from collections.abc import Iterable
from typing import Any, TextIO

from dover_plugin.analysis.timeline import Timeline


def write_rows(rows: Iterable[dict[str, Any]], stream: TextIO) -> None:
    """As CSV with a header."""
    rows = list(rows)
    writer = csv.DictWriter(stream, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)


def write_timeline(found: Timeline, stream: TextIO) -> None:
    """As one JSON object."""
    stream.write(json.dumps(found.to_dict()) + "\n")
