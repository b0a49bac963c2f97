"""The commands ``dover export ...``."""

from pathlib import Path
from typing import Annotated

import typer

from dover_plugin.cli.common import Accept, Model, consent, download_bar, progress_bars
from dover_plugin.weights.registry import DEFAULT_MODEL

app = typer.Typer(no_args_is_help=True, help="Write networks for other programs.")


@app.command("onnx")
def export_onnx(
    output: Annotated[Path, typer.Option("--output", "-o", help="The .onnx file to write.")],
    model: Model = DEFAULT_MODEL,
    weights: Annotated[
        Path | None, typer.Option(help="A file of weights in place of the published ones.")
    ] = None,
    accept_license: Accept = False,
) -> None:
    """Write both branches as one ONNX file, and check it against torch."""
    from dover_plugin.engines.export import write_checked
    from dover_plugin.weights.store import find

    with progress_bars() as bar:
        file = find(model, weights, consent=consent(accept_license), progress=download_bar(bar))
        bar.add_task("exporting", total=None)
        difference = write_checked(model, file, output)
    typer.echo(f"{output}: within {difference:.1e} of torch's")


@app.callback()
def _export() -> None:
    pass
