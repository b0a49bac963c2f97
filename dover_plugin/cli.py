"""The command ``dover``. Each command is thin: it makes a Scorer and hands it videos."""

import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from dover_plugin.errors import DoverError

if TYPE_CHECKING:
    from rich.progress import Progress

    from dover_plugin.download import Progress as DownloadProgress
    from dover_plugin.scores import Result
    from dover_plugin.weights import Consent, Published

OK, SOME_FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="dover",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Score the quality of videos without a reference: technical, aesthetic, overall.",
    epilog="Exit codes: 0 all is well, 1 some video failed, 2 wrong use or missing weights.",
)
weights_app = typer.Typer(
    no_args_is_help=True, help="List, download, verify and convert model weights."
)
app.add_typer(weights_app, name="weights")
fiftyone_app = typer.Typer(no_args_is_help=True, help="Put the FiftyOne plugin in place.")
app.add_typer(fiftyone_app, name="fiftyone")

Model = Annotated[
    str, typer.Option("--model", "-m", help="dover, dover-mobile or dover++.", show_default=True)
]
Accept = Annotated[
    bool, typer.Option("--accept-license", help="Accept the licence of weights to download.")
]


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # 'dover score ... | head' ends quietly
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="surrogateescape")  # names of files may be any bytes
    try:
        app()
    except DoverError as error:
        from dover_plugin.output import printable

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


