"""``python -m dover_plugin.training.synthetic``: what dover-open learns from and is tested on."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dover_plugin.calibration import TECHNICAL_WEIGHT
from dover_plugin.cli.common import USAGE, progress_bars
from dover_plugin.errors import DoverError, SettingsError

if TYPE_CHECKING:
    from dover_plugin.training.synthetic.build import Content

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
Target = Annotated[Path, typer.Argument(help="Folder for clips, labels.csv and heads.csv.")]
Seed = Annotated[int, typer.Option(help="Of everything random.")]
Workers = Annotated[int, typer.Option(help="Processes.")]


@app.command()
def gather(
    places: Annotated[list[Path], typer.Argument(help="Folders to look through, then SOURCES.")],
) -> None:
    """Copy films and photographs, wherever they lie in unpacked packages, into one folder."""
    from dover_plugin.training.synthetic.sources import filmed, gather

    *folders, target = places
    if not folders:
        raise SettingsError("Name folders to look through, then the folder for what is found.")
    typer.echo(f"{gather(folders, target)} of {len(filmed())} sources are in '{target}'")


@app.command()
def make(
    sources: Annotated[Path, typer.Argument(help="Folder of films and photographs.")],
    target: Target,
    seed: Seed = 0,
    workers: Workers = 2,
    every: Annotated[int, typer.Option(min=1, help="Only each so-many-th content: a trial.")] = 1,
) -> None:
    """Make the clips that dover-open learns from, and their labels; goes on where it stopped."""
    from dover_plugin.training.synthetic.build import contents
    from dover_plugin.training.synthetic.sources import check

    check(sources)
    _build(contents(seed)[::every], sources, target, seed, workers)


@app.command()
def footage(
    videos: Annotated[list[Path], typer.Argument(help="Videos of one folder, then TARGET.")],
    seed: Seed = 0,
    workers: Workers = 2,
) -> None:
    """Spoil videos of your own in ladders of five steps, to test a model on."""
    from dover_plugin.training.synthetic.build import footage

    *films, target = videos
    if not films or any(film.parent != films[0].parent for film in films):
        raise SettingsError("Name videos of one folder, then the folder for what is made of them.")
    _build(footage(films), films[0].parent, target, seed, workers)


@app.command()
def mean(
    trained: Annotated[Path, typer.Argument(help="A file of weights.")],
    before: Annotated[Path, typer.Argument(help="What these began with.")],
    share: Annotated[float, typer.Option(min=0, max=1, help="Of the trained weights.")] = 0.5,
    aesthetic_share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Likewise of the aesthetic branch alone.")
    ] = None,
) -> None:
    """Write the mean of weights before and after a training, beside those after it."""
    from dover_plugin.training.synthetic.pack import mean

    typer.echo(str(mean(trained, before, share, aesthetic_share)))


@app.command()
def pack(
    trained: Annotated[Path, typer.Argument(help="A file of weights.")],
    labels: Annotated[Path, typer.Argument(help="labels.csv of the clips.")],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = "auto",
    technical_weight: Annotated[
        float, typer.Option(min=0, max=1, help="Of the technical branch in the overall score.")
    ] = TECHNICAL_WEIGHT,
) -> None:
    """Put trained weights into the package, with constants of the validation clips."""
    from dover_plugin.training.synthetic.pack import pack

    typer.echo(str(pack(trained, labels, labels.parent / "clips", device, technical_weight)))


@app.command()
def examine(
    labels: Annotated[Path, typer.Argument(help="labels.csv of the clips.")],
    scores: Annotated[Path, typer.Argument(help="Their scores: .jsonl of 'dover evaluate'.")],
    split: Annotated[str, typer.Option(help="Of the labels.")] = "test",
) -> None:
    """Print, as JSON, how a model's scores follow the faults."""
    import pandas as pd

    from dover_plugin.training.synthetic.examine import examine

    known = pd.read_csv(labels).rename(columns={"overall": "label"})
    scored = pd.read_json(scores, lines=True).drop_duplicates("path", keep="last")
    broken = scored["error"].notna()
    for error in scored["error"][broken]:
        typer.echo(f"dover: {error}", err=True)
    scored = scored[~broken].assign(file=lambda table: table["path"].map(lambda p: Path(p).name))
    table = known[known["split"] == split].merge(scored, on="file", validate="one_to_one")
    typer.echo(json.dumps(asdict(examine(table)), indent=2))


def _build(
    every: "Sequence[Content]", sources: Path, target: Path, seed: int, workers: int
) -> None:
    from dover_plugin.training.synthetic.build import build

    with progress_bars() as bar:
        made = build(every, sources, target, seed=seed, workers=workers)
        for _ in bar.track(made, len(every), description="contents"):
            pass


if __name__ == "__main__":
    try:
        app()
    except DoverError as error:
        typer.echo(f"dover: {error}", err=True)
        raise SystemExit(USAGE) from None
