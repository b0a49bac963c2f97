"""The command ``dover map``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dover_plugin.cli.common import OK, check_new, progress_bars
from dover_plugin.cli.model_options import NetworkOptions
from dover_plugin.cli.options import OUTPUT, expand_options

if TYPE_CHECKING:
    from rich.progress import Progress

    from dover_plugin.io.source import FrameSource
    from dover_plugin.preprocessing.sampling_rule import SamplingRule
    from dover_plugin.scores import Maps


@expand_options
def draw_map(
    video: Annotated[str, typer.Argument(help="Video to score.")],
    model: NetworkOptions,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Output .png or .mp4 file.", rich_help_panel=OUTPUT),
    ],
) -> None:
    """Draw a heat map of local quality over a frame or over the whole video."""
    check_new(output, (".png", ".mp4"))
    source = model.open_video(video)
    with progress_bars() as bars:
        scorer = model.load_scorer(bars)
        maps = scorer.score(source).maps
        if maps is not None:
            _write(maps, scorer.read_options.rule, source, output, bars)
    raise typer.Exit(OK)


def _write(
    maps: "Maps", rule: "SamplingRule", source: "FrameSource", output: Path, bars: "Progress"
) -> None:
    """Draw the maps of a video into a .png or .mp4 file."""
    from dover_plugin.errors import SettingsError

    if output.suffix.lower() == ".png":
        from dover_plugin.analysis.quality_map import draw_maps, middle_frame

        try:
            output.write_bytes(draw_maps(maps, middle_frame(source)))
        except OSError as error:
            raise SettingsError(f"Cannot write '{output}': {error.strerror}.") from None
        return
    from dover_plugin.analysis.quality_map_video import write_map_video
    from dover_plugin.preprocessing.sampling import draw as choose

    info = source.info
    task = bars.add_task("drawing", total=info.num_frames)
    write_map_video(
        maps,
        choose(info.num_frames, info.height, info.width, rule=rule),
        source,
        output,
        lambda done, _: bars.update(task, completed=done),
    )
