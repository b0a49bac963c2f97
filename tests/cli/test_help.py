"""The help pages: complete sentences at a width of 80 columns, options and commands in panels."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from dover_plugin.cli import app

WIDTH = 80
BUILT_IN = {"help", "version", "install_completion", "show_completion"}


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, (*path, name))


COMMANDS = dict(commands(get_command(app)))
PATHS = pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(("dover", *path)))


@cache
def page(path: tuple[str, ...]) -> str:
    done = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": str(WIDTH)})
    assert done.exit_code == 0
    return done.stdout


def words(text: str) -> str:
    """A text without the frames of panels, line breaks, and the ends of wrapped choices."""
    return " ".join(re.sub(r"[│╭╮╰╯─]|(?<=\s)>(?=\s)", " ", text).split())


def texts(command: Any) -> Iterator[str]:
    """Help texts that the page of a command shows."""
    yield command.help
    for option in command.params:
        if option.name not in BUILT_IN:
            yield option.help
    for each in getattr(command, "commands", {}).values():
        yield each.help


@PATHS
def test_every_text_is_shown_in_full(path: tuple[str, ...]) -> None:
    shown = page(path)
    assert max(map(len, shown.splitlines())) <= WIDTH
    assert "…" not in shown
    for text in texts(COMMANDS[path]):
        assert words(text) in words(shown)


@PATHS
def test_every_text_is_a_sentence(path: tuple[str, ...]) -> None:
    for text in texts(COMMANDS[path]):
        assert re.match(r"[A-Z].*\.$", text, re.DOTALL), text
        assert not re.match(r"Of\b", text), text


@PATHS
def test_options_are_in_panels(path: tuple[str, ...]) -> None:
    for option in COMMANDS[path].params:
        if option.param_type_name == "option" and option.name not in BUILT_IN:
            assert option.rich_help_panel, option.name
            assert f"─ {option.rich_help_panel} ─" in page(path)


def test_commands_are_in_panels() -> None:
    shown = page(())
    panels = [each.rich_help_panel for each in COMMANDS[()].commands.values()]
    assert list(dict.fromkeys(panels)) == [
        "Score",
        "Analyse",
        "Tables of scores",
        "Training and evaluation",
        "Setup",
    ]
    positions = [shown.index(f"─ {panel} ─") for panel in dict.fromkeys(panels)]
    assert positions == sorted(positions)
    assert "─ Commands ─" not in shown
