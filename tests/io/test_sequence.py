"""Image sequences: the order of frames, and clear errors for everything else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import number_of, numbered, scene
from PIL import Image

from dover_plugin import ImageSequence, Scorer, SettingsError, VideoError
from dover_plugin.batch.journal import stamp_of
from dover_plugin.io.open import open_source, reopen


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames f0.png to f11.png, whose names sort in another order, and a text file."""
    path = tmp_path_factory.mktemp("frames")
    for index, frame in enumerate(numbered(12)):
        Image.fromarray(frame).save(path / f"f{index}.png")
    (path / "notes.txt").write_text("no image")
    (path / ".hidden.png").write_text("no image")
    return path


@pytest.mark.parametrize("name", ["", "f%d.png", "f*.png", "f%01d.png"])
def test_images_are_frames_in_the_order_of_their_numbers(name: str, folder: Path) -> None:
    source = ImageSequence(folder / name if name else folder, fps=24)
    info = source.info
    assert (info.num_frames, info.height, info.width, info.fps) == (12, 160, 320, 24)
    assert info.path == str(folder / name if name else folder)
    assert [(i, number_of(f)) for i, f in source.frames(range(12))] == [(i, i) for i in range(12)]
    assert info.duration == 0.5
    again = reopen(info)
    assert again is not None
    assert again.info == info


def test_a_list_of_images(folder: Path) -> None:
    source = ImageSequence([folder / f"f{i}.png" for i in (3, 1, 2)])
    assert [number_of(frame) for _, frame in source.frames(range(3))] == [3, 1, 2]
    assert source.info.path is None


def test_a_sequence_is_scored_as_its_frames(bundled: Scorer, tmp_path: Path) -> None:
    frames = list(scene(40, 240, 320))
    for index, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / f"{index:03}.png")
    scores = bundled.score(ImageSequence(tmp_path, fps=25))
    assert scores.raw == bundled.score(frames).raw
    assert scores.settings.reading == "as_sequence, fps=25"


def test_a_part_of_a_sequence_is_recorded(bundled: Scorer, folder: Path) -> None:
    source = open_source(folder, as_sequence=True, start=4, end=8)
    scores = bundled.score(source)
    assert (scores.num_frames, scores.settings.reading) == (4, "start=4, end=8, as_sequence")
    assert scores.info is not None
    again = reopen(scores.info)
    assert again is not None
    assert [number_of(frame) for _, frame in again.frames([0, 3])] == [4, 7]


def test_warnings_of_any_image_are_kept(tmp_path: Path) -> None:
    for index, frame in enumerate(scene(3, 240, 320)):
        Image.fromarray(frame).save(tmp_path / f"{index}.jpg")
    whole = (tmp_path / "1.jpg").read_bytes()
    (tmp_path / "1.jpg").write_bytes(whole[: len(whole) // 2])
    source = ImageSequence(tmp_path, allow_damaged=True)
    assert source.info.warnings == ()
    assert len(list(source.frames(range(3)))) == 3
    [warning] = source.info.warnings
    assert "cut off" in warning
    with pytest.raises(VideoError, match=r"1\.jpg' is cut off"):
        list(ImageSequence(tmp_path).frames(range(3)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_cut_off_image_has_no_score(kind: str, tmp_path: Path) -> None:
    file = tmp_path / f"image.{kind.lower()}"
    Image.fromarray(next(iter(scene(1, 240, 320)))).save(file, kind)
    assert open_source(file).info.warnings == ()
    data = file.read_bytes()
    if kind == "JPEG":  # cameras write more after the image
        file.write_bytes(data + b"trailing bytes")
        assert open_source(file).info.num_frames == 1
    file.write_bytes(data[:-40])
    with pytest.raises(VideoError):
        list(open_source(file).frames([0]))


def test_the_stamp_of_a_sequence_follows_its_images(folder: Path, tmp_path: Path) -> None:
    for index in range(3):
        (tmp_path / f"{index}.png").write_bytes((folder / f"f{index}.png").read_bytes())
    places = [str(tmp_path), str(tmp_path / "%d.png")]
    before = [stamp_of(place) for place in places]
    assert before[0] == before[1]
    (tmp_path / "1.png").write_bytes((folder / "f11.png").read_bytes())
    assert all(stamp_of(p) != stamp for p, stamp in zip(places, before, strict=True))
    assert stamp_of(str(tmp_path / "none")) == stamp_of(str(tmp_path / "x%d.png")) == (None, None)


def test_missing_numbers_give_a_warning(folder: Path, tmp_path: Path) -> None:
    for index in (0, 1, 2, 5, 6):
        (tmp_path / f"{index:04}.png").write_bytes((folder / f"f{index}.png").read_bytes())
    assert ImageSequence(tmp_path).info.warnings == (
        "2 numbers are missing between images 0 and 6",
    )
    assert ImageSequence(folder).info.warnings == ()


def test_bad_sequences_are_refused(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for name in ("a.png", "b.jpg"):
        Image.new("RGB", (8, 8)).save(mixed / name)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "1.png").write_bytes(b"no image")
    for images, says in (
        (empty, "holds no images"),
        (mixed, "images of several types (.jpg: 1, .png: 1)"),
        (broken, "1.png' cannot be read as a video"),
        (tmp_path / "none", "There is no folder or pattern"),
        (tmp_path / "%04d.png", "No image matches the pattern"),
        (tmp_path / "*.png", "No image matches the pattern"),
        (folder / "f0.png", "is a file, not an image sequence"),
    ):
        with pytest.raises(VideoError) as caught:
            open_source(images, as_sequence=True)
        assert says in str(caught.value)
    with pytest.raises(VideoError, match="is empty"):
        ImageSequence([])


def test_images_of_other_sizes_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "0.png")
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(tmp_path / "1.png")
    source = ImageSequence(tmp_path)
    with pytest.raises(VideoError, match=r"1.png' is 9x8 and the first image is 8x8"):
        list(source.frames([0, 1]))


def test_options_of_files_are_refused(folder: Path) -> None:
    for options in ({"decoder": "decord"}, {"stream": 1}, {"deinterlace": True}):
        with pytest.raises(SettingsError, match="Image sequences have no streams"):
            open_source(folder, as_sequence=True, **options)  # type: ignore[arg-type]


def test_a_folder_or_pattern_without_the_option_names_it(folder: Path) -> None:
    for path in (folder, folder / "f%d.png"):
        with pytest.raises(VideoError, match="--as-sequence"):
            open_source(path)


@pytest.mark.parametrize("images", [None, 3, [1, 2], [None], [b"a.png"]])
def test_what_is_no_list_of_images_is_refused(images: Any) -> None:
    with pytest.raises(VideoError, match="is a folder, a pattern or a list of paths"):
        ImageSequence(images)
