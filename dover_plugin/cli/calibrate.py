"""The command ``dover calibrate``."""

from pathlib import Path
from typing import Annotated

import typer

from dover_plugin.cli.common import OK, check_new
from dover_plugin.cli.options import OUTPUT, ScoresTable
from dover_plugin.text import counted


def calibrate(
    scores: ScoresTable,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Calibration file to write (.json), for --fusion.",
            rich_help_panel=OUTPUT,
        ),
    ],
) -> None:
    """Fit a calibration to your own scored videos: their mean becomes 0.5."""
    from dover_plugin.batch.tables import branches_of, read_scores
    from dover_plugin.calibration import Calibration
    from dover_plugin.errors import SettingsError
    from dover_plugin.weights.registry import published

    check_new(output)
    if output.stem in ("matched", "reference"):
        raise SettingsError(
            f"The name '{output.stem}' is reserved for published constants. Choose another name."
        )
    table = read_scores(scores)
    branches = branches_of(table, scores)
    if len(branches) == 1 and not published(str(table["model"].iloc[0])).one_score:
        raise SettingsError(
            f"'{scores}' holds the {branches[0]} branch alone, and a calibration needs both. Score "
            "the videos without --branch."
        )
    found = Calibration.fit(
        output.stem,
        table["technical_raw"].tolist(),
        table["aesthetic_raw"].tolist() if "aesthetic" in branches else None,
    )
    found.save(output)
    typer.echo(
        f"{output}: calibration fitted to {counted(len(table), 'video')}; "
        f"use it with --fusion {output}"
    )
    raise typer.Exit(OK)
