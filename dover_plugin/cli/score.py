"""The command ``dover score``."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dover_plugin.cli.common import (
    OK,
    SOME_FAILED,
    Accept,
    Model,
    consent,
    download_bar,
    open_output,
    progress_bars,
)
from dover_plugin.published import DEFAULT_MODEL

if TYPE_CHECKING:
    from dover_plugin.scores import Result


def score(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Videos, or folders of videos.")
    ],
    model: Model = DEFAULT_MODEL,
    weights: Annotated[
        Path | None, typer.Option(help="A file of weights in place of the published ones.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    engine: Annotated[str, typer.Option(help="auto, torch, openvino or onnxruntime.")] = "auto",
    precision: Annotated[
        str, typer.Option(help="float32; float16 or bfloat16 on CUDA; bfloat16 with openvino.")
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
    from dover_plugin.calibration import choose
    from dover_plugin.errors import SettingsError
    from dover_plugin.files import find_videos
    from dover_plugin.output import WRITERS
    from dover_plugin.published import published
    from dover_plugin.weights import find

    if ranks and model != "dover":
        raise SettingsError(
            f"The published sets were scored with dover, so {model} has no ranks in them. "
            "Leave out --ranks, or use --model dover."
        )
    choose(fusion, published(model).model)
    videos = list(find_videos(paths))
    if output and output.exists():
        raise SettingsError(f"'{output}' exists. Name another file for --output, or delete it.")
    with progress_bars() as bar:
        file = find(model, weights, consent=consent(accept_license), progress=download_bar(bar))
        loading = bar.add_task("loading the networks", total=None)
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
        bar.remove_task(loading)
        failures: list[Result] = []
        results = _watch(
            bar.track(scorer.score_many(videos), len(videos), description="scoring"), failures
        )
        with open_output(output) as stream:
            WRITERS[output_format](results, stream, ranks)
    if failures and (output or output_format != "table"):
        for failure in failures:
            typer.echo(f"dover: {failure.error}", err=True)
    raise typer.Exit(SOME_FAILED if failures else OK)


def _watch(results: "Iterable[Result]", failures: "list[Result]") -> "Iterator[Result]":
    for result in results:
        if result.error:
            failures.append(result)
        yield result
