"""The command ``dover evaluate``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dover_plugin.cli.common import (
    OK,
    SOME_FAILED,
    need_extra,
    progress_bars,
)
from dover_plugin.cli.model_options import ModelOptions
from dover_plugin.cli.options import INPUT, OUTPUT, expand_options
from dover_plugin.text import counted

if TYPE_CHECKING:
    from dover_plugin.evaluation.results import EvaluationResult


@expand_options
def evaluate(
    labels: Annotated[Path, typer.Argument(help="Table of labels: .csv, .parquet or .txt.")],
    videos: Annotated[
        Path, typer.Option(help="Folder that contains the videos.", rich_help_panel=INPUT)
    ],
    model: ModelOptions,
    data_set: Annotated[
        str | None,
        typer.Option(
            "--set",
            help="Public data set, which sets file names and fusion weights: lsvq-test, "
            "lsvq-1080p, konvid-1k, live-vqc, youtube-ugc, cvd2014 or divide-3k.",
            rich_help_panel=INPUT,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Use only rows of this split (column split).", rich_help_panel=INPUT),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            help="Journal of scores; a second run resumes from it.",
            show_default="LABELS.MODEL.jsonl",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Plot scores against MOS into a .png, .svg or .pdf file.", rich_help_panel=OUTPUT
        ),
    ] = None,
    output_format: Annotated[
        Literal["table", "json"],
        typer.Option("--format", "-f", help="Output format.", rich_help_panel=OUTPUT),
    ] = "table",
) -> None:
    """Compute SROCC, PLCC, KROCC and RMSE of scores against mean opinion scores."""
    need_extra("train", ["scipy", *(["matplotlib"] if plot else [])])
    from dover_plugin.batch.run import score_resumed
    from dover_plugin.evaluation.datasets import preset
    from dover_plugin.evaluation.label_table import read_labels
    from dover_plugin.evaluation.labels import check_videos, of_split
    from dover_plugin.evaluation.results import evaluate_scores
    from dover_plugin.reporting.evaluation_plots import scatter

    chosen = preset(data_set) if data_set else None
    rows = read_labels(
        labels,
        videos,
        branches=chosen is None or chosen.branches,
        pattern=chosen.pattern if chosen else "{name}",
    )
    unlabelled = check_videos(rows, videos)
    if unlabelled:
        typer.echo(
            f"Ignored {counted(len(unlabelled), 'video')} in '{videos}' without a label, for "
            f"example '{unlabelled[0]}'.",
            err=True,
        )
    if split:
        rows = of_split(rows, split, labels)
    journal = scores or Path(f"{labels.stem}.{model.model}.jsonl")
    with progress_bars() as bar:
        scorer = model.load_scorer(bar)
        done = score_resumed(scorer, [row.file for row in rows], journal)
        results = list(bar.track(done, len(rows), description="scoring"))
    failed = [row for row in results if row["error"]]
    good = [
        (row, label.overall) for row, label in zip(results, rows, strict=True) if not row["error"]
    ]
    for row in failed:
        typer.echo(f"dover: {row['error']}", err=True)
    scored, mos = [row for row, _ in good], [label for _, label in good]
    found = evaluate_scores(scored, mos, chosen.technical_weight if chosen else None)
    if plot:
        scatter(
            scored,
            mos,
            f"{scorer.settings.model} on {chosen.title if chosen else labels.name}",
            plot,
        )
    _print(found, output_format)
    raise typer.Exit(SOME_FAILED if failed else OK)


def _print(found: "list[EvaluationResult]", output_format: str) -> None:
    if output_format == "json":
        import json

        typer.echo(json.dumps([row.to_dict() for row in found]))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(counted(found[0].videos, "video"), box=None, header_style="bold", pad_edge=False)
    for name in found[0].values:
        table.add_column(name.upper().replace("_", " "), justify="right")
    for row in found:
        cells = []
        for name, value in row.values.items():
            low, high = row.intervals.get(name, (None, None))
            cells.append(f"{value:.3f}" + (f" [{low:.3f}, {high:.3f}]" if low is not None else ""))
        table.add_row(row.score, *cells)
    Console(highlight=False).print(table)
