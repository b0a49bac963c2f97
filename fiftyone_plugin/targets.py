"""Which samples of a collection are scored."""

from typing import TYPE_CHECKING, Any

from fiftyone import ViewField as F
from fiftyone.core.collections import SampleCollection

from dover_plugin.errors import SettingsError
from dover_plugin.weights.registry import published
from fiftyone_plugin.fields import has_scores, segments_field, unscored

if TYPE_CHECKING:
    from fiftyone_plugin.moments import Moments

REMOTE = r"(^|/)[a-z][a-z0-9+.-]+:/"  # FiftyOne makes /here/s3:/bucket of s3://bucket


def scorable(samples: SampleCollection, model: str | None = None) -> SampleCollection:
    """The samples as single videos and images; in a grouped dataset those of every slice.

    Args:
        samples: dataset or view.
        model: model that scores them; None also accepts what only some models score.

    Raises:
        SettingsError: there is nothing that the model scores, or the samples are parts of videos.
    """
    if samples._is_dynamic_groups:
        raise SettingsError("This view groups videos by a field. Clear the grouping first.")
    stills = model is None or published(model).trained_on_images
    kinds = {"video", "image"} if stills else {"video"}
    if samples.media_type == "group":
        slices = [s for s, kind in samples.group_media_types.items() if kind in kinds]
        if not slices:
            raise SettingsError(f"No slice of this grouped dataset holds {_nouns(kinds)}.")
        return samples.select_group_slices(slices, _allow_mixed=True)
    if samples._dataset._is_generated:
        raise SettingsError(
            "This view shows parts of videos. Scores belong to whole videos: clear the view first."
        )
    if samples.media_type not in kinds and len(samples):
        hint = " Choose dover-open." if samples.media_type == "image" else ""
        raise SettingsError(
            f"{model or 'DOVER'} scores {_nouns(kinds)}, and this dataset holds "
            f"{samples.media_type}s.{hint or ' Open a dataset of videos.'}"
        )
    return samples


def waiting(
    samples: SampleCollection,
    name: str,
    segments_like: dict[str, Any] | None,
    moments: "Moments | None" = None,
) -> SampleCollection:
    """Samples that a run without overwriting scores.

    Args:
        samples: samples of ``scorable``.
        name: field of scores.
        segments_like: settings of the run if segments or labels are requested. Samples with scores
            of these settings but without segments are scored again, which changes no score.
        moments: labels to score; None for segments of equal length.

    Returns:
        Samples without scores, and those that lack segments or scores of labels.
    """
    if not samples.has_field(name):
        return samples
    if segments_like is None:
        return unscored(samples, name)
    lacking = has_scores(name)
    for setting, value in segments_like.items():
        lacking &= F(f"{name}.{setting}") == value
    if moments:
        lacking &= moments.lacking()
    elif samples.has_field(segments_field(name)):
        lacking &= F(segments_field(name)) == None  # noqa: E711
    return samples.match(~has_scores(name) | lacking)


def _nouns(kinds: set[str]) -> str:
    return "videos and images" if "image" in kinds else "videos"
