import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clips import scene, write_clip

import dover_plugin
from dover_plugin import (
    EngineError,
    Failure,
    FrameSource,
    Raw,
    Scorer,
    Scores,
    SettingsError,
    VideoError,
    VideoInfo,
)

GOLDEN = json.loads((Path(__file__).parent / "golden/end_to_end.json").read_text())


@pytest.mark.parametrize(
    ("model", "name"),
    [("dover", next(iter(GOLDEN))), *(("dover-mobile", name) for name in GOLDEN)],
)
def test_raw_scores_are_those_of_the_reference(
    model: str, name: str, seeded: dict[str, Path], shared_clips: Path
) -> None:
    scorer = Scorer(model, "cpu", weights=seeded[model], engine="torch")
    scores = scorer.score(shared_clips / name)
    golden = GOLDEN[name][model]
    assert scores.raw.technical == pytest.approx(golden["technical"], abs=3e-4)
    assert scores.raw.aesthetic == pytest.approx(golden["aesthetic"], abs=3e-4)
    assert scores.num_frames == GOLDEN[name]["frames"]
    assert scores.maps is not None
    assert scores.maps.technical.mean((1, 2, 3)).tolist() == pytest.approx(
        golden["technical_clips"], abs=3e-4
    )


def test_the_result_says_how_it_was_made(mobile: Scorer, clip: Path) -> None:
    scores = mobile.score(clip)
    row = scores.to_dict()
    assert row["path"] == str(clip)
    assert (row["model"], row["fusion"], row["engine"]) == ("dover-mobile", "reference", "openvino")
    assert (row["device"], row["precision"]) == ("cpu", "float32")
    assert (row["seed"], row["repeats"], row["technical_std"]) == (None, 1, None)
    assert (row["width"], row["height"], row["num_frames"], row["fps"]) == (320, 240, 60, 25.0)
    assert len(row["weights_sha256"]) == 64
    assert row["decoder"] == "pyav"
    assert any("uncalibrated" in w for w in row["warnings"])
    for name in ("technical", "aesthetic", "overall"):
        assert 0 <= row[name] <= 1
    assert scores.maps is not None
    assert scores.maps.technical.shape == (3, 16, 7, 7)
    assert scores.maps.aesthetic.shape == (1, 16, 7, 7)
    assert scores.maps.technical.mean() == pytest.approx(scores.raw.technical, abs=1e-6)


def test_a_score_does_not_depend_on_what_is_around_it(
    bundled: Scorer, clip: Path, tmp_path: Path
) -> None:
    other = write_clip(tmp_path / "other.mp4", 90, (360, 300))
    expected = bundled.score(clip).raw
    assert bundled.score(clip).raw == expected
    batch = list(bundled.score_many([other, clip, other, clip], workers=2))
    assert [r.path for r in batch] == [str(p) for p in (other, clip, other, clip)]
    assert batch[1].raw == batch[3].raw == expected
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found = bundled.score(clip).raw
            # oneDNN splits its sums by the number of threads, which moves the last bits
            assert found.technical == pytest.approx(expected.technical, abs=1e-7)
            assert found.aesthetic == pytest.approx(expected.aesthetic, abs=1e-7)
    finally:
        torch.set_num_threads(threads)
    assert bundled.score(clip).raw == expected
    frames = np.stack([f.copy() for _, f in dover_plugin.open_source(clip).frames(range(60))])
    assert bundled.score(frames).raw == expected


def test_decoders_agree(seeded: dict[str, Path], clip: Path) -> None:
    raws = [
        Scorer("dover-mobile", "cpu", weights=seeded["dover-mobile"], decoder=d).score(clip).raw
        for d in ("decord", "pyav")
    ]
    assert raws[0].technical == pytest.approx(raws[1].technical, abs=1e-2)
    assert raws[0].aesthetic == pytest.approx(raws[1].aesthetic, abs=1e-2)


