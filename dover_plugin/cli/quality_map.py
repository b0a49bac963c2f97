"""The command ``dover map``."""

from pathlib import Path
from typing import Annotated

import typer

from dover_plugin.cli.common import (
    OK,
    check_new,
    progress_bars,
)
from dover_plugin.cli.options import NetworkOptions, expand_options


@expand_options
def draw_map(
    video: Annotated[Path, typer.Argument(help="Video to score.")],
    model: NetworkOptions,
    output: Annotated[Path, typer.Option("--output", "-o", help="Output .png or .mp4 file.")],
) -> None:
    """Draw a heat map of local quality over a frame or over the whole video."""
    from dover_plugin.errors import SettingsError
    from dover_plugin.io.open import open_source

    check_new(output, (".png", ".mp4"))
    source = open_source(video, model.decoder)
    with progress_bars() as bars:
        scorer = model.load_scorer(bars)
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
