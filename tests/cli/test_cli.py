"""The command line in processes of its own: streams, exit codes, messages."""

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

DOVER = str(Path(sys.executable).with_name("dover"))

type Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def call(*args: object, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [DOVER, *map(str, args)],
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=120,
            env=os.environ | {"COLUMNS": "200"} | env,
        )

    return call


@pytest.fixture
def weights(seeded: dict[str, Path]) -> tuple[object, ...]:
    return ("--weights", seeded["dover-open"])


def one_line(done: subprocess.CompletedProcess[str], *says: str) -> None:
    """The error is one line on standard error; standard output is empty."""
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("dover: ")
    for part in says:
        assert part in done.stderr


def test_json_is_one_object_a_line_and_alone_on_stdout(
    run: Run, clip: Path, weights: tuple[object, ...], tmp_path: Path
) -> None:
    missing = tmp_path / "none.mp4"
    done = run("score", clip, missing, clip, "--format", "json", *weights)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["path"] for row in rows] == [str(clip), str(missing), str(clip)]
    assert rows[0]["overall"] == rows[2]["overall"]
    assert rows[1]["overall"] is None
    assert "no file" in rows[1]["error"]
    assert done.returncode == 1
    assert done.stderr == f"dover: {rows[1]['error']}\n"


def test_table(run: Run, clip: Path, weights: tuple[object, ...], tmp_path: Path) -> None:
    done = run("score", clip, tmp_path / "none.mp4", *weights)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["video", "technical", "aesthetic", "overall"]
    assert re.fullmatch(rf"{re.escape(str(clip))}( +[01]\.\d{{3}}){{3}}", lines[1].strip())
    assert lines[2].split()[1:] == ["failed"] * 3
    assert "error: There is no file" in done.stdout
    assert "matched fusion, centred, openvino float32 on cpu" in lines[-1]


def test_a_table_shows_warnings(run: Run, clip: Path, seeded: dict[str, Path]) -> None:
    options = ("-m", "dover-mobile", "--weights", seeded["dover-mobile"], "--engine", "torch")
    done = run("score", clip, *options)
    assert "note: dover-mobile is uncalibrated" in done.stdout


