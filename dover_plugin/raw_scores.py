"""From the maps of the networks to raw scores, and what to warn of beside a score."""

from collections.abc import Callable, Iterator, Sequence

from dover_plugin import calibration
from dover_plugin.calibration import Calibration
from dover_plugin.errors import VideoError
from dover_plugin.io.source import VideoInfo
from dover_plugin.preprocessing.bars import Part
from dover_plugin.scores import Maps, Raw, Settings
from dover_plugin.weights.registry import published


def raw_scores(maps: Maps, path: str | None) -> Raw:
    """The mean of each map.

    Raises:
        VideoError: a mean is not a finite number.
    """
    means = {branch: float(getattr(maps, branch).mean(dtype=float)) for branch in maps.branches}
    if not all(abs(value) < float("inf") for value in means.values()):
        raise VideoError(
            f"The network output for '{path}' is not finite "
            f"({' and '.join(map(str, means.values()))}). Use precision float32, and check the "
            "weights with 'dover weights verify'."
        )
    return Raw(means.get("technical"), means.get("aesthetic"))


def over_repeats(statistic: Callable[[list[float]], float], raws: Sequence[Raw]) -> Raw:
    """A statistic of each branch over the repeats; None for a branch that was not run."""
    values = ([value for value in each if value is not None] for each in zip(*raws, strict=True))
    return Raw(*(statistic(each) if each else None for each in values))


def warnings_of(
    info: VideoInfo, settings: Settings, used: Calibration, part: Part | None
) -> Iterator[str]:
    """Reasons to trust a score less that follow from the length and size of the video.

    Args:
        info: of the video.
        settings: of the score.
        used: calibration of the score.
        part: rows and columns of the frames that the technical view shows; None for all.
    """
    uncalibrated = calibration.warning(used, settings.model)
    if uncalibrated:
        yield uncalibrated
    model = published(settings.model)
    rule = model.sampling
    if info.num_frames == 1:
        if not model.trained_on_images:
            yield f"only 1 frame, and {settings.model} was trained on video, not on images"
    elif info.num_frames < rule.clip_len:
        yield f"only {info.num_frames} frames, which the model sees repeatedly"
    height, width = (each.stop - each.start for each in part) if part else (info.height, info.width)
    if "technical" in settings.branches and min(height, width) < rule.view:
        inside = "" if (height, width) == (info.height, info.width) else " inside black bars"
        yield (
            f"frames of {width}x{height}{inside} are enlarged to a short side of {rule.view} "
            "before fragments are cut"
        )
