"""Commands take standard input, image sequences, URLs and parts of videos."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clips import scene
from PIL import Image
from typer.testing import CliRunner, Result

from dover_plugin import Scorer
from dover_plugin.cli import app
from dover_plugin.errors import SettingsError

type Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    def call(*arguments: object, given: bytes | None = None) -> Result:
        return CliRunner().invoke(app, [*map(str, arguments)], input=given)

    return call


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sequence")
    for index, frame in enumerate(scene(20, 120, 160)):
        Image.fromarray(frame).save(folder / f"{index:03}.png")
    return folder


def test_a_rate_is_that_of_a_sequence(run: Run, clip: Path, frames: Path) -> None:
    for command in ("score", "timeline", "diagnose"):
        done = run(command, clip, "--fps", 12)
        assert isinstance(done.exception, SettingsError)
        assert "--fps applies to image sequences" in str(done.exception)
    done = run("diagnose", frames, "--as-sequence", "--fps", 12, "-f", "json")
    (row,) = rows(done)
    assert (done.exit_code, row["num_frames"], row["fps"]) == (0, 20, 12)


def rows(done: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_video_on_standard_input(run: Run, clip: Path, bundled: Scorer) -> None:
    done = run("score", "-", "--input-format", "bytes", "-f", "json", given=clip.read_bytes())
    assert done.exit_code == 0
    (row,) = rows(done)
    assert row["technical_raw"] == bundled.score(clip).raw.technical
    assert row["path"] is None
    done = run("score", "-", "--input-format", "bytes", "-f", "json", given=b"no video")
    assert done.exit_code == 1
    assert "cannot be read as a video" in rows(done)[0]["error"]


def test_an_image_sequence(run: Run, frames: Path) -> None:
    done = run("score", frames, frames / "%03d.png", "--as-sequence", "--fps", 24, "-f", "json")
    assert done.exit_code == 0
    folder, pattern = rows(done)
    assert (folder["num_frames"], folder["fps"]) == (20, 24.0)
    assert folder["overall"] == pattern["overall"]
    assert folder["reading"] == "as_sequence, fps=24"
    done = run("compare", frames, frames, "--as-sequence", "--fps", 24, "-f", "json")
    assert json.loads(done.stdout)["comparisons"][0]["overall"]["difference"] == 0
    done = run("timeline", frames, "--as-sequence", "--fps", 24, "-f", "csv")
    assert done.exit_code == 0


def test_a_part_in_reader_processes_is_resumed_alone(run: Run, clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "part.jsonl"
    part = ("--start", "0:01", "--end", "50")
    for _ in range(2):
        done = run("score", clip, *part, "-o", output)
        assert done.exit_code == 0
    (row,) = map(json.loads, output.read_text().splitlines())
    assert (row["num_frames"], row["reading"]) == (25, "start=1s, end=50")
    assert "frames 25 to 49 of 60 are scored (1.00 s to 2.00 s)" in row["warnings"]
    done = run("score", clip, "-o", output)
    assert isinstance(done.exception, SettingsError)
    assert "holds scores with reading 'start=1s, end=50', not None" in str(done.exception)


@pytest.mark.parametrize(
    ("arguments", "given", "says"),
    [
        (
            ("score", "-"),
            b"https://a.b/c.mp4\n",
            "The list holds URLs, such as 'https://a.b/c.mp4'",
        ),
        (("timeline", "-"), b"s3://a/c.mp4\n", "The list holds URLs"),
        (("score", "-", "a.mp4", "--input-format", "bytes"), b"", "use it with - alone"),
        (("score", "-", "--input-format", "bytes", "-o", "a.csv"), b"", "without --from and"),
        (("score", "-"), b"\0\0", "or use --input-format bytes"),
        (("score", "a.mp4", "--start", "2s", "--end", "1s"), None, "2s is not before the end 1s"),
        (("score", "a.mp4", "--start", "soon"), None, "The start 'soon' is not a position"),
        (("score", "a", "--as-sequence", "--stream", "1"), None, "Image sequences have no streams"),
        (("score", "a", "--as-sequence", "--fps", "0"), None, "fps must be above 0"),
        (("compare", "a", "b", "--metric", "psnr", "--start", "1s"), None, "Omit start=1s"),
    ],
)
def test_options_that_do_not_fit(
    run: Run, arguments: tuple[str, ...], given: bytes | None, says: str
) -> None:
    done = run(*arguments, given=given)
    assert isinstance(done.exception, SettingsError), done.output
    assert says in str(done.exception)


def test_a_named_url_is_fetched(run: Run) -> None:
    for command in (("score", "-f", "json"), ("timeline", "-f", "json"), ("map", "-o", "a.png")):
        done = run(*command, "http://127.0.0.1:1/a.mp4")
        assert done.exit_code == 1
        assert "Cannot fetch 'http://127.0.0.1:1/a.mp4'" in f"{done.output}{done.exception}"
    done = run("score", "-", "--fetch-urls", "-f", "json", given=b"http://127.0.0.1:1/a.mp4\n")
    assert "Cannot fetch" in rows(done)[0]["error"]
