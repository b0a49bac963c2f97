"""The command ``dover map``."""

from pathlib import Path
from typing import Annotated

import typer

from dover_plugin.cli.common import (
    OK,
    Accept,
    Decoder,
    Device,
    Engine,
    Model,
    Weights,
    check_new,
    load_scorer,
    progress_bars,
)
from dover_plugin.weights.registry import DEFAULT_MODEL


def draw(
    video: Annotated[Path, typer.Argument(help="A video.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .png or an .mp4 file.")],
    model: Model = DEFAULT_MODEL,
    weights: Weights = None,
    device: Device = "auto",
    engine: Engine = "auto",
    decoder: Decoder = "auto",
    accept_license: Accept = False,
) -> None:
    """Draw where in the picture quality is low, over a frame or the whole video."""
    from dover_plugin.errors import SettingsError
    from dover_plugin.io.open import open_source

    check_new(output, (".png", ".mp4"))
    source = open_source(video, decoder)
    with progress_bars() as bars:
        scorer = load_scorer(
            bars, model, weights, accept_license, device=device, engine=engine, decoder=decoder
        )
        scores = scorer.score(source)
        if scores.maps is None:
            raise SettingsError(f"'{video}' has scores without maps.")
        from dover_plugin.analysis.quality_map import draw_maps, middle_frame

        if output.suffix == ".png":
            try:
                output.write_bytes(draw_maps(scores.maps, middle_frame(source)))
            except OSError as error:
                raise SettingsError(f"Cannot write '{output}': {error.strerror}.") from None
        else:
            from dover_plugin.analysis.quality_map_video import write_map_video
            from dover_plugin.preprocessing.sampling import draw as choose

            info = source.info
            task = bars.add_task("drawing", total=info.num_frames)
            write_map_video(
                scores.maps,
                choose(info.num_frames, info.height, info.width),
                source,
                output,
                lambda done, _: bars.update(task, completed=done),
            )
    raise typer.Exit(OK)
