"""The commands ``dover weights ...``."""

import re
from pathlib import Path
from typing import Annotated

import typer

from dover_plugin.cli.common import consent, download_bar, progress_bars
from dover_plugin.cli.options import MODEL, Accept
from dover_plugin.weights.registry import DEFAULT_MODEL, MODELS

app = typer.Typer(no_args_is_help=True, help="List, download, verify and convert model weights.")


@app.command("list")
def list_weights() -> None:
    """List the models, their licenses, and which weights are on this machine."""
    from rich.console import Console
    from rich.table import Table

    from dover_plugin.weights.registry import registry
    from dover_plugin.weights.store import cached

    table = Table(box=None, pad_edge=False)
    for name in ("model", "installed", "size", "commercial use", "license"):
        table.add_column(name, no_wrap=True)
    for row in registry():
        here = "yes" if cached(row.model).exists() else "no"
        commercial = "yes" if row.commercial else "no"
        short = re.split("[:,(]", row.license)[0].strip()
        table.add_row(row.model, here, f"{row.size / 1e6:.0f} MB", commercial, short)
    console = Console()
    console.print(table)
    for row in registry():
        console.print(
            f"\n[bold]{row.model}[/bold]: {row.note}. License: {row.license}. Verified against: "
            f"{row.verified_against}.",
            highlight=False,
        )


@app.command("download")
def download_weights(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL", help="Model names, as 'dover weights list' shows them."),
    ],
    accept_license: Accept = False,
) -> None:
    """Download published weights into the cache; non-commercial licenses must be accepted."""
    from dover_plugin.weights.registry import published
    from dover_plugin.weights.store import find

    for model in models:
        published(model)
    for model in models:
        with progress_bars() as bar:
            file = find(model, consent=consent(accept_license), progress=download_bar(bar))
        typer.echo(f"{model}: {file}")


@app.command("verify")
def verify_weights(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL",
            help="Model names, as 'dover weights list' shows them.",
            show_default="all on this machine",
        ),
    ] = None,
) -> None:
    """Verify weights on this machine against their SHA-256."""
    from dover_plugin.weights.registry import published
    from dover_plugin.weights.store import cache_dir, cached, verify

    here = [model for model in MODELS if cached(model).exists()]
    if not (models or here):
        typer.echo(f"No published weights are in '{cache_dir()}'.", err=True)
    for model in models or here:
        note = "" if published(model).sha256 else " (no published hash; hash of the first use)"
        typer.echo(f"{model}: {verify(model)}{note}")


@app.command("convert")
def convert_weights(
    source: Annotated[Path, typer.Argument(help="Weights file: .pth or .safetensors.")],
    target: Annotated[Path, typer.Argument(help="Output .safetensors file.")],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help=f"Architecture of the weights: {', '.join(MODELS)}.",
            rich_help_panel=MODEL,
        ),
    ] = DEFAULT_MODEL,
) -> None:
    """Convert weights to safetensors; the metadata keeps the hash of the source."""
    from dover_plugin.io.write import check_regular
    from dover_plugin.weights.load import convert
    from dover_plugin.weights.store import find

    check_regular(target)
    convert(find(model, source), target, model)
    typer.echo(f"{target}")