def test_csv_to_a_file(run: Run, clip: Path, weights: tuple[object, ...], tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    done = run("score", clip, "--output", target, *weights)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{target}: 1 scored\n")
    (row,) = csv.DictReader(io.StringIO(target.read_text()))
    assert row["path"] == str(clip)
    assert 0 <= float(row["overall"]) <= 1
    assert row["error"] == ""


def test_ranks(run: Run, clip: Path, seeded: dict[str, Path]) -> None:
    options = ("-m", "dover", "--weights", seeded["dover"], "--engine", "torch")
    done = run("score", clip, *options, "--ranks", "-f", "json")
    ranks = json.loads(done.stdout)["ranks"]
    assert set(ranks["LIVE-VQC"]["technical"]) == {"percentile", "z"}


def test_ranks_of_another_model(run: Run, clip: Path, weights: tuple[object, ...]) -> None:
    done = run("score", clip, "--ranks", *weights)
    one_line(done, "Percentile ranks exist for the model dover only", "--model dover")
    assert done.returncode == 2


def test_a_folder_is_searched(
    run: Run, clip: Path, weights: tuple[object, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    (folder / "deep er").mkdir(parents=True)
    (folder / "deep er" / "b.MKV").symlink_to(clip)
    (folder / "a.mp4").symlink_to(clip)
    (folder / "notes.txt").write_text("no video")
    (folder / "._a.mp4").write_bytes(b"\0\5\x16\7")  # as macOS writes beside a.mp4
    (folder / "loop").symlink_to(folder)
    done = run("score", folder, "-f", "json", *weights)
    paths = [json.loads(line)["path"] for line in done.stdout.splitlines()]
    assert paths == [str(folder / "a.mp4"), str(folder / "deep er" / "b.MKV")]
    assert done.returncode == 0
    assert done.stderr == (
        f"dover: Left out in '{folder}': 1 without a video suffix (.txt: 1), 1 hidden. "
        "Pass a file by its path to include it.\n"
    )


def test_a_folder_without_videos_is_a_failure(
    run: Run, weights: tuple[object, ...], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    done = run("score", tmp_path / "empty", "-f", "json", *weights)
    assert done.returncode == 1
    assert "is a folder without videos" in json.loads(done.stdout)["error"]


@pytest.mark.parametrize("name", ["with space.mp4", "new\nline.mp4", "視頻 ü.mp4", "[red]x[.mp4"])
def test_names_of_all_kinds(
    name: str, run: Run, clip: Path, weights: tuple[object, ...], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.symlink_to(clip)
    done = run("score", path, *weights)
    assert done.returncode == 0, done.stderr
    assert name.replace("\n", "\\n") in done.stdout


def test_a_name_that_is_no_text(
    run: Run, clip: Path, weights: tuple[object, ...], tmp_path: Path
) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\xfe.mp4"
    os.symlink(os.fsencode(clip), path)  # noqa: PTH211
    for output in ("table", "json", "csv"):
        done = run("score", os.fsdecode(path), "-f", output, *weights, PYTHONIOENCODING="utf-8")
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--model", "dover-mobil"], "Did you mean 'dover-mobile'?"),
        (["--device", "cuda:7"], "not here"),
        (["--device", "gpu"], "No device is named 'gpu'"),
        (["--fusion", "mean"], "no calibration file"),
        (["--decoder", "vlc"], "No decoder is named"),
        (["--weights", "none.pth"], "no weights file"),
        (["--output", "/none/x.csv"], "Directory '/none' does not exist. Create it first."),
        (
            ["--output", "x.json"],
            "Unsupported output type '.json'; use .jsonl, .csv or .parquet.",
        ),
        (["--output", "x.csv", "--format", "json"], "--format cannot be used with --output"),
        (["--restart"], "--restart and --retry-failed require --output"),
        (["--timeout", "0"], "Limits must be above 0"),
        (["--memory", "0"], "Limits must be above 0"),
    ],
)
def test_wrong_use_is_one_line(
    args: list[str], says: str, run: Run, clip: Path, weights: tuple[object, ...]
) -> None:
    done = run("score", clip, *weights, *args)
    one_line(done, says)
    assert done.returncode == 2


def test_nothing_is_overwritten(run: Run, clip: Path, weights: tuple[object, ...]) -> None:
    before = clip.read_bytes()
    done = run("score", clip, "--output", clip, *weights)
    one_line(done, "Unsupported output type '.mp4'; use .jsonl, .csv or .parquet.")
    assert clip.read_bytes() == before


def test_a_video_on_standard_input(clip: Path, weights: tuple[object, ...]) -> None:
    with clip.open("rb") as video:
        done = subprocess.run(
            [DOVER, "score", "-"], stdin=video, capture_output=True, text=True, timeout=120
        )
    one_line(done, "Standard input holds binary data, not a list of paths", "as an argument")
    assert done.returncode == 2


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_standard_streams(
    closed: str, clip: Path, weights: tuple[object, ...], tmp_path: Path
) -> None:
    """What would go to a closed stream is dropped; the exit code and the files stay."""
    output = tmp_path / "out.csv"
    command = f"{DOVER} score '{clip}' -o '{output}' {' '.join(map(str, weights))} {closed}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (row,) = csv.DictReader(io.StringIO(output.read_text()))
    assert row["path"] == str(clip)
    missing = f"{DOVER} score '{tmp_path}/none.mp4' {' '.join(map(str, weights))} >&-"
    done = subprocess.run(missing, shell=True, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_full_disk_is_one_line(run: Run, clip: Path, weights: tuple[object, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [DOVER, "score", str(clip), "-f", "json", *map(str, weights)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "No space left" in done.stderr


def test_unknown_options_and_formats(run: Run, clip: Path) -> None:
    for args in (["--formt", "json"], ["--format", "xml"], ["--seed", "x"]):
        done = run("score", clip, *args)
        assert done.returncode == 2
        assert done.stdout == ""
        assert "Traceback" not in done.stderr


def test_missing_weights_quote_the_license_and_the_command(run: Run, clip: Path) -> None:
    done = run("score", clip, "-m", "dover-mobile")
    one_line(done, "non-commercial", "dover weights download dover-mobile --accept-license")
    assert done.returncode == 2


def test_a_terminal_is_asked_for_consent(clip: Path) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [DOVER, "score", str(clip), "-m", "dover-mobile"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        close_fds=True,
    )
    os.close(slave)
    os.write(master, b"n\n")
    seen = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            part = os.read(master, 4096)
        except OSError:  # the other end is closed
            break
        seen += part
    assert process.wait(30) == 2
    os.close(master)
    assert b"Accept the license and download 43 MB?" in seen
    assert b"not accepted" in seen


def test_version_help_and_completion(run: Run) -> None:
    assert re.fullmatch(r"dover \d+\.\d+\.\d+\n", run("--version").stdout)
    assert "Exit codes" in run("--help").stdout
    settled = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # whichever shell runs this
    assert "_dover_completion" in run("--show-completion", "bash", **settled).stdout


def test_help_does_not_wait_for_torch() -> None:
    code = (
        "import sys; sys.argv = ['dover', 'score', '--help']\n"
        "from dover_plugin.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'av', 'decord', 'pandas', 'fiftyone', 'vapoursynth', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_doctor(run: Run) -> None:
    done = run("doctor")
    assert done.returncode == 0, done.stdout
    for part in ("torch", "weights of dover-mobile", "cache"):
        assert part in done.stdout
    for decoder in ("decord", "pyav"):
        assert re.search(rf"ok +{decoder} +[\d.]+, read 3 frames", done.stdout)


def test_doctor_finds_a_cache_that_cannot_be_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("doctor", DOVER_HOME=str(tmp_path / "file"))
    assert done.returncode == 1
    assert re.search(r"broken +cache.*set DOVER_HOME", done.stdout)


def test_weights_commands(run: Run, seeded: dict[str, Path], tmp_path: Path) -> None:
    listed = run("weights", "list").stdout
    for part in (
        "dover-open",
        "dover-mobile",
        "dover++",
        "240 MB",
        "S-Lab License 1.0",
        "Apache License",
    ):
        assert part in listed
    done = run("weights", "download", "dover-mobile")
    one_line(done, "not accepted")
    done = run("weights", "verify")
    assert re.fullmatch(r"dover-open: [0-9a-f]{64}\n", done.stdout)
    done = run("weights", "verify", "dover")
    one_line(done, "dover weights download dover")
    target = tmp_path / "w.safetensors"
    done = run("weights", "convert", seeded["dover-mobile"], target, "-m", "dover-mobile")
    assert done.stdout == f"{target}\n"
    done = run("weights", "convert", seeded["dover-mobile"], target, "-m", "dover")
    one_line(done, "It fits dover-mobile")


def test_ctrl_c_ends_without_a_traceback(clip: Path, seeded: dict[str, Path]) -> None:
    import signal

    paths = [str(clip)] * 200
    process = subprocess.Popen(
        [DOVER, "score", *paths, "-f", "json", "--weights", str(seeded["dover-open"])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    process.stdout.readline()  # the first result
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_a_closed_pipe_ends_quietly(clip: Path, seeded: dict[str, Path]) -> None:
    command = f"{DOVER} score {clip} {clip} {clip} -f json --weights {seeded['dover-open']}"
    done = subprocess.run(
        f"{command} | head -n 1", shell=True, capture_output=True, text=True, timeout=120
    )
    assert json.loads(done.stdout)["path"] == str(clip)
    assert done.stderr == ""
