"""The commands on tables of scores: ``dover rank``, ``dover calibrate``, ``dover divergence``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dover_plugin.cli.common import OK, PICTURES, check_new

if TYPE_CHECKING:
    import pandas as pd

    from dover_plugin.ranks import ReferenceSet

Table = Annotated[
    Path, typer.Argument(metavar="SCORES", help="A .jsonl, .csv or .parquet of 'dover score'.")
]


def rank(
    scores: Table,
    against: Annotated[
        str | None,
        typer.Option(
            help="A published set (dover only), a reference set, or another table of scores.",
            show_default="the table itself",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write a .csv or .parquet.", show_default="CSV, standard output"
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Keep what was ranked against as a reference set, .json.")
    ] = None,
) -> None:
    """Rank each video of a table among those of a set, by each side, in percent."""
    import sys

    from dover_plugin.batch.tables import read_scores, write_frame

    check_new(output)
    check_new(save)
    table = read_scores(scores)
    reference = _reference(against, table, scores)
    for side in ("technical", "aesthetic"):
        places = getattr(reference, side)
        table[f"{side}_rank"] = [places.rank(raw).better_than for raw in table[f"{side}_raw"]]
    table["rank_set"] = reference.name
    if save:
        reference.save(save)
    if output:
        write_frame(table, output)
    else:
        columns = ["path", "technical_rank", "aesthetic_rank", "overall"]
        table[columns].to_csv(sys.stdout, index=False)
    raise typer.Exit(OK)


def calibrate(
    scores: Table,
    output: Annotated[Path, typer.Option("--output", "-o", help="A .json for --fusion.")],
) -> None:
    """Measure the constants of the fusion on your own videos: 0.5 becomes their mean."""
    from dover_plugin.batch.tables import read_scores
    from dover_plugin.calibration import Calibration
    from dover_plugin.errors import SettingsError

    check_new(output)
    if output.stem in ("matched", "reference"):
        raise SettingsError(
            f"Constants named '{output.stem}' would pass for the published ones. Name another file."
        )
    table = read_scores(scores)
    found = Calibration.fit(
        output.stem, table["technical_raw"].tolist(), table["aesthetic_raw"].tolist()
    )
    found.save(output)
    typer.echo(f"{output}: constants of {len(table)} videos; use it with --fusion {output}")
    raise typer.Exit(OK)


def divergence(
    scores: Table,
    output: Annotated[Path, typer.Option("--output", "-o", help="The map: .png, .svg, .pdf.")],
    pairs: Annotated[Path | None, typer.Option(help="Write a .csv of pairs.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="Draw the pairs: .png, .svg, .pdf.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Pairs of each side.")] = 5,
    colour: Annotated[
        str, typer.Option(help="Column that points are coloured by, as overall or your mos.")
    ] = "overall",
) -> None:
    """Draw where the two sides disagree, and find pairs that one of them calls equal."""
    check_new(output, PICTURES)  # before what follows, which needs matplotlib
    check_new(pairs, (".csv",))
    check_new(pictures, PICTURES)
    from dover_plugin.analysis.divergence import extreme_pairs
    from dover_plugin.batch.tables import read_scores, write_frame
    from dover_plugin.reporting.divergence_plots import draw_divergence, draw_pairs
    from dover_plugin.reporting.style import save_figure

    table = read_scores(scores)
    found = extreme_pairs(table, count)
    save_figure(draw_divergence(table, colour, scores.name), output)
    if pairs:
        import pandas as pd

        write_frame(pd.DataFrame([vars(pair) for pair in found]), pairs)
    if pictures:
        save_figure(draw_pairs(found), pictures)
    for pair in found:
        typer.echo(
            f"equal in {pair.equal} ({100 * pair.level:.0f} %), {100 * pair.apart:.0f} % apart "
            f"in the other: {pair.better} above {pair.worse}"
        )
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
