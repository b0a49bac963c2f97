"""Before and after: alignment, differences, intervals, order, the gate."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import scene, write_clip
from typer.testing import CliRunner

from dover_plugin import Change, Comparison, NotCompared, Scorer, compare, compare_many
from dover_plugin.analysis.comparison import by_loss, knee
from dover_plugin.analysis.full_reference import METRICS
from dover_plugin.analysis.segments import common_segments
from dover_plugin.cli import app
from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.io.pairing import match_folders
from dover_plugin.io.source import VideoInfo


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer("dover-open", "cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source of four seconds and what was made of it."""
    folder = tmp_path_factory.mktemp("compared")
    write_clip(folder / "source.mp4", 100, options={"crf": "12"})
    for crf in (18, 34, 51):
        write_clip(folder / f"crf{crf}.mp4", 100, options={"crf": str(crf)})
    write_clip(folder / "small.mkv", 100, (120, 160))
    write_clip(folder / "half.mp4", 50)
    return folder


def info(num_frames: int, fps: float | None, name: str = "a.mp4") -> VideoInfo:
    return VideoInfo(name, num_frames, 240, 320, fps, "pyav")


def test_segments_are_the_same_seconds_of_both() -> None:
    before, after = common_segments(info(250, 25), info(300, 30), 4)
    assert before == [(0, 100), (100, 200), (200, 250)]
    assert after == [(0, 120), (120, 240), (240, 300)]
    before, after = common_segments(info(250, 25), info(119, 29.75), 2)  # after is shorter
    assert before == [(0, 50), (50, 100)]
    assert after == [(0, 60), (60, 119)]
    assert common_segments(info(20, 25), info(20, 25), 5)[0] == [(0, 20)]


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (info(1, 25, "b.mp4"), r"'b.mp4' lasts 0.04 s \(1 frame\), too short"),
        (info(100, None, "b.mp4"), "'b.mp4' has no frame rate"),
    ],
)
def test_what_cannot_be_compared(after: VideoInfo, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        common_segments(info(250, 25), after, 4)


def test_an_interval_is_of_the_mean() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(-0.1, 0.05, 200)
    change = Change.of(values.tolist())
    assert change.difference == pytest.approx(values.mean())
    half = 1.96 * values.std() / np.sqrt(200)
    assert change.low == pytest.approx(values.mean() - half, abs=0.002)
    assert change.high == pytest.approx(values.mean() + half, abs=0.002)
    assert change == Change.of(values.tolist())
    assert change.verdict == "loses"
    assert Change.of([-0.1, 0.1]) == Change(0, None, None)
    assert Change.of([0.25] * 8) == Change(0.25, 0.25, 0.25)


def test_intervals_of_few_segments_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(2)
    found = [Change.of(rng.normal(0.1, 0.05, 8).tolist()) for _ in range(300)]
    share = np.mean([each.low <= 0.1 <= each.high for each in found])
    assert 0.92 <= share <= 0.99  # plain percentiles hold it in nine of ten


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (Change(-0.1, None, None), "unsure"),
        (Change(-0.1, -0.3, 0.05), "unsure"),
        (Change(0.0, -0.3, 0.3), "unsure"),
        (Change(-0.004, -0.014, 0.006), "keeps"),
        (Change(-0.1, -0.13, -0.07), "loses"),
        (Change(0.1, 0.07, 0.13), "gains"),
    ],
)
def test_verdicts(change: Change, verdict: str) -> None:
    assert change.verdict == verdict


def test_differences_are_those_of_the_scores(scorer: Scorer, folder: Path) -> None:
    found = compare(folder / "source.mp4", folder / "crf51.mp4", scorer, seconds=2)
    assert [pair.before.segment for pair in found.pairs] == [(0, 50), (50, 100)]
    frames = np.stack(list(scene(100, 240, 320)))
    assert len(frames) == found.before.info.num_frames
    for pair in found.pairs:
        for score in ("overall", "technical", "aesthetic"):
            a, b = (getattr(side.scores, score) for side in (pair.before, pair.after))
            assert pair.difference(score) == b - a
    assert found.overall.difference == np.mean([p.difference("overall") for p in found.pairs])
    assert found.size == (folder / "crf51.mp4").stat().st_size
    assert found.bitrate == pytest.approx(8 * found.size / 4)
    assert json.loads(json.dumps(found.to_dict()))["overall"]["low"] is None


def test_the_source_is_scored_once(
    scorer: Scorer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    whole = Scorer.timeline

    def watched(self: Scorer, video: Any, *args: Any, **options: Any) -> Any:
        seen.append(Path(video.info.path).name)
        return whole(self, video, *args, **options)

    monkeypatch.setattr(Scorer, "timeline", watched)
    names = ["crf18.mp4", "small.mkv", "half.mp4"]
    found = list(
        compare_many(folder / "source.mp4", [folder / name for name in names], scorer, seconds=2)
    )
    assert seen == ["source.mp4", "crf18.mp4", "small.mkv", "source.mp4", "half.mp4"]
    assert [len(each.pairs) for each in found] == [2, 2, 1]
    assert any("durations differ: 00:00:04.000 before" in w for w in found[2].warnings)
    assert any("enlarged" in warning for warning in found[1].warnings)


def fake(found: Comparison, differences: list[float], bitrate: float | None = None) -> Comparison:
    """The comparison with other differences, by moving the scores after."""
    pairs = []
    for pair, difference in zip(found.pairs * len(differences), differences, strict=False):
        scores = replace(
            pair.after.scores,
            **{
                score: getattr(pair.before.scores, score) + difference * share
                for score, share in (("overall", 1), ("technical", 1.5), ("aesthetic", 0.2))
            },
        )
        pairs.append(replace(pair, after=replace(pair.after, scores=scores)))
    return replace(found, pairs=pairs, bitrate=bitrate)


def test_sentences_order_and_knee(scorer: Scorer, folder: Path) -> None:
    found = compare(folder / "source.mp4", folder / "crf18.mp4", scorer, seconds=4)
    kept = fake(found, [-0.004, 0.003, -0.001, 0.0] * 2, 8e6)
    lost = fake(found, [-0.1, -0.12, -0.3, -0.2] * 2, 1e6)
    better = fake(found, [0.05, 0.06, 0.07, 0.06] * 2, 9e6)
    assert kept.sentence().startswith("crf18.mp4 keeps the source's quality: -0.00")
    assert lost.sentence().startswith("crf18.mp4 loses -0.180 (-0.2")
    assert lost.sentence().endswith("mostly technical, worst at 00:00:00")
    assert better.sentence().startswith("crf18.mp4 gains +0.060")
    few = fake(found, [-0.1, -0.2])
    assert "-0.150 over 2 segments, too few for an interval" in few.sentence()
    assert by_loss([lost, better, kept]) == [better, kept, lost]
    ladder = [
        fake(found, [d], b) for d, b in ((-0.4, 1e5), (-0.1, 4e5), (-0.05, 2e6), (-0.03, 8e6))
    ]
    bend = knee(ladder)
    assert bend is ladder[1]
    assert knee(ladder[:2]) is None
    assert (
        knee([fake(found, [-0.1], 1e5), fake(found, [-0.2], 1e6), fake(found, [-0.3], 1e7)]) is None
    )


def test_folders_are_matched_by_name(tmp_path: Path) -> None:
    for name in ("a/x.mp4", "a/sub/y.mov", "a/z.mp4", "b/x.mkv", "b/sub/y.mp4", "b/w.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    pairs, alone = match_folders(tmp_path / "a", tmp_path / "b")
    assert [(a.name, b.name) for a, b in pairs] == [("y.mov", "y.mp4"), ("x.mp4", "x.mkv")]
    assert [file.name for file in alone] == ["w.mp4", "z.mp4"]
    (tmp_path / "b/x.mp4").write_bytes(b"x")
    with pytest.raises(SettingsError, match="two videos named 'x'"):
        match_folders(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").mkdir()
    with pytest.raises(SettingsError, match="No video in"):
        match_folders(tmp_path / "a", tmp_path / "c")


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["compare", *map(str, arguments), "--device", "cpu"])


def test_the_gate(folder: Path) -> None:
    files = [folder / "source.mp4", folder / "crf18.mp4", folder / "crf51.mp4"]
    done = run(*files, "--seconds", 2, "-f", "json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    worst = min(each["overall"]["difference"] for each in found["comparisons"])
    assert run(*files, "--seconds", 2, "--fail-below", worst - 0.001).exit_code == 0
    done = run(*files, "--seconds", 2, "--fail-below", worst + 0.001)
    assert done.exit_code == 3
    assert found["order"] == sorted(
        found["order"],
        key=lambda path: (
            -next(c for c in found["comparisons"] if c["path"] == path)["overall"]["difference"]
        ),
    )
    assert all(Path(path).name in done.stdout for path in found["order"])


def test_two_folders(folder: Path, tmp_path: Path) -> None:
    for side, name in (("a", "source.mp4"), ("b", "crf34.mp4")):
        (tmp_path / side).mkdir()
        (tmp_path / side / "clip.mp4").write_bytes((folder / name).read_bytes())
    (tmp_path / "b/alone.mp4").write_bytes(b"x")
    done = run(tmp_path / "a", tmp_path / "b", "-f", "csv")
    assert done.exit_code == 0, done.output
    assert "alone.mp4' has no counterpart" in done.stderr
    header, row = done.stdout.splitlines()
    assert header.startswith("before,after,size,bitrate,start_seconds")
    assert row.startswith(f"{tmp_path}/a/clip.mp4,{tmp_path}/b/clip.mp4,")


def test_full_reference_columns(folder: Path) -> None:
    files = [folder / "source.mp4", folder / "crf18.mp4", folder / "crf51.mp4"]
    metrics = [option for name in METRICS for option in ("--metric", name)]
    done = run(*files, *metrics, "-f", "json")
    assert done.exit_code == 0, done.output
    good, bad = json.loads(done.stdout)["comparisons"]
    for name in METRICS:
        assert bad[name] < good[name] <= 100
        assert good[name] == np.mean([part[name] for part in good["segments"]])
    done = run(folder / "source.mp4", folder / "small.mkv", "--metric", "ssim", "--metric", "psnr")
    assert done.exit_code == 0
    assert "small.mkv: scaled to the source's 320x240 (bicubic) for ssim and psnr" in done.stdout
    done = run(folder / "source.mp4", folder / "half.mp4", "--metric", "ssim")
    assert "half.mp4: ssim needs equal frame counts (50, not 100)" in done.stdout
    done = run(*files, "--metric", "mse")
    assert "No metric is named 'mse'. Choose from vmaf, vmaf_neg" in str(done.exception)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "There is no file"),
        (lambda path: write_clip(path, 1), "too short to be compared"),
        (lambda path: path.write_bytes(b"no video"), "cannot be read as a video"),
    ],
)
def test_bad_input_is_one_line(make: Any, says: str, folder: Path, tmp_path: Path) -> None:
    make(tmp_path / "bad.mp4")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "dover_plugin",
            "compare",
            folder / "source.mp4",
            tmp_path / "bad.mp4",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    error, _ = done.stdout.splitlines()
    assert error.startswith("error: ")
    assert says in error


