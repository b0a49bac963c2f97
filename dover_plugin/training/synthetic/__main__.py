"""``python -m dover_plugin.training.synthetic``: make the clips that dover-open learns from."""

from pathlib import Path
from typing import Annotated

import typer

from dover_plugin.cli.common import progress_bars
from dover_plugin.errors import DoverError


def main(
    sources: Annotated[Path, typer.Argument(help="Folder of films and photographs.")],
    target: Annotated[Path, typer.Argument(help="Folder for clips and labels.")],
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
) -> None:
    """Make the clips that dover-open learns from, and their labels; goes on where it stopped."""
    from dover_plugin.training.synthetic.build import build, contents
    from dover_plugin.training.synthetic.sources import check

    try:
        check(sources)
        with progress_bars() as bar:
            made = build(sources, target, seed=seed, workers=workers)
            for _ in bar.track(made, len(contents(seed)), description="contents"):
                pass
    except DoverError as error:
        typer.echo(f"dover: {error}", err=True)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    typer.run(main)
