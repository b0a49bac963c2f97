"""The command ``dover rank``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dover_plugin.cli.common import OK, check_new, open_output
from dover_plugin.cli.options import INPUT, OUTPUT, ScoresTable

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
            rich_help_panel=INPUT,
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
    from dover_plugin.batch.tables import branches_of, read_scores, write_frame
    from dover_plugin.errors import SettingsError
    from dover_plugin.io.csv_cells import safe_frame
    from dover_plugin.io.write import check_suffix
    from dover_plugin.preprocessing.sampling import BRANCHES

    check_new(output)
    check_new(save)
    if output:
        check_suffix(output, (".csv", ".parquet"))
    if save:
        check_suffix(save, (".json",))
    table = read_scores(scores)
    reference = _reference(against, table, scores)
    branches = branches_of(table, scores)
    if missing := [branch for branch in branches if getattr(reference, branch) is None]:
        raise SettingsError(
            f"{reference.name} has no {missing[0]} scores, but '{scores}' has. Score both with the "
            "same --branch."
        )
    for branch in BRANCHES:
        distribution = getattr(reference, branch)
        table[f"{branch}_rank"] = [
            distribution.rank(raw).percentile if branch in branches else None
            for raw in table[f"{branch}_raw"]
        ]
    table["rank_set"] = reference.name
    if save:
        reference.save(save)
    if output:
        write_frame(table, output)
    else:
        columns = ["path", "technical_rank", "aesthetic_rank", "overall"]
        with open_output(None) as stream:
            safe_frame(table[columns]).to_csv(stream, index=False)
    raise typer.Exit(OK)


def _reference(against: str | None, table: "pd.DataFrame", scores: Path) -> "ReferenceSet":
    """The reference set that ``--against`` names, or that of the table itself.

    Raises:
        SettingsError: the set does not exist, or was scored with another model.
    """
    from dover_plugin.batch.tables import branches_of, read_scores
    from dover_plugin.errors import SettingsError
    from dover_plugin.ranks import ReferenceSet, published_sets
    from dover_plugin.text import listed

    model = str(table["model"].iloc[0]) if len(table) else ""
    published = {each.name.lower(): each for each in published_sets()}
    if against and against.lower() in published:
        reference = published[against.lower()]
    elif against and Path(against).suffix == ".json":
        reference = ReferenceSet.load(against)
    elif against and not Path(against).exists():
        names = [each.name for each in published.values()]
        raise SettingsError(f"Unknown reference '{against}'; use {listed(names)}, or a file.")
    else:
        other = read_scores(Path(against)) if against else table
        branches = branches_of(other, Path(against or scores))
        reference = ReferenceSet.of(
            Path(against or scores).stem,
            str(other["model"].iloc[0]) if len(other) else "",
            **{f"{branch}_raw": other[f"{branch}_raw"].tolist() for branch in branches},
        )
    if reference.model != model:
        raise SettingsError(
            f"The videos of {reference.name} were scored with {reference.model}, those of "
            f"'{scores}' with {model or 'no model'}. Score both with one model."
        )
    return reference
