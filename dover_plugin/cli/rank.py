"""The command ``dover rank``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dover_plugin.cli.common import OK, check_new
from dover_plugin.cli.options import OUTPUT, ScoresTable

if TYPE_CHECKING:
    import pandas as pd

    from dover_plugin.ranks import ReferenceSet


def rank(
    scores: ScoresTable,
    against: Annotated[
        str | None,
        typer.Option(
            help="Reference: a published data set (dover only), a reference-set file, or another "
            "table of scores.",
            show_default="the table itself",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write the ranked table to this .csv or .parquet file.",
            show_default="CSV on standard output",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(help="Save the reference set to this .json file.", rich_help_panel=OUTPUT),
    ] = None,
) -> None:
    """Rank each video by percentile in a reference set, per branch."""
    import sys

    from dover_plugin.batch.tables import read_scores, write_frame
    from dover_plugin.preprocessing.sampling import BRANCHES

    check_new(output)
    check_new(save)
    table = read_scores(scores)
    reference = _reference(against, table, scores)
    for branch in BRANCHES:
        places = getattr(reference, branch)
        table[f"{branch}_rank"] = [places.rank(raw).percentile for raw in table[f"{branch}_raw"]]
    table["rank_set"] = reference.name
    if save:
        reference.save(save)
    if output:
        write_frame(table, output)
    else:
        columns = ["path", "technical_rank", "aesthetic_rank", "overall"]
        table[columns].to_csv(sys.stdout, index=False)
    raise typer.Exit(OK)


def _reference(against: str | None, table: "pd.DataFrame", scores: Path) -> "ReferenceSet":
    from dover_plugin.batch.tables import read_scores
    from dover_plugin.errors import SettingsError
    from dover_plugin.ranks import ReferenceSet, published_sets

    model = str(table["model"].iloc[0]) if len(table) else ""
    named = {each.name.lower(): each for each in published_sets()}
    if against and against.lower() in named:
        reference = named[against.lower()]
    elif against and Path(against).suffix == ".json":
        reference = ReferenceSet.load(against)
    elif against and not Path(against).exists():
        names = ", ".join(each.name for each in published_sets())
        raise SettingsError(f"'{against}' is neither a file nor one of {names}.")
    else:
        other = read_scores(Path(against)) if against else table
        reference = ReferenceSet.of(
            Path(against or scores).stem,
            str(other["model"].iloc[0]) if len(other) else "",
            other["technical_raw"].tolist(),
            other["aesthetic_raw"].tolist(),
        )
    if reference.model != model:
        raise SettingsError(
            f"{reference.name} was scored with {reference.model}, so scores of {model} have no "
            "rank in it. Score both with one model."
        )
    return reference