@app.command()
def score(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Videos, or folders of videos.")
    ],
    model: Model = "dover-mobile",
    weights: Annotated[
        Path | None, typer.Option(help="A file of weights in place of the published ones.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    engine: Annotated[str, typer.Option(help="auto or torch.")] = "auto",
    precision: Annotated[
        str, typer.Option(help="float32, or on CUDA float16 or bfloat16.")
    ] = "float32",
    fusion: Annotated[
        str | None,
        typer.Option(
            help="matched, reference, or a calibration file.", show_default="the model's best"
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Draw frames at random.", show_default="centred frames")
    ] = None,
    repeats: Annotated[int, typer.Option(help="Average this many random draws.")] = 1,
    decoder: Annotated[str, typer.Option(help="auto, decord or pyav.")] = "auto",
    ranks: Annotated[
        bool, typer.Option("--ranks", help="Rank among published sets of videos (dover only).")
    ] = False,
    output_format: Annotated[
        Literal["table", "json", "csv"],
        typer.Option("--format", "-f", help="json is one object per line."),
    ] = "table",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write here.", show_default="standard output"),
    ] = None,
    accept_license: Accept = False,
) -> None:
    """Score videos. Results go to standard output, all else to standard error."""
    from dover_plugin import weights as published
    from dover_plugin.calibration import choose
    from dover_plugin.errors import SettingsError
    from dover_plugin.files import find_videos
    from dover_plugin.output import WRITERS

    if ranks and model != "dover":
        raise SettingsError(
            f"The published sets were scored with dover, so {model} has no ranks in them. "
            "Leave out --ranks, or use --model dover."
        )
    choose(fusion, published.published(model).model)
    videos = list(find_videos(paths))
    if output and output.exists():
        raise SettingsError(f"'{output}' exists. Name another file for --output, or delete it.")
    with _progress() as bar:
        file = published.find(
            model, weights, consent=_consent(accept_license), progress=_download_bar(bar)
        )
        from dover_plugin.scorer import Scorer  # imports torch

        scorer = Scorer(
            model,
            device,
            weights=file,
            fusion=fusion,
            seed=seed,
            repeats=repeats,
            engine=engine,
            precision=precision,
            decoder=decoder,
        )
        failures: list[Result] = []
        results = _watch(
            bar.track(scorer.score_many(videos), len(videos), description="scoring"), failures
        )
        with _stream(output) as stream:
            WRITERS[output_format](results, stream, ranks)
    if failures and (output or output_format != "table"):
        for failure in failures:
            typer.echo(f"dover: {failure.error}", err=True)
    raise typer.Exit(SOME_FAILED if failures else OK)


@app.command()
def doctor() -> None:
    """Check this machine: versions, devices, decoders, weights, cache."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dover_plugin.doctor import examine

    colours = {"ok": "green", "off": "yellow", "broken": "red"}
    table = Table(box=None, show_header=False, pad_edge=False)
    broken = False
    with _progress() as bar:
        for check in bar.track(examine(), description="examining"):
            broken |= check.state == "broken"
            remedy = Text(f"-> {check.remedy}" if check.remedy else "", style="dim")
            detail = Text(check.detail) + Text(" ") + remedy
            table.add_row(Text(check.state, style=colours[check.state]), check.name, detail)
    Console().print(table)
    raise typer.Exit(SOME_FAILED if broken else OK)


@weights_app.command("list")
def list_weights() -> None:
    """Show what is published, and what is on this machine."""
    from rich.console import Console
    from rich.table import Table

    from dover_plugin.weights import PUBLISHED, cached

    table = Table("model", "here", "size", "what", "licence", box=None, pad_edge=False)
    for row in PUBLISHED:
        here = "yes" if cached(row.model).exists() else "no"
        table.add_row(row.model, here, f"{row.size / 1e6:.0f} MB", row.note, row.licence)
    Console().print(table)


@weights_app.command("download")
def download_weights(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Names from the list.")],
    accept_license: Accept = False,
) -> None:
    """Download published weights into the cache, after consent to their licence."""
    from dover_plugin.weights import find, published

    for model in models:
        published(model)
    for model in models:
        with _progress() as bar:
            file = find(model, consent=_consent(accept_license), progress=_download_bar(bar))
        typer.echo(f"{model}: {file}")


@weights_app.command("verify")
def verify_weights(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Names from the list.", show_default="all here"),
    ] = None,
) -> None:
    """Check downloaded weights against their published hash."""
    from dover_plugin.weights import MODELS, cache_dir, cached, verify

    here = [model for model in MODELS if cached(model).exists()]
    if not (models or here):
        typer.echo(f"No published weights are in '{cache_dir()}'.", err=True)
    for model in models or here:
        typer.echo(f"{model}: {verify(model)}")


@weights_app.command("convert")
def convert_weights(
    source: Annotated[Path, typer.Argument(help="A .pth or .safetensors file of any layout.")],
    target: Annotated[Path, typer.Argument(help="The .safetensors file to write.")],
    model: Model = "dover-mobile",
) -> None:
    """Convert weights to safetensors, noting the source's hash."""
    from dover_plugin.weights import convert, find

    convert(find(model, source), target, model)
    typer.echo(f"{target}")


@fiftyone_app.command("install")
def install_fiftyone_plugin(
    plugins_dir: Annotated[
        Path | None,
        typer.Option(help="Where FiftyOne looks.", show_default="FiftyOne's plugins_dir"),
    ] = None,
) -> None:
    """Install the plugin @dover/quality for FiftyOne's App; again after an upgrade."""
    from fiftyone_plugin.install import install

    typer.echo(f"{install(plugins_dir)}")


@fiftyone_app.callback()
def _fiftyone() -> None:
    pass


def _consent(accepted: bool) -> "Consent":
    """Accepted by option, by environment, or on a terminal by answer."""

    def ask(row: "Published") -> bool:
        from dover_plugin.weights import consent_by_environment

        if accepted or consent_by_environment(row):
            return True
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        typer.echo(f"The weights of {row.model} are under the {row.licence}.", err=True)
        return typer.confirm(f"Accept, and download {row.size / 1e6:.0f} MB?", err=True)

    return ask


@contextmanager
def _progress() -> "Iterator[Progress]":
    """Bars on standard error while a terminal watches, nothing otherwise."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),
    ) as progress:
        yield progress


def _download_bar(progress: "Progress") -> "DownloadProgress":
    task = progress.add_task("downloading (MB)", total=None, visible=False)

    def show(done: int, total: int | None) -> None:
        megabytes = total // 1_000_000 if total else None
        progress.update(task, completed=done // 1_000_000, total=megabytes, visible=True)

    return show


@contextmanager
def _stream(output: Path | None) -> Iterator[TextIO]:
    from dover_plugin.errors import SettingsError

    try:
        if output is None:
            yield sys.stdout
            sys.stdout.flush()
        else:
            with output.open("x", newline="", errors="surrogateescape") as file:
                yield file
    except OSError as error:
        target = f"'{output}'" if output else "the results"
        raise SettingsError(f"Cannot write {target}: {error.strerror}.") from None


def _watch(results: "Iterable[Result]", failures: "list[Result]") -> "Iterator[Result]":
    for result in results:
        if result.error:
            failures.append(result)
        yield result
