"""What the commands share: options, bars, consent, output."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from dover_plugin.weights.registry import MODELS

if TYPE_CHECKING:
    from rich.progress import Progress

    from dover_plugin.scorer import Scorer
    from dover_plugin.weights.download import Progress as DownloadProgress
    from dover_plugin.weights.registry import Published
    from dover_plugin.weights.store import Consent

OK, SOME_FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
PICTURES = (".png", ".svg", ".pdf")

Model = Annotated[
    str, typer.Option("--model", "-m", help=f"{', '.join(MODELS)}.", show_default=True)
]
Weights = Annotated[
    Path | None, typer.Option(help="A file of weights in place of the published ones.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
Engine = Annotated[str, typer.Option(help="auto, torch, openvino or onnxruntime.")]
Precision = Annotated[
    str, typer.Option(help="float32; float16 or bfloat16 on CUDA; bfloat16 with openvino.")
]
Fusion = Annotated[
    str | None,
    typer.Option(
        help="matched, reference, or a calibration file.", show_default="the model's best"
    ),
]
Seed = Annotated[
    int | None, typer.Option(help="Draw frames at random.", show_default="centred frames")
]
Repeats = Annotated[int, typer.Option(help="Average this many random draws.")]
Decoder = Annotated[str, typer.Option(help="auto, decord or pyav.")]
Accept = Annotated[
    bool, typer.Option("--accept-license", help="Accept the licence of weights to download.")
]


def check_new(path: Path | None, suffixes: tuple[str, ...] = ()) -> None:
    """Raise SettingsError unless a file can be written there, before hours are spent on it."""
    from dover_plugin.errors import SettingsError

    if path is None:
        return
    if suffixes and path.suffix.lower() not in suffixes:
        raise SettingsError(f"'{path}' is none of {', '.join(suffixes)}. Name such a file.")
    if path.exists():
        raise SettingsError(f"'{path}' exists. Name another file, or delete it.")
    if not path.absolute().parent.is_dir():
        raise SettingsError(f"'{path}' lies in a folder that is not there. Make it first.")
    if suffixes:
        need_extra("report", ["jinja2", "matplotlib", "plotly", "PIL"])


def need_extra(extra: str, packages: list[str]) -> None:
    """Raise SettingsError unless the packages that a command needs are installed."""
    from importlib.util import find_spec

    from dover_plugin.errors import SettingsError

    missing = [name for name in packages if not find_spec(name)]
    if missing:
        first, *more = extra.split()
        wanted = " ".join([f"'dover-plugin[{first}]'", *more])
        raise SettingsError(
            f'This needs {", ".join(missing)}. Install with "pip install {wanted}".'
        )


def consent(accepted: bool) -> "Consent":
    """Accepted by option, by environment, or on a terminal by answer."""

    def ask(row: "Published") -> bool:
        from dover_plugin.weights.store import consent_by_environment

        if accepted or consent_by_environment(row):
            return True
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        typer.echo(f"The weights of {row.model} are under the {row.licence}.", err=True)
        return typer.confirm(f"Accept, and download {row.size / 1e6:.0f} MB?", err=True)

    return ask


@contextmanager
def progress_bars() -> "Iterator[Progress]":
    """Bars on standard error while a terminal watches, nothing otherwise."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Remaining(),
    )
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),
    ) as progress:
        yield progress


def download_bar(progress: "Progress") -> "DownloadProgress":
    """A bar of megabytes, shown once a download begins."""
    task = progress.add_task("downloading (MB)", total=None, visible=False)

    def show(done: int, total: int | None) -> None:
        megabytes = total // 1_000_000 if total else None
        progress.update(task, completed=done // 1_000_000, total=megabytes, visible=True)

    return show


def load_scorer(
    bars: "Progress", model: str, weights: Path | None, accept_license: bool, **settings: Any
) -> "Scorer":
    """A scorer whose weights are asked for, downloaded and loaded under bars.

    Args:
        bars: where it is shown.
        model: a name of the table of weights.
        weights: a file in its place.
        accept_license: without asking.
        settings: the others of Scorer.
    """
    from dover_plugin.calibration import choose
    from dover_plugin.weights.registry import published
    from dover_plugin.weights.store import find

    choose(settings.get("fusion"), published(model).model)
    file = find(model, weights, consent=consent(accept_license), progress=download_bar(bars))
    loading = bars.add_task("loading the networks", total=None)
    from dover_plugin.scorer import Scorer  # imports torch

    scorer = Scorer(model, weights=file, **settings)
    bars.remove_task(loading)
    return scorer


@contextmanager
def open_output(output: Path | None) -> Iterator[TextIO]:
    """The file to write results to, or standard output."""
    from dover_plugin.errors import SettingsError

    try:
        if output is None:
            yield sys.stdout
            sys.stdout.flush()
        else:
            with output.open("x", newline="", errors="surrogateescape") as file:
                yield file
    except BrokenPipeError:  # '| head', which ends it quietly
        raise
    except OSError as error:
        target = f"'{output}'" if output else "the results"
        raise SettingsError(f"Cannot write {target}: {error.strerror}.") from None
