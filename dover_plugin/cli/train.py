"""The command ``dover train``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dover_plugin.cli.common import OK, need_extra, progress_bars
from dover_plugin.cli.options import INPUT, MODEL, OUTPUT
from dover_plugin.weights.registry import TWO_BRANCH_MODELS

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from dover_plugin.training.predictions import Progress

TRAINING = "Training"


def train(
    labels: Annotated[
        Path,
        typer.Option(help="Table of labels: .csv, .parquet or .txt.", rich_help_panel=INPUT),
    ],
    videos: Annotated[
        Path,
        typer.Option(
            help="Folder that the file names in the table are relative to.", rich_help_panel=INPUT
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Folder of the run; run the same command again to resume.",
            rich_help_panel=OUTPUT,
        ),
    ],
    init: Annotated[
        str | None,
        typer.Option(
            help="Initial weights: a model name or a weights file.",
            show_default="the weights of --model, else dover",
            rich_help_panel=MODEL,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="Architecture of a weights file given to --init, a model with two branches: "
            f"{', '.join(TWO_BRANCH_MODELS)}.",
            show_default="the model that --init names",
            rich_help_panel=MODEL,
        ),
    ] = None,
    head_only: Annotated[
        bool | None,
        typer.Option(
            "--head-only/--end-to-end",
            help="Train only the heads on cached features, or also train the backbones.",
            show_default="head-only",
            rich_help_panel=MODEL,
        ),
    ] = None,
    only: Annotated[
        Literal["technical", "aesthetic"] | None,
        typer.Option(
            help="Train only this branch; the other branch does not change.",
            show_default="both branches",
            rich_help_panel=MODEL,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="TOML file with training settings; options on the command line take precedence.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Number of passes over the training videos.",
            show_default="10, or 20 end to end",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Number of videos per step.", show_default="8", rich_help_panel=TRAINING),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help="Peak learning rate of the heads; backbones use the share backbone_rate of it, "
            "0.1 by default.",
            show_default="0.001",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    splits: Annotated[
        int,
        typer.Option(
            min=1,
            help="Number of random splits to train on; the mean test result is reported.",
            rich_help_panel=TRAINING,
        ),
    ] = 1,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Random seed; split N uses N times the seed.",
            show_default="42",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    precision: Annotated[
        Literal["float32", "bfloat16", "float16"] | None,
        typer.Option(
            help="Precision of the backbones; float16 needs CUDA.",
            show_default="float32",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    device: Annotated[
        str,
        typer.Option(help="Device: auto, cpu, cuda or cuda:1.", rich_help_panel=TRAINING),
    ] = "auto",
    workers: Annotated[
        int,
        typer.Option(
            min=0,
            help="Number of processes that read videos; 0 reads in the main process.",
            rich_help_panel=TRAINING,
        ),
    ] = 2,
    wandb: Annotated[
        bool,
        typer.Option("--wandb", help="Also log to Weights & Biases.", rich_help_panel=OUTPUT),
    ] = False,
) -> None:
    """Fine-tune a model on your own labels. A stopped run resumes from its last checkpoint."""
    from dataclasses import asdict, replace

    need_extra("train", ["scipy", "tensorboard"])
    if wandb:
        need_extra("train wandb", ["wandb"])
    from dover_plugin.engines.torch_engine import find_device
    from dover_plugin.errors import SettingsError
    from dover_plugin.evaluation.label_table import read_labels
    from dover_plugin.evaluation.labels import check_videos
    from dover_plugin.scores import SCORES
    from dover_plugin.training import trainer
    from dover_plugin.training.artifacts import save_artifacts, summary
    from dover_plugin.training.settings import resolve_settings

    options = {
        "init": init,
        "model": model,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        "precision": precision,
    }
    settings = resolve_settings(options, config, head_only=head_only, branch=only)
    rows = read_labels(labels, videos)
    unlabelled = check_videos(rows, videos)
    if unlabelled:
        typer.echo(
            f"Ignored {len(unlabelled)} videos in '{videos}' without a label, for example "
            f"'{unlabelled[0]}'.",
            err=True,
        )
    if splits > 1 and any(row.split for row in rows):
        raise SettingsError(
            f"'{labels}' names the split of each video, which --splits {splits} would ignore. "
            "Remove the column 'split' or omit --splits."
        )
    target = find_device(device)
    results = []
    for index in range(splits):
        seeded = replace(settings, seed=settings.seed * (index + 1) if settings.seed else index)
        folder = output / f"split-{index + 1}"
        prefix = f"split {index + 1} of {splits}: " if splits > 1 else ""
        with progress_bars() as bars, _wandb_run(wandb, asdict(seeded), folder):
            result = trainer.train(
                rows,
                seeded,
                folder,
                device=target,
                workers=workers,
                progress=_bar_updater(bars, prefix),
            )
        artifacts = save_artifacts(result, seeded, folder)
        results.append({name: result.test.correlations(name) for name in SCORES})
        typer.echo(f"{artifacts.weights}", err=True)
    _print(summary(results), len(result.test.labels))
    raise typer.Exit(OK)


@contextmanager
def _wandb_run(enabled: bool, settings: dict[str, Any], folder: Path) -> Iterator[None]:
    """A Weights & Biases run that mirrors the TensorBoard log."""
    if not enabled:
        yield
        return
    import wandb

    folder.mkdir(parents=True, exist_ok=True)
    with wandb.init(project="dover", config=settings, dir=folder, sync_tensorboard=True):
        yield


def _bar_updater(bars: "Bars", prefix: str) -> "Progress":
    """A callback that shows one progress bar per task."""
    tasks: dict[str, Any] = {}

    def update(name: str, done: int, total: int) -> None:
        if name not in tasks:
            tasks[name] = bars.add_task(prefix + name, total=total)
        bars.update(tasks[name], completed=done, total=total)

    return update


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
        return "n/a (equal scores)"
    return f"{mean:.3f}" + (f" ± {deviation:.3f}" if deviation is not None else "")
