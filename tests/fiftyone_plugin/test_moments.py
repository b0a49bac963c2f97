"""Labels of a user, and the clips of a clips view, as segments that are scored."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fo_helpers import form, text

from dover_plugin import Scorer, open_source
from dover_plugin.analysis.segments import Segment
from dover_plugin.errors import SettingsError

SUPPORTS = ([1, 25], [11, 40], [30, 999], [400, 500])  # the clips have 50 frames


@pytest.fixture
def labelled(fo: Any, folder: Path) -> Iterator[Any]:
    """A video with labels, one without, and a broken one with labels."""
    dataset = fo.Dataset()
    for name in ("320x240_crf18", "320x240_crf48", "broken"):
        sample = fo.Sample(str(folder / f"{name}.mp4"))
        if name != "320x240_crf48":
            sample["events"] = fo.TemporalDetections(
                detections=[fo.TemporalDetection(label="jump", support=s) for s in SUPPORTS]
            )
            sample["event"] = fo.TemporalDetection(label="jump", support=[5, 30])
        dataset.add_sample(sample)
    yield dataset
    dataset.delete()


def run(samples: Any, scorer: Scorer, **options: Any) -> Any:
    from fiftyone_plugin.scoring import score

    *_, summary = score(samples, scorer, "dover", **options)
    return summary


def expected(scorer: Scorer, path: str, *segments: tuple[int, int]) -> list[float | None]:
    source = open_source(path)
    parts = scorer.timeline(source, segments=[Segment(*s) for s in segments])
    return [part.scores.overall for part in parts]


def test_labels_hold_the_scores_of_their_segments(labelled: Any, bundled: Scorer) -> None:
    summary = run(labelled, bundled, labels="events")
    assert (summary.scored, summary.failed) == (2, 1)
    first, second, broken = labelled
    scores = [each.dover_overall for each in first.events.detections]
    assert scores == [*expected(bundled, first.filepath, (0, 25), (10, 40), (29, 50)), None]
    assert first.dover.overall == bundled.score(first.filepath).overall
    assert second.dover.overall is not None
    assert second.events is None
    assert broken.dover.error
    assert all(each.dover_overall is None for each in broken.events.detections)
    assert labelled.get_field("events.detections.dover_technical").description
    assert not labelled.has_field("dover_segments")


def test_a_second_run_scores_labels_that_lack_scores(
    labelled: Any, fo: Any, bundled: Scorer
) -> None:
    good = labelled[:2].clone()
    for sample in good.iter_samples(autosave=True):
        if sample.events:
            sample.events.detections = sample.events.detections[:3]
    run(good, bundled, segment_seconds=1)
    segments = good.values("dover_segments.detections.overall")
    assert run(good, bundled, labels="events").total == 1
    assert good.values("dover_segments.detections.overall") == segments
    assert run(good, bundled, labels="events").total == 0
    sample = good.first()
    sample.events.detections.append(fo.TemporalDetection(label="new", support=[1, 9]))
    sample.save()
    assert run(good, bundled, labels="events").total == 1
    good.reload()
    assert 0 <= good.first().events.detections[-1].dover_overall <= 1
    good.delete()


def test_a_field_of_one_label(labelled: Any, bundled: Scorer) -> None:
    run(labelled, bundled, labels="event")
    sample = labelled.first()
    assert [sample.event.dover_overall] == expected(bundled, sample.filepath, (4, 30))
    assert labelled.values("event.dover_overall")[1:] == [None, None]


def test_clips_are_scored_alone(labelled: Any, bundled: Scorer) -> None:
    clips = labelled.limit(2).to_clips("events")
    some = clips[1:3]  # both of the first video
    assert run(some, bundled).total == 1
    scores = labelled.first().events.detections
    wanted = expected(bundled, labelled.first().filepath, (10, 40), (29, 50))
    assert [each.get_attribute_value("dover_overall", None) for each in scores] == [
        None,
        *wanted,
        None,
    ]
    assert some.values("events.dover_overall") == wanted
    assert labelled.count("dover.overall") == 1
    assert run(some, bundled).total == 0
    assert run(clips, bundled).total == 1


def test_what_cannot_be_scored(labelled: Any, bundled: Scorer) -> None:
    from fiftyone import ViewField as F

    with pytest.raises(SettingsError, match="do not come from a field"):
        run(labelled.to_clips([[[1, 5]], [[1, 9]], []]), bundled)
    with pytest.raises(SettingsError, match="'tags' is no field of temporal detections"):
        run(labelled, bundled, labels="tags")
    with pytest.raises(SettingsError, match="cannot be scored in one run"):
        run(labelled, bundled, labels="events", segment_seconds=1)
    with pytest.raises(SettingsError, match="cannot be scored in one run"):
        run(labelled.to_clips("events"), bundled, segment_seconds=1)
    run(labelled.match(F("filepath").ends_with("18.mp4")), bundled, segment_seconds=1)
    with pytest.raises(SettingsError, match="'dover_segments' is no field"):
        run(labelled, bundled, labels="dover_segments")
    with pytest.raises(SettingsError, match="The clips of 'dover_segments' have scores"):
        run(labelled.to_clips("dover_segments"), bundled)


def test_the_form_offers_the_fields_and_counts_labels(labelled: Any) -> None:
    fields = form("score_videos", labelled)
    assert fields["labels"]["default"] == "none"
    assert form("score_videos", labelled, {"labels": "none"})["count"] == fields["count"]
    chosen = form("score_videos", labelled, {"labels": "events"})
    assert text(chosen["count"]) == (
        "3 of 3 videos will be scored The scores of 8 labels are written to 'events'"
    )
    clips = form("score_videos", labelled, view=labelled.limit(1).to_clips("events")[:2])
    assert text(clips["count"]) == (
        "1 of 1 video will be scored The scores of 2 labels are written to 'events'"
    )
