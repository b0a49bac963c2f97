"""The tables of docs/performance.md are made from measurements."""

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from performance_page import COLUMNS, update_page  # noqa: E402


def test_tables_between_the_markers_are_replaced(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("before\n<!-- bench:networks -->\nold\n<!-- /bench:networks -->\nafter\n")
    row: dict[str, Any] = {"model": "dover-open", "engine": "torch", "s per video": 0.5123}
    row |= {"share of peak": 0.25, "peak GB": 0.5, "first start s": 1.0, "ready s": 0.25}
    update_page({"Networks": [row, {"error": "exit 1"}]}, page)
    lines = page.read_text().splitlines()
    assert lines[0] == "before" and lines[-1] == "after"
    assert "| dover-open | torch | 0.512 | 25 % | 0.5 GB | 1 s | 0.25 s |" in lines
    assert "old" not in lines


def test_decoders_stand_side_by_side(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("<!-- bench:reading -->\n<!-- /bench:reading -->\n")
    rows = [
        {"video": "540p", "decoder": "pyav", "views s": 0.5, "scan s": 0.1},
        {"video": "540p", "decoder": "decord", "views s": 0.75, "scan s": 0.1},
    ]
    update_page({"Reading 10 s of H.264": rows}, page)
    assert "| 540p | 0.5 s | 0.75 s | 1.5 |" in page.read_text()


def test_the_page_names_the_machine(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("<!-- bench:machine -->\n<!-- /bench:machine -->\n")
    facts = {"torch GFLOP/s": 268.4, "cores": 2, "processor": "EPYC", "torch": "2.15.0+cpu"}
    update_page({"Machine": [{"what": k, "value": v} for k, v in facts.items()]}, page)
    assert (
        "Measured on 2 cores (EPYC), whose peak is 268 GFLOP/s, with PyTorch 2.15.0."
        in page.read_text()
    )


def test_every_table_of_the_page_has_its_markers() -> None:
    page = (ROOT / "docs/performance.md").read_text()
    for name, (_, columns) in COLUMNS.items():
        table = page.split(f"<!-- bench:{name} -->")[1].split(f"<!-- /bench:{name} -->")[0]
        assert table.strip().startswith("| " + " | ".join(columns).split(" | ")[0])
