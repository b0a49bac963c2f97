"""The command ``dover train``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dover_plugin.cli.common import OK, need_extra, progress_bars

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from dover_plugin.training.predictions import Progress

SEEDS = 42  # of the first split; the reference takes 42 * (split + 1)


def train(
    labels: Annotated[Path, typer.Option(help="Table of labels: .csv, .parquet, .txt.")],
    videos: Annotated[Path, typer.Option(help="Folder that the names of files start from.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.")],
    init: Annotated[
        str | None,
        typer.Option(
            help="What to begin with: a published model, a file of weights, or scratch.",
            show_default="as --model, else dover",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="Which network a file or scratch is: dover, dover-mobile, dover++, dover-open.",
            show_default="as --init",
        ),
    ] = None,
    head_only: Annotated[
        bool,
        typer.Option(
            "--head-only/--end-to-end", help="Heads on frozen backbones, which is quick, or all."
        ),
    ] = True,
    only: Annotated[
        Literal["technical", "aesthetic"] | None,
        typer.Option(help="One branch, or its head; the other stays as it is."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the videos.", show_default="10; end to end 20")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Videos of one step.")] = 8,
    learning_rate: Annotated[float, typer.Option(help="Of the heads, at its highest.")] = 1e-3,
    backbone_rate: Annotated[
        float, typer.Option(help="Of the backbones, as a share of the heads'.")
    ] = 0.1,
    optimizer: Annotated[
        Literal["adamw", "muon"],
        typer.Option(help="muon learns faster from scratch."),
    ] = "adamw",
    ema: Annotated[float, typer.Option(help="How slowly the kept weights follow.")] = 0.999,
    clip_len: Annotated[
        int,
        typer.Option(help="Frames of a clip; fewer are quicker, from scratch or for heads alone."),
    ] = 32,
    window: Annotated[
        int, typer.Option(help="Side of what is seen of both views; less is quicker, from scratch.")
    ] = 224,
    flip: Annotated[bool, typer.Option("--flip", help="Mirror every other example.")] = False,
    spoil_light: Annotated[
        bool,
        typer.Option(
            "--spoil-light",
            help="Spoil light or colour of every other example, and lower its opinions.",
        ),
    ] = False,
    draws: Annotated[
        int | None,
        typer.Option(
            help="Keep so many random draws of each video on disk; 0 draws anew in every epoch.",
            show_default="3; end to end 0",
        ),
    ] = None,
    together: Annotated[
        int, typer.Option(help="Put so many of one ladder or group side by side, and compare them.")
    ] = 1,
    own_weight: Annotated[
        float, typer.Option(help="Of a branch's own opinion, beside the overall one.")
    ] = 0.5,
    fused_weight: Annotated[
        float, typer.Option(help="Of the overall opinion of both branches together.")
    ] = 0.0,
    pair_weight: Annotated[
        float,
        typer.Option(help="Of views in two qualities, of which the worse must score less."),
    ] = 0.0,
    also: Annotated[
        str,
        typer.Option(
            help="Other columns of numbers to learn besides, as 'noise,blur_*'; helps from scratch."
        ),
    ] = "",
    splits: Annotated[
        int, typer.Option(min=1, help="Train on so many random splits, and report the mean.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = SEEDS,
    val_share: Annotated[
        float, typer.Option(help="Of the groups, to choose the best epoch.")
    ] = 0.1,
    test_share: Annotated[float, typer.Option(help="Of the groups, to test once.")] = 0.2,
    validate_every: Annotated[int, typer.Option(help="Epochs between validations.")] = 1,
    precision: Annotated[
        Literal["float32", "bfloat16", "float16"],
        typer.Option(help="Of the arithmetic; float16 on CUDA."),
    ] = "float32",
    checkpointing: Annotated[
        bool, typer.Option("--checkpointing", help="Less memory, more time (Swin).")
    ] = False,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the network first (end to end).")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that read videos.")] = 2,
    wandb: Annotated[bool, typer.Option("--wandb", help="Log to Weights & Biases too.")] = False,
) -> None:
    """Fine-tune DOVER on your own labels. Run it again after a stop, and it goes on."""
    from dataclasses import asdict, replace

    need_extra("train", ["matplotlib", "scipy", "tensorboard"])
    if wandb:
        need_extra("train wandb", ["wandb"])
    from dover_plugin.engines.torch_engine import find_device
    from dover_plugin.errors import SettingsError
    from dover_plugin.evaluation.label_table import read_labels
    from dover_plugin.evaluation.labels import check_videos
    from dover_plugin.training.outcome import keep, summary
    from dover_plugin.training.predictions import SCORES
    from dover_plugin.training.run import TrainSettings, network_of
    from dover_plugin.training.trainer import train as run

    init = init or model or "dover"
    settings = TrainSettings(
        model=network_of(init, model),
        init=init,
        what=_what(head_only, only),
        epochs=(10 if head_only else 20) if epochs is None else epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        backbone_rate=backbone_rate,
        optimizer=optimizer,
        ema=ema,
        seed=seed,
        clip_len=clip_len,
        window=window,
        flip=flip,
        spoil_light=spoil_light,
        draws=(3 if head_only else 0) if draws is None else draws,
        together=together,
        own_weight=own_weight,
        fused_weight=fused_weight,
        pair_weight=pair_weight,
        val_share=val_share,
        test_share=test_share,
        validate_every=validate_every,
        precision=precision,
        checkpointing=checkpointing,
        compiled=compiled,
    )
    rows = read_labels(labels, videos, also=also)
    unlabelled = check_videos(rows, videos)
    if unlabelled:
        typer.echo(
            f"{len(unlabelled)} videos of '{videos}' have no label and are left out, "
            f"as '{unlabelled[0]}'.",
            err=True,
        )
    if splits > 1 and any(row.split for row in rows):
        raise SettingsError(
            f"'{labels}' names the split of each video, so there is one split, not {splits}. Take "
            "the column out, or leave out --splits."
        )
    place = find_device(device)
    found = []
    for number in range(splits):
        part = replace(settings, seed=seed * (number + 1) if seed else number)
        folder = output / f"split-{number + 1}"
        prefix = f"split {number + 1} of {splits}: " if splits > 1 else ""
        with progress_bars() as bars, _tracked(wandb, asdict(part), folder):
            trained = run(
                rows,
                part,
                folder,
                device=place,
                workers=workers,
                progress=_show(bars, prefix),
            )
        files = keep(trained, part, folder)
        found.append({name: trained.test.agreement(name) for name in SCORES})
        typer.echo(f"{files.weights}", err=True)
    _print(summary(found), len(trained.test.labels))
    raise typer.Exit(OK)


def _what(head_only: bool, only: str | None) -> str:
    """The name that TrainSettings has for it."""
    if head_only:
        return f"{only} head" if only else "heads"
    return only or "all"


@contextmanager
def _tracked(wanted: bool, settings: dict[str, Any], folder: Path) -> Iterator[None]:
    """Send what TensorBoard gets to Weights & Biases too."""
    if not wanted:
        yield
        return
    import wandb

    folder.mkdir(parents=True, exist_ok=True)
    with wandb.init(project="dover", config=settings, dir=folder, sync_tensorboard=True):
        yield


def _show(bars: "Bars", prefix: str) -> "Progress":
    """A bar for each thing that is done."""
    tasks: dict[str, Any] = {}

    def show(name: str, done: int, total: int) -> None:
        if name not in tasks:
            tasks[name] = bars.add_task(prefix + name, total=total)
        bars.update(tasks[name], completed=done, total=total)

    return show


def _print(rows: list[dict[str, Any]], videos: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(f"test ({videos} videos)", box=None, header_style="bold", pad_edge=False)
    measures = [name for name in rows[0] if name != "score" and not name.endswith("_std")]
    for name in measures:
        table.add_column(name.upper(), justify="right")
    for row in rows:
        cells = [_cell(row[name], row[f"{name}_std"]) for name in measures]
        table.add_row(row["score"], *cells)
    Console(highlight=False).print(table)


def _cell(mean: float | None, deviation: float | None) -> str:
    if mean is None:
        return "all alike"
    return f"{mean:.3f}" + (f" ± {deviation:.3f}" if deviation is not None else "")