def test_threads_may_share_a_scorer(mobile: Scorer, clip: Path) -> None:
    expected, found = mobile.score(clip).raw, []
    threads = [
        threading.Thread(target=lambda: found.append(mobile.score(clip).raw)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_seeds_and_repeats(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 300, (360, 640), options={"preset": "ultrafast"})

    def score(**kwargs: Any) -> Scores:
        return Scorer("dover-open", "cpu", **kwargs).score(path)

    one = score(seed=7)
    assert one.raw == score(seed=7).raw
    assert one.raw != score(seed=8).raw
    assert one.raw != score().raw
    assert one.raw_std is None
    three = score(repeats=3)
    assert three.settings.seed == 0
    assert three.raw_std is not None
    assert three.raw_std.technical > 0
    assert three.raw != score(seed=0).raw


def test_fusion_changes_calibrated_scores_only(seeded: dict[str, Path], clip: Path) -> None:
    scorers = [
        Scorer("dover", "cpu", weights=seeded["dover"], engine="torch", fusion=fusion)
        for fusion in ("matched", "reference")
    ]
    matched, reference = (s.score(clip) for s in scorers)
    assert matched.raw == reference.raw
    assert matched.overall != reference.overall
    assert (matched.fusion, reference.fusion) == ("matched", "reference")


def test_torch_is_left_as_it_was(mobile: Scorer, clip: Path) -> None:
    def state() -> tuple[object, ...]:
        return (
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.backends.cudnn.allow_tf32,
            torch.backends.cudnn.deterministic,
            torch.backends.cuda.matmul.allow_tf32,
            torch.are_deterministic_algorithms_enabled(),
            torch.random.get_rng_state().sum().item(),
        )

    before = state()
    mobile.score(clip)
    assert state() == before
    with torch.autocast("cpu", dtype=torch.bfloat16):  # a host's autocast changes no score
        inside = mobile.score(clip).raw
    assert inside == mobile.score(clip).raw


def test_a_scorer_made_in_inference_mode_works(seeded: dict[str, Path], clip: Path) -> None:
    with torch.inference_mode():
        scorer = Scorer("dover-mobile", "cpu", weights=seeded["dover-mobile"])
    assert isinstance(scorer.score(clip), Scores)


def test_a_bad_video_is_a_row_and_the_others_are_scored(
    mobile: Scorer, clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    results = list(mobile.score_many([tmp_path / "none.mp4", clip, tmp_path / "text.mp4"]))
    assert [type(r) for r in results] == [Failure, Scores, Failure]
    assert [r.path for r in results] == [
        str(p) for p in (tmp_path / "none.mp4", clip, tmp_path / "text.mp4")
    ]
    assert "no file" in str(results[0].error)
    assert results[0].settings == mobile.settings


def test_many_videos_are_taken_as_they_are_wanted(mobile: Scorer, clip: Path) -> None:
    taken = 0

    def videos() -> Any:
        nonlocal taken
        while True:
            taken += 1
            yield clip

    results = mobile.score_many(videos())
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert taken <= 4


def test_an_own_source(mobile: Scorer) -> None:
    class Own:
        info = VideoInfo("own://x", 40, 240, 320, 25.0, "own", ("from memory",))

        def frames(self, indices: Any) -> Any:
            frames = list(scene(40, 240, 320))
            return ((i, frames[i]) for i in indices)

    assert isinstance(Own(), FrameSource)
    scores = mobile.score(Own())
    assert (scores.path, scores.decoder) == ("own://x", "own")
    assert scores.warnings[0] == "from memory"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"device": "cuda:99"}, "cuda:99' is not here"),
        ({"device": "gpu"}, "No device is named 'gpu'"),
        ({"device": "meta"}, "not supported"),
        ({"engine": "tensorflow"}, "No engine is named 'tensorflow'. Choose from auto, torch"),
        ({"engine": "torch", "precision": "float8"}, "No precision is named"),
        (
            {"engine": "torch", "device": "cpu", "precision": "float16"},
            "needs a CUDA device",
        ),
        ({"decoder": "opencv"}, "No decoder is named"),
        ({"repeats": 0}, "repeats must be from 1 to 20"),
        ({"repeats": 2.5}, "got 2.5"),
        ({"seed": -1}, "seed must be a whole number from 0, got -1"),
        ({"seed": "a"}, "got 'a'"),
        ({"fusion": "matchd"}, "no calibration file 'matchd'"),
    ],
)
def test_settings_that_do_not_exist(
    settings: dict[str, Any], says: str, seeded: dict[str, Path]
) -> None:
    with pytest.raises(SettingsError) as caught:
        Scorer("dover-mobile", weights=seeded["dover-mobile"], **settings)
    assert says in str(caught.value)


def test_a_network_that_gives_no_number(seeded: dict[str, Path], clip: Path) -> None:
    scorer = Scorer("dover-mobile", "cpu", weights=seeded["dover-mobile"], engine="torch")
    network = scorer.engine._network  # type: ignore[attr-defined]
    network.technical_head.fc_last.bias.fill_(float("inf"))
    with pytest.raises(VideoError, match="is not finite"):
        scorer.score(clip)
    (result,) = scorer.score_many([clip])
    assert isinstance(result, Failure)


def test_a_network_that_cannot_be_run_stops_them_all(seeded: dict[str, Path], clip: Path) -> None:
    scorer = Scorer("dover-mobile", "cpu", weights=seeded["dover-mobile"], engine="torch")
    network = scorer.engine._network  # type: ignore[attr-defined]
    network.technical_head.fc_last.bias = None
    network.technical_head.fc_last.weight.data = torch.zeros(1, 3, 1, 1, 1)
    with pytest.raises(EngineError, match="PyTorch failed on device cpu: "):
        list(scorer.score_many([clip, clip]))


def test_raw_is_technical_then_aesthetic() -> None:
    assert Raw._fields == ("technical", "aesthetic")


def test_public_names_are_those_listed() -> None:
    for name in dover_plugin.__all__:
        assert getattr(dover_plugin, name).__module__.startswith("dover_plugin.")
    assert set(dover_plugin.__all__) == set(dover_plugin._HOME_OF)
    assert set(dover_plugin.__all__) <= set(dir(dover_plugin))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = dover_plugin.nothing
