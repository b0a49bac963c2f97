"""The commands ``dover fiftyone ...``."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Put the FiftyOne plugin in place.")


@app.command("install")
def install_fiftyone_plugin(
    plugins_dir: Annotated[
        Path | None,
        typer.Option(help="Where FiftyOne looks.", show_default="FiftyOne's plugins_dir"),
    ] = None,
) -> None:
    """Install the plugin @dover/quality for FiftyOne's App; again after an upgrade."""
    from fiftyone_plugin.install import install

    typer.echo(f"{install(plugins_dir)}")


@app.callback()
def _fiftyone() -> None:
    pass
