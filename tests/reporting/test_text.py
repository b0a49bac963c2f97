import csv
import io
import json
import re

import pytest
from test_scores import DEMO, SETTINGS, make

from dover_plugin import Failure
from dover_plugin.reporting.text import WRITERS
from dover_plugin.scores import COLUMNS
from dover_plugin.text import described

NAMES = [
    "with space.mp4",
    "new\nline.mp4",
    "視頻 ü.mp4",
    "[red]x[.mp4",
    'quo"te,.mp4',
    "\udcff.mp4",
]


def written(kind: str, *results: object, ranks: bool = False) -> str:
    stream = io.StringIO(newline="")
    WRITERS[kind](results, stream, ranks)  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_names_survive(name: str) -> None:
    results = (make(path=name), Failure(name, f"cannot read {name}", SETTINGS))
    rows = [json.loads(line) for line in written("json", *results).splitlines()]
    assert [row["path"] for row in rows] == [name, name]
    rows = list(csv.DictReader(io.StringIO(written("csv", *results), newline="")))
    assert [row["path"] for row in rows] == [name, name]
    table = written("table", *results)
    assert name.replace("\n", "\\n").replace("\udcff", "\\udcff") in table
    assert len(table.splitlines()) == 6  # header, two videos, error, note, settings


def test_text_that_spreadsheets_would_run() -> None:
    results = (make(path="=1+1.mp4"), Failure("-2.mp4", "+3", SETTINGS))
    first, second = csv.DictReader(io.StringIO(written("csv", *results), newline=""))
    assert first["path"] == "'=1+1.mp4"
    assert (second["path"], second["error"]) == ("'-2.mp4", "'+3")
    assert float(first["technical_raw"]) == results[0].raw.technical
    rows = [json.loads(line) for line in written("json", *results).splitlines()]
    assert [row["path"] for row in rows] == ["=1+1.mp4", "-2.mp4"]


def test_columns() -> None:
    assert tuple(json.loads(written("json", make()))) == COLUMNS
    assert written("csv", make()).splitlines()[0] == ",".join(COLUMNS)


def test_ranks() -> None:
    results = (make(raw=DEMO), Failure("b.mp4", "broken", SETTINGS))
    scored, failed = (
        json.loads(line) for line in written("json", *results, ranks=True).splitlines()
    )
    assert scored["ranks"]["KoNViD-1k"]["technical"]["percentile"] == pytest.approx(75.2, abs=0.1)
    assert failed["ranks"] is None
    first, second = csv.DictReader(io.StringIO(written("csv", *results, ranks=True), newline=""))
    assert float(first["KoNViD-1k_technical"]) == pytest.approx(75.2, abs=0.1)
    assert second["KoNViD-1k_technical"] == ""
    table = written("table", *results, ranks=True)
    assert "percentiles of" in table
    assert re.search(r"KoNViD-1k +75 +92", table)


def test_equal_notes_are_counted_once() -> None:
    assert "note (3): HDR" in written("table", make(), make(), make())


def test_errors_of_other_libraries_are_described_on_one_line() -> None:
    assert described(ValueError("no data\nRead the manual:\n...")) == "ValueError: no data"
