"""Real scripts through vspipe, into real encoders."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import pytest
from clips import write_clip

BIN = Path(sys.executable).parent
ENV = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
SCRIPT = """
import vapoursynth as vs
clip = vs.core.bs.VideoSource({path!r}, cachemode=0)
"""
FILTER = """
from vs_filter import dover, dover_segments
plain = clip
clip = dover(plain, device="cpu", weights={weights!r}, segment=32)
dover_segments(plain, device="cpu", weights={weights!r}, segment=32).set_output(1)
"""
OUTPUT = "clip.set_output()\n"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("vspipe") / "source.mp4", 96, (120, 160))


@pytest.fixture(scope="module")
def scripts(source: Path, seeded: dict[str, Path]) -> dict[str, Path]:
    plain = SCRIPT.format(path=str(source))
    texts = {
        "plain": plain + OUTPUT,
        "scored": plain + FILTER.format(weights=str(seeded["dover-open"])) + OUTPUT,
        "long": plain
        + "clip = clip * 50\n"
        + FILTER.format(weights=str(seeded["dover-open"]))
        + OUTPUT,
    }
    for name, text in texts.items():
        source.with_name(f"{name}.vpy").write_text(text)
    return {name: source.with_name(f"{name}.vpy") for name in texts}


def vspipe(*args: object, **kwargs: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [BIN / "vspipe", *map(str, args)], env=ENV, capture_output=True, timeout=120, **kwargs
    )


def props(script: Path, folder: Path, *args: object) -> list[dict[str, Any]]:
    target = folder / "props.json"
    done = vspipe(*args, "--json", target, script, "--")
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(target.read_text())
    frames = found["frames"] if isinstance(found, dict) else found
    return [frame.get("props", frame) for frame in frames]


def value(prop: Any) -> Any:
    while isinstance(prop, dict | list):
        prop = prop["value"] if isinstance(prop, dict) else prop[0]
    return prop


def test_output_is_byte_identical_to_the_unfiltered_script(scripts: dict[str, Path]) -> None:
    plain, scored = (vspipe("-c", "y4m", scripts[name], "-") for name in ("plain", "scored"))
    assert plain.returncode == scored.returncode == 0, scored.stderr
    assert plain.stdout == scored.stdout
    assert len(plain.stdout) > 96 * 160 * 120


def test_properties_as_json(scripts: dict[str, Path], tmp_path: Path) -> None:
    frames = props(scripts["scored"], tmp_path)
    assert len(frames) == 96
    assert [value(frame["DoverSegment"]) for frame in frames] == [n // 32 for n in range(96)]
    assert all(0 <= value(frame["DoverOverall"]) <= 1 for frame in frames)
    segments = props(scripts["scored"], tmp_path, "-o", 1)
    assert [value(s["DoverOverall"]) for s in segments] == [
        value(frames[32 * n]["DoverOverall"]) for n in range(3)
    ]


def test_chunks_have_the_properties_of_the_whole(scripts: dict[str, Path], tmp_path: Path) -> None:
    """As av1an does: vspipe -s -e for each chunk, whose ends are not those of segments."""
    whole = props(scripts["scored"], tmp_path)
    chunks = [
        props(scripts["scored"], tmp_path, "-s", start, "-e", end)
        for start, end in ((0, 40), (41, 95))
    ]
    names = [name for name in whole[0] if name.startswith("Dover")]
    assert [[f[n] for n in names] for c in chunks for f in c] == [
        [f[n] for n in names] for f in whole
    ]


@pytest.mark.parametrize("engine", ["torch", "openvino"])
@pytest.mark.parametrize("end", [18, 24, 40])
def test_a_run_ends_while_the_next_segment_is_scored(
    source: Path, tmp_path: Path, seeded: dict[str, Path], engine: str, end: int
) -> None:
    """Libraries are destroyed at the end of vspipe, and the network must not run by then."""
    script = tmp_path / "ends.vpy"
    script.write_text(
        SCRIPT.format(path=str(source))
        + "from vs_filter import dover\n"
        + f"clip = dover(clip, device='cpu', weights={str(seeded['dover-open'])!r}, segment=32, "
        + f"engine={engine!r})\n"
        + OUTPUT
    )
    done = vspipe("-e", end, script, "--")
    assert done.returncode == 0, done.stderr.decode()


ENCODERS = {
    "x264": "x264 --quiet --demuxer y4m -o out.264 -".split(),
    "x265": [
        "x265",
        "--log-level",
        "error",
        "--y4m",
        "--preset",
        "ultrafast",
        "-o",
        "out.265",
        "-",
    ],
    "ffmpeg": "ffmpeg -v error -y -i - -c:v libx264 -preset ultrafast out.mkv".split(),
}


@pytest.mark.parametrize(
    "encoder", [pytest.param(e, marks=pytest.mark.program(e)) for e in ENCODERS]
)
def test_encodes(encoder: str, scripts: dict[str, Path], tmp_path: Path) -> None:
    with subprocess.Popen(
        [BIN / "vspipe", "-c", "y4m", scripts["scored"], "-"], env=ENV, stdout=subprocess.PIPE
    ) as pipe:
        done = subprocess.run(ENCODERS[encoder], stdin=pipe.stdout, cwd=tmp_path, timeout=120)
    assert done.returncode == pipe.returncode == 0
    (made,) = tmp_path.iterdir()
    with av.open(str(made)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 96


def test_an_error_in_the_script_is_clear(scripts: dict[str, Path], tmp_path: Path) -> None:
    script = tmp_path / "broken.vpy"
    script.write_text(scripts["scored"].read_text().replace("weights=", "model='dovr', weights="))
    done = vspipe("-c", "y4m", script, "-")
    assert done.returncode != 0
    assert done.stdout == b""
    assert (
        done.stderr.decode()
        .strip()
        .splitlines()[-1]
        .endswith(
            "dover: No model is named 'dovr'. Did you mean 'dover'? "
            "Choose from dover-open, fast-vqa, fastervqa, fast-vqa-m, dover, dover-mobile, dover++."
        )
    )


def test_an_error_in_the_middle_is_clear(source: Path, seeded: dict[str, Path]) -> None:
    text = SCRIPT.format(path=str(source)) + "clip = clip.std.SetFrameProps(_Matrix=0)\n"
    script = source.with_name("middle.vpy")
    script.write_text(text + FILTER.format(weights=str(seeded["dover-open"])) + OUTPUT)
    done = vspipe("-c", "y4m", script, "-")
    assert done.returncode != 0
    says = "dover: A YUV frame has _Matrix=0"
    (line,) = [line for line in done.stderr.decode().splitlines() if says in line]
    assert "std.SetFrameProps(clip, _Matrix=1)" in line


def test_an_interrupt_leaves_no_process(scripts: dict[str, Path]) -> None:
    process = subprocess.Popen(
        [BIN / "vspipe", "-o", "1", "-c", "y4m", scripts["long"], "--"],
        env=ENV,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(6)  # torch is loaded and segments are being scored
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    process.wait(60)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
