"""Exit codes, progress bars, consent and output files, shared by the commands."""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from dover_plugin.weights.download import Progress as DownloadProgress
    from dover_plugin.weights.registry import Published
    from dover_plugin.weights.store import Consent

OK, SOME_FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
BELOW = 3  # a video or a transcode misses a limit that the user set
PICTURES = (".png", ".svg", ".pdf")


def check_new(path: Path | None, suffixes: tuple[str, ...] = ()) -> None:
    """Raise SettingsError unless a new file can be written to ``path``.

    Commands call it before hours of work are spent.
    """
    from dover_plugin.errors import SettingsError
    from dover_plugin.io.write import check_suffix

    if path is None:
        return
    if suffixes:
        check_suffix(path, suffixes)
    if path.exists():
        raise SettingsError(f"'{path}' exists. Choose another file name, or delete the file.")
    if not path.absolute().parent.is_dir():
        raise SettingsError(f"Directory '{path.parent}' does not exist. Create it first.")
    if suffixes:
        need_extra("report", ["jinja2", "matplotlib", "plotly", "PIL"])


def check_gate(limit: float | None, statistic: str | None) -> str:
    """The statistic that --fail-below applies to.

    Raises:
        SettingsError: the limit is not a finite number, or a statistic is given without a limit.
    """
    from dover_plugin.errors import SettingsError

    if limit is not None and not math.isfinite(limit):
        raise SettingsError(f"--fail-below must be a finite number, got {limit}.")
    if statistic and limit is None:
        raise SettingsError("--fail-stat needs a limit. Add --fail-below, or omit --fail-stat.")
    return statistic or "mean"


def need_extra(extra: str, packages: list[str]) -> None:
    """Raise SettingsError unless the packages that a command needs are installed."""
    from importlib.util import find_spec

    from dover_plugin.errors import SettingsError

    missing = [name for name in packages if not find_spec(name)]
    if missing:
        first, *more = extra.split()
        wanted = " ".join([f"'dover-plugin[{first}]'", *more])
        raise SettingsError(
            f'This command needs {", ".join(missing)}. Install with "pip install {wanted}".'
        )


def consent(accepted: bool) -> "Consent":
    """Consent to a license: by option, by environment variable, or by an answer on a terminal."""

    def ask(row: "Published") -> bool:
        from dover_plugin.weights.store import consent_by_environment

        if accepted or consent_by_environment(row):
            return True
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        typer.echo(f"License of the {row.model} weights: {row.license}.", err=True)
        return typer.confirm(f"Accept the license and download {row.size / 1e6:.0f} MB?", err=True)

    return ask


@contextmanager
def progress_bars() -> "Iterator[Progress]":
    """Progress bars on standard error; nothing is shown unless it is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Remaining(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),
    ) as progress:
        yield progress


def download_bar(progress: "Progress") -> "DownloadProgress":
    """A bar in megabytes that appears when a download begins."""
    task = progress.add_task("downloading (MB)", total=None, visible=False)

    def show(done: int, total: int | None) -> None:
        megabytes = total // 1_000_000 if total else None
        progress.update(task, completed=done // 1_000_000, total=megabytes, visible=True)

    return show


@contextmanager
def open_output(output: Path | None) -> Iterator[TextIO]:
    """The file to write results to, or standard output.

    Raises:
        SettingsError: writing fails, for example because the disk is full.
    """
    from dover_plugin.errors import SettingsError

    try:
        if output is None:
            yield sys.stdout
            sys.stdout.flush()
        else:
            with output.open("x", newline="", encoding="utf-8", errors="surrogateescape") as file:
                yield file
    except BrokenPipeError:  # '| head' ends the command without a message
        raise
    except OSError as error:
        target = f"'{output}'" if output else "the results"
        raise SettingsError(f"Cannot write {target}: {error.strerror}.") from None
