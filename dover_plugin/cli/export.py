"""The commands ``dover export ...``."""

from pathlib import Path
from typing import Annotated

import typer

from dover_plugin.cli.common import consent, download_bar, progress_bars
from dover_plugin.cli.options import OUTPUT, Accept, Model, WeightsFile
from dover_plugin.weights.registry import DEFAULT_MODEL

app = typer.Typer(no_args_is_help=True, help="Export networks for other runtimes.")


@app.command("onnx")
def export_onnx(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="ONNX file to write.", rich_help_panel=OUTPUT),
    ],
    model: Model = DEFAULT_MODEL,
    weights: WeightsFile = None,
    accept_license: Accept = False,
) -> None:
    """Export all branches as one ONNX file and verify it against PyTorch."""
    from dover_plugin.engines.export import write_checked
    from dover_plugin.io.write import check_regular
    from dover_plugin.weights.store import find

    check_regular(output)
    with progress_bars() as bar:
        file = find(model, weights, consent=consent(accept_license), progress=download_bar(bar))
        bar.add_task("exporting", total=None)
        difference = write_checked(model, file, output)
    typer.echo(f"{output}: outputs are within {difference:.1e} of PyTorch")


@app.callback()
def _export() -> None:
    pass
