"""Helpers for tests of batches."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from dover_plugin.cli import app

CLIPS, BROKEN = 10, 3


def videos(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.iterdir())


def rows(file: Path) -> list[dict[str, Any]]:
    return sorted((json.loads(line) for line in file.read_bytes().splitlines()), key=by_path)


def by_path(row: dict[str, Any]) -> str:
    return str(row["path"])


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["score", *map(str, arguments), "--device", "cpu"])
