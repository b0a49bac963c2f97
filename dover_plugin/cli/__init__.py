"""The command ``dover``. Each command is thin: it makes a Scorer and hands it videos."""

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from dover_plugin.cli import (
    compare,
    doctor,
    evaluate,
    export,
    fiftyone,
    maps,
    score,
    sets,
    timeline,
    train,
    weights,
)
from dover_plugin.cli.common import INTERRUPTED, USAGE
from dover_plugin.errors import DoverError

app = typer.Typer(
    name="dover",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Score the quality of videos without a reference: technical, aesthetic, overall.",
    epilog="Exit codes: 0 all is well, 1 some video failed, 2 wrong use or missing weights, "
    "3 a transcode below --fail-below, 130 stopped by Ctrl-C.",
)
app.command()(score.score)
app.command()(timeline.timeline)
app.command()(compare.compare)
app.command("map")(maps.draw)
app.command()(sets.rank)
app.command()(sets.calibrate)
app.command()(sets.divergence)
app.command()(evaluate.evaluate)
app.command()(train.train)
app.command()(doctor.doctor)
app.add_typer(weights.app, name="weights")
app.add_typer(export.app, name="export")
app.add_typer(fiftyone.app, name="fiftyone")


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="surrogateescape")  # names of files may be any bytes
    try:
        app()
    except DoverError as error:
        from dover_plugin.text import printable

        print(f"dover: {printable(str(error))}", file=sys.stderr)  # noqa: T201
        sys.exit(USAGE)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _version(show: bool) -> None:
    if show:
        from dover_plugin import __version__

        typer.echo(f"dover {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass
