"""Clips that this code spoils: scenes, faults, labels."""

import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from clips import write_clip
from scipy import stats

from dover_plugin.errors import SettingsError
from dover_plugin.training.blur import shallow
from dover_plugin.training.label_table import read_labels
from dover_plugin.training.labels import split
from dover_plugin.training.synthetic import build, chains, scenes, sources
from dover_plugin.training.synthetic.degradations import (
    DEGRADATIONS,
    LEVELS,
    PENALTIES,
    Shot,
)
from dover_plugin.training.synthetic.encoding import CODEC_OPTIONS, decode, encode
from dover_plugin.training.synthetic.examine import examine
from dover_plugin.training.synthetic.similarity import quality, ssimulacra2
from dover_plugin.views import Picture

SIZE = (96, 128)
PHOTOMETRIC = ("exposure", "contrast", "clipped", "cast", "haze")


@pytest.fixture(scope="module")
def frames() -> Picture:
    """A scene that moves."""
    return scenes.generate("leaves", 16, SIZE, seed=4)


@pytest.mark.parametrize("kind", scenes.KINDS)
def test_a_scene_is_the_same_again_and_moves(kind: str) -> None:
    one, two = (scenes.generate(kind, 3, SIZE, seed=1) for _ in range(2))
    assert one.shape == (3, *SIZE, 3)
    assert np.array_equal(one, two)
    assert not np.array_equal(one, scenes.generate(kind, 3, SIZE, seed=2))
    assert one.std() > 10


def test_a_still_is_filmed_from_inside_it() -> None:
    ramp = np.linspace(0, 255, 600).astype(np.uint8)
    still = np.broadcast_to(ramp[None, :, None], (400, 600, 3))
    film = scenes.photograph(still, 4, SIZE, seed=3)
    assert film.shape == (4, *SIZE, 3)
    assert (np.diff(film.mean(axis=(1, 3)), axis=1) >= -1).all()  # no edge is seen mirrored


@pytest.mark.parametrize("codec", CODEC_OPTIONS)
def test_an_encoder_gives_the_same_file_again(frames: Picture, codec: str) -> None:
    one, two = (encode(frames, 25, codec, 30) for _ in range(2))
    assert one == two
    assert decode(one).shape == frames.shape


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_each_step_is_worse(frames: Picture, kind: str) -> None:
    labels = []
    for level in (1, 3, LEVELS):
        shot = DEGRADATIONS[kind](Shot(frames, frames, 25), level, np.random.default_rng(level))
        assert shot.frames.shape == shot.reference.shape == frames.shape
        assert shot.frames.dtype == np.uint8
        labels.append(quality(shot.frames, shot.reference) * shot.kept)
    assert 1 >= labels[0] > labels[1] > labels[2] >= 0
    if kind in PHOTOMETRIC:
        assert labels[-1] == pytest.approx(1 - PENALTIES[-1], abs=1e-3)


def test_frames_that_are_lost_where_nothing_moves_are_not_missed() -> None:
    still = np.repeat(scenes.generate("cells", 1, SIZE, seed=1), 16, axis=0)
    shot = DEGRADATIONS["dropped"](Shot(still, still, 25), 5, np.random.default_rng(0))
    assert shot.kept == 1


def test_equal_frames_are_perfect_and_noise_is_not(frames: Picture) -> None:
    assert ssimulacra2(frames, frames) == pytest.approx([100] * len(frames), abs=0.1)
    assert quality(frames, frames) == pytest.approx(1, abs=1e-3)
    noise = np.random.default_rng(0).integers(0, 255, frames.shape, np.uint8)
    assert quality(noise, frames) < 0.02


def test_half_of_what_is_learnt_from_is_cut_out() -> None:
    learnt = [content for content in build.contents(0) if content.split == "train"]
    for kind in (True, False):  # photographs and films, scenes
        cut = [content.height > 0 for content in learnt if (content.source is None) == kind]
        assert sum(cut) == len(cut) // 2 or sum(cut) == (len(cut) + 1) // 2


def test_the_plan_splits_by_content() -> None:
    every = build.contents(0)
    assert len({content.name for content in every}) == len(every)
    places: dict[str, set[str]] = {}
    for content in every:
        key = content.source.file if content.source else content.name
        places.setdefault(key, set()).add(content.split)
    assert all(len(found) == 1 for found in places.values())
    for content in every:
        planned = chains.plan(content.split, np.random.default_rng(0), content.worn)
        every_chain = [chain for ladder in planned for chain in ladder]
        assert every_chain[0] == []
        assert len({str(chain) for chain in every_chain[:13]}) == 13  # none twice
        assert not content.height or content.split == "train"
        assert content.height >= content.size[0] or not content.height
        assert all(len(dict(chain)) == len(chain) for chain in every_chain)  # no fault twice
        if content.split == build.HELD_BACK:  # as what is validated on, and as footage begins
            assert [len(ladder) for ladder in planned] == [15, 4, 4]
            assert all(ladder[0] for ladder in planned[1:])
        if content.split == "test":  # all of a ladder, to see that their order is right
            ladders = [[(kind, i + 1)] for kind in chains.LADDERS for i in range(LEVELS)]
            assert all(step in every_chain for step in ladders)


@pytest.mark.parametrize("worn", [1, 2])
def test_what_is_learnt_from_stands_in_ladders_of_four(worn: int) -> None:
    for seed in range(20):
        ladders = chains.plan("train", np.random.default_rng(seed), worn)
        assert [len(ladder) for ladder in ladders] == [4] * 4
        first, *clean = ladders[:-worn]
        assert first[0] == []
        assert all(ladder[0] for ladder in ladders[-worn:])
        for begins, *spoilt in (first, *([[], *ladder] for ladder in clean), *ladders[-worn:]):
            assert all(chain[:-1] == begins for chain in spoilt)
            assert len({chain[-1][0] for chain in spoilt}) == 1
            assert len({chain[-1][1] for chain in spoilt}) == len(spoilt)


def test_a_shallow_focus_leaves_some_of_a_picture_sharp(frames: Picture) -> None:
    shown = shallow(frames, np.random.default_rng(1))
    off = np.abs(shown.astype(int) - frames).max(axis=(0, 3))
    assert (off == 0).mean() > 0.05
    assert (off > 10).mean() > 0.2
    assert np.array_equal(shown, shallow(frames, np.random.default_rng(1)))


def test_blur_goes_by_the_height_of_the_picture_that_was_cut(frames: Picture) -> None:
    kept = []
    for height in (0, SIZE[0], 720):
        shot = Shot(frames, frames, 25, height=height)
        spoilt = DEGRADATIONS["defocus"](shot, 3, np.random.default_rng(0))
        assert spoilt.height == height
        kept.append(quality(spoilt.frames, spoilt.reference))
    assert kept[0] == kept[1] > kept[2] + 0.2


def test_clips_are_labelled_and_can_be_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = replace(build.contents(0)[0], size=SIZE)
    monkeypatch.setattr(build, "NUM_FRAMES", {"train": 8})
    ladder = [
        [],
        [("h264", 4)],
        [("cast", 2), ("noise", 1)],
        [("cast", 2), ("noise", 1), ("h264", 5)],
    ]
    monkeypatch.setattr(build, "plan", lambda *_, **__: [ladder[:2], ladder[2:]])
    labels = build.make_clips(content, tmp_path, tmp_path, seed=0)
    assert [label.row()["faults"] for label in labels] == [
        "none", "h264", "cast+noise", "cast+noise+h264"
    ]  # fmt: skip
    assert labels[0].overall > 85 > labels[2].overall > labels[1].overall > labels[3].overall
    assert [label.aesthetic for label in labels] == pytest.approx([100, 100, 70, 70])  # the cast
    assert [label.technical for label in labels] == pytest.approx(
        [100 * label.similarity for label in labels]
    )
    table = pd.DataFrame([label.row() for label in labels])
    table.to_csv(tmp_path / "labels.csv", index=False)
    rows = read_labels(tmp_path / "labels.csv", tmp_path, also="fault_noise,fault_h264")
    assert [tuple(row.also.values()) for row in rows] == [(0, 0), (0, 4), (1, 0), (1, 5)]
    assert {row.group for row in split(rows, 0, (0, 0))} == {content.name}
    assert [row.ladder for row in rows] == [f"{content.name}-{i}" for i in (0, 0, 1, 1)]
    assert all(row.file.is_file() for row in rows)
    again = tmp_path / "again"
    again.mkdir()
    assert build.make_clips(content, tmp_path, again, seed=0) == labels
    for label in labels:
        assert (again / label.file).read_bytes() == (tmp_path / label.file).read_bytes()


def test_what_is_held_back_is_for_heads_alone(tmp_path: Path) -> None:
    first = {content.split: content for content in build.contents(0)}
    assert [*first] == ["train", build.HELD_BACK, "val", "test"]
    (tmp_path / "parts").mkdir()
    for content in first.values():  # made before; nothing is filmed again
        row = build.Label(f"{content.name}.mkv", content.split, content.name, "", 0, (), 1.0, 1.0)
        table = pd.DataFrame([row.row()])
        table.to_csv(tmp_path / "parts" / f"{content.name}.csv", index=False)
    assert not list(build.build([*first.values()], tmp_path, tmp_path))
    labels, heads = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("labels", "heads"))
    assert [*labels["split"]] == [*heads["split"]] == ["train", "val", "test"]
    assert labels["content"][0] == first["train"].name
    assert heads["content"][0] == first[build.HELD_BACK].name
    assert labels[1:].equals(heads[1:])


def test_sources_are_named_and_checked(tmp_path: Path) -> None:
    (tmp_path / "coffee.png").write_bytes(b"another picture")
    count = len(sources.filmed())
    assert count < len(sources.SOURCES)  # some are named alone
    assert {c.source for c in build.contents(0) if c.source} == set(sources.filmed())
    said = rf"lacks {count} of {count} .* big_buck_bunny_480p\.mp4 .* and {count - 10} more\."
    with pytest.raises(SettingsError, match=said):
        sources.check(tmp_path)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "dover_plugin.training.synthetic",
            "make",
            tmp_path,
            tmp_path / "out",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert f"lacks {count} of {count} sources" in done.stderr
    assert not (tmp_path / "out").exists()
    assert {source.licence for source in sources.SOURCES} <= {
        "public domain", "no known restrictions", "CC0 1.0", "CC BY 2.0", "CC BY 3.0", "CC BY 4.0",
        "CC BY-SA 2.0", "CC BY-SA 3.0", "CC BY-SA 4.0", "GPL-2.0+", "LGPL-3.0",
    }  # fmt: skip


def test_sources_are_found_by_what_they_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package" / "usr"
    package.mkdir(parents=True)
    (package / "another name.jpg").write_bytes(b"a photograph")
    (package / "other.jpg").write_bytes(b"another")
    known = replace(sources.SOURCES[0], file="p.jpg", sha256=sha256(b"a photograph").hexdigest())
    missing = replace(known, file="q.jpg", sha256="0" * 64)
    monkeypatch.setattr(sources, "SOURCES", (known, missing))
    assert sources.gather([tmp_path / "package"], tmp_path / "sources") == 1
    assert [path.name for path in (tmp_path / "sources").iterdir()] == ["p.jpg"]
    assert (tmp_path / "sources" / "p.jpg").read_bytes() == b"a photograph"
    with pytest.raises(SettingsError, match=r"lacks 1 of 2 .*: q\.jpg"):
        sources.check(tmp_path / "sources")


def test_a_users_own_film_is_spoilt_in_ladders_and_examined(tmp_path: Path) -> None:
    film = write_clip(tmp_path / "mine.mp4", 70, size=SIZE)
    (content,) = build.footage([film])
    assert (content.size, content.split) == (SIZE, "test")
    frames, fps = build.film(content, tmp_path)
    assert frames.shape == (build.NUM_FRAMES["test"], *SIZE, 3)
    assert fps == 25
    rows = []
    for name in ("a", "b"):
        for kind in ("none", "h264", "cast"):
            for level in (0,) if kind == "none" else range(1, 6):
                fall = {"none": 0, "h264": 2.0, "cast": 0.5}[kind] * level
                other = {"none": 0, "h264": 0.1, "cast": 3.0}[kind] * level
                rows.append(
                    (name, kind, level, 100 - 10.0 * level, 9 - fall - other, -fall, -other)
                )
    columns = ["content", "faults", "level", "label", "overall", "technical_raw", "aesthetic_raw"]
    table = pd.DataFrame(rows, columns=columns)
    found = examine(table)
    assert found.order == {"cast": 1.0, "h264": 1.0}
    assert found.clips == 22
    spread = table["technical_raw"].std()
    assert found.fall["technical"] == pytest.approx({"h264": 10 / spread, "cast": 2.5 / spread})
    assert found.fall["aesthetic"]["cast"] > found.fall["aesthetic"]["h264"]
    assert found.srocc["overall"] == pytest.approx(
        stats.spearmanr(table["overall"], table["label"]).statistic
    )
    swapped = table.assign(overall=-table["overall"])
    assert examine(swapped).order == {"cast": 0.0, "h264": 0.0}
