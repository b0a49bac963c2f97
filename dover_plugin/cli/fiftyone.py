"""The commands ``dover fiftyone ...``."""

from pathlib import Path
from typing import Annotated

import typer

from dover_plugin.cli.options import OUTPUT

app = typer.Typer(no_args_is_help=True, help="Install the FiftyOne plugin.")


@app.command("install")
def install_fiftyone_plugin(
    plugins_dir: Annotated[
        Path | None,
        typer.Option(
            help="Directory that FiftyOne searches for plugins.",
            show_default="FiftyOne's plugins_dir",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
) -> None:
    """Install the plugin @dover/quality. Run it again after an upgrade."""
    from fiftyone_plugin.install import duplicates, install

    folder = install(plugins_dir)
    typer.echo(f"Installed in '{folder}'.")
    for other in duplicates(folder):
        typer.echo(f"'{other}' holds the plugin, too. Remove one of both folders.", err=True)
    typer.echo(
        "Next: open a dataset with 'fiftyone app launch NAME', press ` and choose 'DOVER: score "
        "videos'."
    )


@app.callback()
def _fiftyone() -> None:
    pass
