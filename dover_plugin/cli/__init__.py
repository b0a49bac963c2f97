"""The command line ``dover``. Each command creates a Scorer and passes videos to it."""

import logging
import os
import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from dover_plugin.cli import (
    calibrate,
    cluster,
    compare,
    diagnose,
    divergence,
    doctor,
    evaluate,
    export,
    fiftyone,
    quality_map,
    rank,
    score,
    timeline,
    train,
    weights,
)
from dover_plugin.cli.common import INTERRUPTED, SOME_FAILED, USAGE
from dover_plugin.cli.examples import add_examples
from dover_plugin.errors import DoverError, VideoError
from dover_plugin.interrupt import Terminated, ending_signals_raise

app = typer.Typer(
    name="dover",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="No-reference video quality: technical, aesthetic and overall scores.",
    epilog="Exit codes: 0 success, 1 a video failed, 2 usage error or missing weights, "
    "3 a limit such as --fail-below is not met, 130 interrupted by Ctrl-C, 143 terminated by "
    "SIGTERM.",
)
SCORE, ANALYSE, TABLES = "Score", "Analyse", "Tables of scores"
TRAINING, SETUP = "Training and evaluation", "Setup"
for _panel, _name, _command in (
    (SCORE, "score", score.score),
    (SCORE, "cluster", cluster.cluster),
    (ANALYSE, "timeline", timeline.timeline),
    (ANALYSE, "compare", compare.compare),
    (ANALYSE, "diagnose", diagnose.diagnose),
    (ANALYSE, "map", quality_map.draw_map),
    (TABLES, "rank", rank.rank),
    (TABLES, "calibrate", calibrate.calibrate),
    (TABLES, "divergence", divergence.divergence),
    (TRAINING, "evaluate", evaluate.evaluate),
    (TRAINING, "train", train.train),
    (SETUP, "doctor", doctor.doctor),
):
    app.command(_name, rich_help_panel=_panel)(_command)
for _name, _group in (("weights", weights.app), ("export", export.app), ("fiftyone", fiftyone.app)):
    app.add_typer(_group, name=_name, rich_help_panel=SETUP, short_help=str(_group.info.help))
add_examples(app)


def main() -> None:
    """Run the command line; an error is one line on standard error."""
    _prepare_streams()
    try:
        with ending_signals_raise():
            app()
    except Terminated as ending:
        print(f"dover: terminated by {ending.name}.", file=sys.stderr)  # noqa: T201
        raise
    except DoverError as error:
        from dover_plugin.text import printable

        print(f"dover: {printable(str(error))}", file=sys.stderr)  # noqa: T201
        sys.exit(SOME_FAILED if isinstance(error, VideoError) else USAGE)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _prepare_streams() -> None:
    """Make the standard streams usable whatever the caller did with them.

    A closed stream, as after ``>&-``, becomes the null device. File names may hold any bytes. Log
    messages of the package go to standard error.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)  # the lowest free number is that of the stream
            os.set_inheritable(null, True)
            setattr(sys, name, os.fdopen(null, "r" if name == "stdin" else "w"))
        stream = getattr(sys, name)
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="surrogateescape")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("dover: %(message)s"))
    logging.getLogger("dover_plugin").addHandler(handler)


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
