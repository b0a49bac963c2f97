"""Tables of docs/performance.md, made from the measurements of benchmarks/performance.py.

``python benchmarks/performance_page.py build/bench/performance.json`` updates the page again.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/performance.md"
Row = dict[str, Any]
Cell = Callable[[Row], str]


def number(name: str, unit: str = "") -> Cell:
    """Three significant digits of a column, with its unit."""
    return lambda row: f"{row[name]:.3g}{unit}" if row.get(name) is not None else ""


def percent(name: str) -> Cell:
    return lambda row: f"{100 * row[name]:.0f} %" if row.get(name) is not None else ""


def text(name: str) -> Cell:
    return lambda row: str(row[name])


COLUMNS: dict[str, tuple[str, dict[str, Cell]]] = {
    "networks": (
        "Networks",
        {
            "model": text("model"),
            "engine": text("engine"),
            "seconds per video": number("s per video"),
            "share of peak": percent("share of peak"),
            "peak memory": number("peak GB", " GB"),
            "first start": number("first start s", " s"),
            "next starts": number("ready s", " s"),
        },
    ),
    "reading": (
        "Reading 10 s of H.264",
        {
            "size": text("video"),
            "PyAV": number("pyav", " s"),
            "decord": number("decord", " s"),
            "decord / PyAV": number("ratio"),
        },
    ),
    "length": (
        "Reading against length",
        {
            "length": text("540p of"),
            "PyAV": number("pyav", " s"),
            "packet scan": number("scan s", " s"),
            "decord": number("decord", " s"),
        },
    ),
    "pipeline": (
        "End to end",
        {
            "input": lambda row: f"{row['video']}, {row['model']}",
            "reader threads": text("workers"),
            "reading": number("read s"),
            "network": number("network s"),
            "`score_many`": number("score_many s"),
            "share of the sum": number("of read + network"),
        },
    ),
}


def by_decoder(rows: list[Row], key: str) -> list[Row]:
    """One row for each video, with the times of both decoders side by side."""
    found: dict[str, Row] = {}
    for row in rows:
        entry = found.setdefault(row[key], {key: row[key]})
        entry[row["decoder"]] = row.get("views s")
        if row["decoder"] == "pyav":
            entry["scan s"] = row.get("scan s")
    for entry in found.values():
        if entry.get("pyav") and entry.get("decord"):
            entry["ratio"] = entry["decord"] / entry["pyav"]
    return list(found.values())


def markdown(rows: list[Row], columns: dict[str, Cell]) -> str:
    lines = [[*columns], ["---"] * len(columns)]
    lines += [[cell(row) for cell in columns.values()] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine(rows: list[Row]) -> str:
    """One sentence on the machine that was measured."""
    facts = {row["what"]: row["value"] for row in rows}
    peak = max(value for name, value in facts.items() if name.endswith("GFLOP/s"))
    return (
        f"Measured on {facts['cores']} cores ({facts['processor']}), whose peak is {peak:.0f} "
        f"GFLOP/s, with PyTorch {facts['torch'].split('+')[0]}."
    )


def update_page(measured: dict[str, list[Row]], page: Path = PAGE) -> None:
    """Replace what is between ``<!-- bench:NAME -->`` and ``<!-- /bench:NAME -->``."""
    content = page.read_text()
    if measured.get("Machine"):
        content = replaced(content, "machine", machine(measured["Machine"]))
    for name, (title, columns) in COLUMNS.items():
        rows = measured.get(title)
        if not rows:
            continue
        if name in ("reading", "length"):
            rows = by_decoder(rows, "video" if name == "reading" else "540p of")
        table = markdown([row for row in rows if "error" not in row], columns)
        content = replaced(content, name, table)
    page.write_text(content)


def replaced(content: str, name: str, made: str) -> str:
    """The page with what was made between the markers of a name, if it has them."""
    start, end = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    if start not in content:
        return content
    before, rest = content.split(start)
    return f"{before}{start}\n\n{made}\n\n{end}{rest.split(end)[1]}"


if __name__ == "__main__":
    update_page(json.loads(Path(sys.argv[1]).read_text()))
