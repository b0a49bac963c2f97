"""The command ``dover doctor``."""

import typer

from dover_plugin.cli.common import OK, SOME_FAILED, progress_bars


def doctor() -> None:
    """Check the installation: versions, devices, decoders, weights and cache."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dover_plugin.doctor import run_checks

    colours = {"ok": "green", "off": "yellow", "broken": "red"}
    table = Table(box=None, show_header=False, pad_edge=False)
    broken = False
    with progress_bars() as bar:
        for check in bar.track(run_checks(), description="checking"):
            broken |= check.state == "broken"
            remedy = Text(f"-> {check.remedy}" if check.remedy else "", style="dim")
            detail = Text(check.detail) + Text(" ") + remedy
            table.add_row(Text(check.state, style=colours[check.state]), check.name, detail)
    Console().print(table)
    raise typer.Exit(SOME_FAILED if broken else OK)