def test_one_bad_transcode_loses_nothing(scorer: Scorer, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    files = [folder / "crf18.mp4", tmp_path / "bad.mp4", folder / "crf51.mp4"]
    found = list(compare_many(folder / "source.mp4", files, scorer))
    assert [type(each) for each in found] == [Comparison, NotCompared, Comparison]
    done = run(folder / "source.mp4", *files, "-f", "csv")
    assert done.exit_code == 1
    assert "bad.mp4" in done.stderr
    assert "bad.mp4" in done.stdout.splitlines()[-1]


def test_nothing_is_written_over(folder: Path, tmp_path: Path) -> None:
    done = run(folder / "source.mp4", folder / "crf18.mp4", "--html", folder / "source.mp4")
    assert "use .html" in str(done.exception)
    done = run(folder / "source.mp4", folder / "crf18.mp4", "-o", folder / "source.mp4")
    assert "exists" in str(done.exception)


def test_rates_too_low_to_be_cut() -> None:
    with pytest.raises(SettingsError, match="shorter than a frame at 2 frames per second"):
        common_segments(info(250, 25), info(20, 2), 0.4)


def test_segments_of_a_varying_frame_rate_are_the_same_seconds(
    scorer: Scorer, folder: Path, tmp_path: Path
) -> None:
    slow = tmp_path / "slow.mkv"  # its second half at a tenth of the rate
    with av.open(slow, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for index, picture in enumerate(scene(40, 240, 320)):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts = index if index < 20 else 20 + 10 * (index - 20)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    [pair] = compare(folder / "source.mp4", slow, scorer).pairs
    assert pair.before.segment == (0, 100)
    assert pair.after.segment == (0, 28)  # 20 frames in 0.8 s, then one each 0.4 s
    assert pair.after.end_seconds == pytest.approx(4, abs=0.4)


def test_a_file_that_cannot_be_read_is_named(scorer: Scorer, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"none\.mp4"):
        compare(folder / "source.mp4", tmp_path / "none.mp4", scorer)


def test_a_damaged_transcode_is_a_row_of_its_own(
    scorer: Scorer, folder: Path, tmp_path: Path
) -> None:
    data = bytearray((folder / "crf18.mp4").read_bytes())
    start = data.index(b"mdat") + 8
    data[start + 2000 : start + 4000] = bytes(2000)
    (tmp_path / "rotten.mp4").write_bytes(data)
    files = [tmp_path / "rotten.mp4", folder / "crf34.mp4"]
    bad, good = compare_many(folder / "source.mp4", files, scorer, seconds=2)
    assert isinstance(bad, NotCompared)
    assert "Cannot decode frame" in bad.error
    assert isinstance(good, Comparison)


def test_videos_in_memory_are_compared(folder: Path) -> None:
    scorer = Scorer("dover-open", "cpu", fps=25)
    frames = np.stack(list(scene(50, 120, 160)))
    found = list(compare_many(frames, [frames, frames[:5], 3], scorer))  # type: ignore[list-item]
    assert isinstance(found[0], Comparison)
    assert found[0].overall.difference == 0
    assert (found[0].size, found[0].bitrate) == (None, None)
    errors = [each.error for each in found if isinstance(each, NotCompared)]
    assert "too short to be compared" in errors[0]
    assert "got int" in errors[1]


def test_a_part_has_no_bitrate(folder: Path) -> None:
    scorer = Scorer("dover-open", "cpu", start="1s")
    found = compare(folder / "source.mp4", folder / "crf34.mp4", scorer)
    assert found.size
    assert found.bitrate is None
    assert found.after.info.duration == pytest.approx(3)
