"""score_videos: fields, failures, skipping, stopping, records."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fo_helpers import form, operator, problem, text
from PIL import Image

from dover_plugin import Scorer
from dover_plugin.errors import SettingsError


def test_scores_are_those_of_the_core(scored_once: Any, weights: str, calibration: str) -> None:
    scorer = Scorer("dover-open", "cpu", weights=weights, fusion=calibration)
    sample = scored_once.match_tags("dover:failed", bool=False).first()
    expected = scorer.score(sample.filepath).to_dict()
    stored = {name: value for name, value in sample.dover.to_dict().items() if name != "_cls"}
    assert stored == {name: expected[name] for name in stored}
    assert {"technical", "aesthetic", "overall", "technical_raw", "weights_sha256"} <= set(stored)


def test_segments_are_labels_with_scores(scored_once: Any, weights: str, calibration: str) -> None:
    sample = scored_once.first()
    scorer = Scorer("dover-open", "cpu", weights=weights, fusion=calibration)
    expected = list(scorer.timeline(sample.filepath, seconds=1))
    found = sample.dover_segments.detections
    assert [label.support for label in found] == [[1, 25], [26, 50]]
    assert [label.overall for label in found] == [part.scores.overall for part in expected]
    clips = scored_once.to_clips("dover_segments").sort_by("dover_segments.technical")
    values = clips.values("dover_segments.technical")
    assert values == sorted(values)
    assert len(values) == 12


def test_a_failure_is_a_row_and_a_tag(scored_once: Any) -> None:
    bad = scored_once.match_tags("dover:failed").first()
    assert bad.filepath.endswith("broken.mp4")
    assert "cannot be read as a video" in bad.dover.error
    assert bad.dover.overall is None
    assert scored_once.count("dover.overall") == 6


def test_fields_are_declared_described_and_indexed(scored_once: Any, fo: Any) -> None:
    schema = scored_once.get_field_schema(flat=True)
    for name in ("overall", "technical", "aesthetic"):
        assert isinstance(schema[f"dover.{name}"], fo.FloatField)
        assert schema[f"dover.{name}"].description
        assert f"dover.{name}" in scored_once.list_indexes()
        assert isinstance(schema[f"dover_segments.detections.{name}"], fo.FloatField)
    groups = {group.name: group.paths for group in scored_once.app_config.sidebar_groups}
    assert groups["dover"][:3] == ["dover.overall", "dover.technical", "dover.aesthetic"]
    everywhere = [path for paths in groups.values() for path in paths]
    assert len(everywhere) == len(set(everywhere))


def test_the_run_is_recorded(scored_once: Any, weights: str) -> None:
    [key] = scored_once.list_runs(method="dover")
    config = scored_once.get_run_info(key).config
    assert (config.model, config.fusion, config.field) == ("dover-open", "spread", "dover")
    results = scored_once.load_run_results(key)
    assert (results.scored, results.failed, results.stopped) == (6, 1, False)


def test_what_has_scores_is_kept_unless_overwritten(scored: Any, weights: str) -> None:
    before = scored.values("dover.overall")
    score = operator("score_videos")
    again = score(scored, weights=weights, segment_seconds=1)
    assert (again.skipped, again.scored, again.failed) == (6, 0, 1), "a failure is tried again"
    assert scored.values("dover.overall") == before
    over = score(scored.limit(1), weights=weights, overwrite=True)
    assert (over.skipped, over.scored) == (0, 1)
    assert scored.first().dover.fusion == "matched"


def test_scores_without_segments_are_completed(
    make_dataset: Callable[..., Any], folder: Path, weights: str
) -> None:
    dataset = make_dataset([folder / "320x240_crf18.mp4"])
    score = operator("score_videos")
    assert score(dataset, weights=weights).scored == 1
    assert score(dataset, weights=weights).skipped == 1
    assert score(dataset, weights=weights, segment_seconds=1).scored == 1
    assert dataset.first().dover_segments is not None


def test_a_repaired_file_loses_its_tag_and_error(
    make_dataset: Callable[..., Any], folder: Path, weights: str, tmp_path: Path
) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"cut off")
    dataset = make_dataset([file])
    score = operator("score_videos")
    assert score(dataset, weights=weights).failed == 1
    file.write_bytes((folder / "320x240_crf18.mp4").read_bytes())
    assert score(dataset, weights=weights).scored == 1
    dataset.reload()
    sample = dataset.first()
    assert (sample.tags, sample.dover.error) == ([], None)


@pytest.mark.parametrize("name", ["s3://bucket/a.mp4", "gs://bucket/a.mp4", "/nowhere/a.mp4"])
def test_files_that_are_not_here(make_dataset: Callable[..., Any], weights: str, name: str) -> None:
    dataset = make_dataset([name])
    summary = operator("score_videos")(dataset, weights=weights)
    assert summary.failed == 1
    expected = "There is no file" if name.startswith("/") else "Remote file"
    assert expected in dataset.first().dover.error
    params = {"advanced": True, "weights": weights, "existing": "overwrite"}
    shown = form("score_videos", dataset, params)
    assert "will fail" in text(shown["missing" if name.startswith("/") else "remote"])


def test_every_video_of_a_group_is_scored(fo: Any, folder: Path, weights: str) -> None:
    from fiftyone_plugin.pairs import group_folders

    (folder.parent / "pair/a").mkdir(parents=True, exist_ok=True)
    (folder.parent / "pair/b").mkdir(exist_ok=True)
    for side, crf in (("a", 18), ("b", 48)):
        source = folder / f"320x240_crf{crf}.mp4"
        (folder.parent / f"pair/{side}/x.mp4").write_bytes(source.read_bytes())
    dataset = group_folders(
        str(folder.parent / "pair/a"), str(folder.parent / "pair/b"), "pairs", persistent=False
    )
    try:
        assert operator("score_videos")(dataset, weights=weights).scored == 2
        assert form("score_videos", dataset, {"advanced": True, "weights": weights})["problem"]
        flat = dataset.select_group_slices(["before", "after"])
        assert None not in flat.values("dover.overall")
    finally:
        dataset.delete()


def test_a_stopped_run_resumes(dataset: Any, weights: str) -> None:
    from fiftyone_plugin import scoring

    scorer = scoring.make_scorer(model="dover-open", weights=weights)
    answers = iter([False, True])
    *_, summary = scoring.score(dataset, scorer, "dover", stop=lambda: next(answers))
    assert (summary.stopped, summary.done) == (True, 2)
    assert dataset.count("dover.overall") == 2
    *_, summary = scoring.score(dataset, scorer, "dover")
    assert (summary.skipped, summary.scored, summary.failed, summary.stopped) == (2, 4, 1, False)


def test_a_run_that_is_closed_keeps_what_it_has(dataset: Any, weights: str) -> None:
    from fiftyone_plugin import scoring

    scorer = scoring.make_scorer(model="dover-open", weights=weights)
    run = scoring.score(dataset, scorer, "dover")
    for _ in range(4):  # the first summary comes before the first sample
        next(run)
    run.close()
    assert dataset.count("dover.overall") == 3
    [key] = dataset.list_runs(method="dover")
    assert dataset.load_run_results(key).scored == 3


def test_the_form_counts_and_warns(scored: Any, dataset: Any, weights: str) -> None:
    own = {"advanced": True, "weights": weights}
    assert text(form("score_videos", dataset, own)["count"]) == "7 of 7 videos will be scored"
    shown = form("score_videos", scored, own)
    assert "6 videos have scores" in text(shown["existing"])
    assert "keep them, score the other 1" in str(shown["existing"])
    assert "1 of 7" in text(shown["count"])
    assert "holds scores with fusion spread" in text(shown["mixed"])
    selected = {"view_target": "SELECTED_SAMPLES", **own}
    ids = dataset.values("id")[:2]
    shown = form("score_videos", dataset, selected, selected=ids)
    assert "2 of 2 videos" in text(shown["count"])


def test_the_form_asks_for_the_license(dataset: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"model": "dover-mobile"}
    shown = form("score_videos", dataset, wanted)
    assert "not on this machine" in text(shown["license"])
    assert "non-commercial" in text(shown["license"])
    assert shown["accept_license"]["invalid"]
    accepted = form("score_videos", dataset, {**wanted, "accept_license": True})
    assert not accepted["accept_license"]["invalid"]
    monkeypatch.setenv("DOVER_ACCEPT_LICENSE", "1")
    assert "license" not in form("score_videos", dataset, wanted)


def test_the_model_in_the_package_asks_for_nothing(dataset: Any) -> None:
    assert "license" not in form("score_videos", dataset)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"field": "filepath"}, "exists and holds StringField"),
        ({"field": "my field"}, "is not a field name"),
        ({"advanced": True, "weights": "/nowhere.pth"}, "There is no weights file"),
        ({"advanced": True, "fusion": "reference"}, "has no 'reference' fusion"),
    ],
)
def test_the_form_refuses(dataset: Any, params: dict[str, Any], message: str) -> None:
    assert message in problem(form("score_videos", dataset, params))


def test_what_is_not_video_is_refused(
    dataset: Any, scored: Any, make_dataset: Callable[..., Any], weights: str, tmp_path: Path
) -> None:
    nothing = form("score_videos", dataset, {"view_target": "CURRENT_VIEW"}, view=dataset.limit(0))
    assert "no videos" in problem(nothing)
    clips = form(
        "score_videos",
        scored,
        {"view_target": "CURRENT_VIEW"},
        view=scored.to_clips("dover_segments"),
    )
    assert "Clear the view" in problem(clips)
    clouds = make_dataset([tmp_path / "a.pcd"])
    assert "holds point-clouds" in problem(form("score_videos", clouds))
    with pytest.raises(SettingsError, match="holds point-clouds"):
        operator("score_videos")(clouds, weights=weights)
    pictures = make_dataset([tmp_path / "a.png"])
    assert "Choose dover-open" in problem(form("score_videos", pictures, {"model": "dover"}))


def test_images_are_scored_by_a_model_of_stills(
    fo: Any, make_dataset: Callable[..., Any], weights: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (240, 320, 3), np.uint8)).save(tmp_path / "a.png")
    dataset = make_dataset([tmp_path / "a.png"])
    assert "1 of 1 video" in text(form("score_videos", dataset)["count"])
    assert operator("score_videos")(dataset, weights=weights).scored == 1
    sample = dataset.first()
    expected = Scorer("dover-open", "cpu", weights=weights).score(tmp_path / "a.png")
    assert sample.dover.overall == expected.overall
    assert (sample.metadata.width, sample.metadata.height) == (320, 240)


def test_segments_do_not_replace_scores_made_otherwise(scored: Any, weights: str) -> None:
    scored.set_field("dover_segments", None).save()
    before = scored.values("dover.overall")
    score = operator("score_videos")
    other = score(scored, weights=weights, segment_seconds=1)  # with another fusion
    assert (other.scored, other.skipped) == (0, 6)
    assert scored.values("dover.overall") == before
    assert scored.count("dover_segments.detections") == 0


def test_segments_go_with_the_scores_they_belong_to(scored: Any, weights: str) -> None:
    sample = scored.match_tags("dover:failed", bool=False).first()
    operator("score_videos")(scored.select(sample.id), weights=weights, overwrite=True)
    scored.reload()
    assert scored[sample.id].dover_segments is None
    assert scored.count("dover_segments.detections") == 10


def test_scores_survive_segments_that_fail(
    make_dataset: Callable[..., Any], folder: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dover_plugin.analysis import segmented
    from dover_plugin.errors import VideoError

    def fails(*_: Any, **__: Any) -> Any:
        raise VideoError("damaged in the middle")

    monkeypatch.setattr(segmented, "stream_views", fails)
    dataset = make_dataset([folder / "320x240_crf18.mp4"])
    summary = operator("score_videos")(dataset, weights=weights, segment_seconds=1)
    assert (summary.scored, summary.failed) == (1, 0)
    assert "damaged in the middle" in dataset.first().dover.warnings[-1]


def test_a_video_is_opened_once_with_its_segments(
    make_dataset: Callable[..., Any], folder: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dover_plugin.readers.reading import ReadOptions

    opened = []
    really = ReadOptions.open

    def counted(self: Any, video: Any) -> Any:
        opened.append(video)
        return really(self, video)

    monkeypatch.setattr(ReadOptions, "open", counted)
    dataset = make_dataset([folder / "320x240_crf18.mp4", folder / "320x240_crf48.mp4"])
    operator("score_videos")(dataset, weights=weights, segment_seconds=1)
    assert opened == dataset.values("filepath")


def test_scoring_fills_metadata(scored_once: Any, fo: Any) -> None:
    sample = scored_once.match_tags("dover:failed", bool=False).first()
    found, path = sample.metadata, sample.filepath
    expected = fo.VideoMetadata.build_for(path)
    for name in ("frame_width", "frame_height", "frame_rate", "total_frame_count", "size_bytes"):
        assert found[name] == expected[name], name
    assert found.duration == pytest.approx(expected.duration, abs=0.05)


def test_the_segments_do_not_cover_thumbnails(scored_once: Any) -> None:
    paths = scored_once.app_config.active_fields.paths
    assert "dover.overall" in paths
    assert "dover_segments" not in paths


def test_labels_of_the_user_are_not_scores(scored: Any, fo: Any) -> None:
    scored.set_values("truth", [fo.Classification(label="cat")] * 7)
    for name in ("truth", "metadata", "dover_segments"):
        assert "exists and holds" in problem(form("score_videos", scored, {"field": name}))
    assert scored.values("truth.label") == ["cat"] * 7


def test_the_form_offers_segments_for_what_is_scored(
    make_dataset: Callable[..., Any], folder: Path, weights: str
) -> None:
    dataset = make_dataset([folder / "320x240_crf18.mp4"])
    operator("score_videos")(dataset, weights=weights)
    own = {"advanced": True, "weights": weights}
    shown = form("score_videos", dataset, own)
    assert "have scores" in problem(shown)
    assert "segments" in shown
    shown = form("score_videos", dataset, {**own, "segments": True})
    assert "1 of 1 video" in text(shown["count"])
