"""The command ``dover divergence``."""

from pathlib import Path
from typing import Annotated

import typer

from dover_plugin.cli.common import OK, PICTURES, check_new
from dover_plugin.cli.options import OUTPUT, ScoresTable
from dover_plugin.text import printable

PLOT = "Plot"


def divergence(
    scores: ScoresTable,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Plot to write: .png, .svg or .pdf.",
            rich_help_panel=OUTPUT,
        ),
    ],
    pairs: Annotated[
        Path | None,
        typer.Option(help="Write the extreme pairs to this .csv file.", rich_help_panel=OUTPUT),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            help="Draw frames of the pairs into a .png, .svg or .pdf file.", rich_help_panel=OUTPUT
        ),
    ] = None,
    count: Annotated[
        int, typer.Option(min=1, help="Number of pairs per branch.", rich_help_panel=PLOT)
    ] = 5,
    colour: Annotated[
        str,
        typer.Option(help="Column that sets the colour of the points.", rich_help_panel=PLOT),
    ] = "overall",
) -> None:
    """Plot videos on which the two branches disagree, and list extreme pairs."""
    check_new(output, PICTURES)  # before the imports below, which need matplotlib
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
            f"equal {pair.equal} rank ({100 * pair.level:.0f} %), {100 * pair.apart:.0f} % apart "
            f"in the other branch: {printable(pair.better)} above {printable(pair.worse)}"
        )
    raise typer.Exit(OK)
