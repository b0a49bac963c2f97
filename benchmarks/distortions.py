"""Measure the distortions of degraded copies of clips, on which the thresholds of a diagnosis rest.

    python benchmarks/distortions.py clip.mp4 ...

prints, for each degradation, the distortion that it should raise: its value in the clean clip, then
in copies of rising strength, and the severities. Copies are made with PyAV from the first two
seconds.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from dover_plugin.analysis.diagnosis import Finding, diagnose
from dover_plugin.io.filters import FilterChain

LENGTH = 60  # frames
LOSSLESS: tuple[str, dict[str, str]] = ("ffv1", {})

type Planes = NDArray[np.uint8]  # (H * 3 / 2, W), YUV 4:2:0
type Luma = NDArray[np.float64]
type Change = Callable[[list[Planes]], list[Planes]]


def read(path: str) -> list[Planes]:
    """The first frames of a clip in YUV 4:2:0."""
    frames: list[Planes] = []
    with av.open(path) as container:
        for frame in container.decode(video=0):
            frames.append(frame.reformat(format="yuv420p").to_ndarray().astype(np.uint8))
            if len(frames) == LENGTH:
                break
    return frames


def write(path: Path, frames: Sequence[Planes], codec: str, options: dict[str, str]) -> Path:
    """Encode frames."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = frames[0].shape[0] * 2 // 3, frames[0].shape[1]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number, planes in enumerate(frames):
            frame = VideoFrame.from_ndarray(planes, format="yuv420p")
            if codec == "mjpeg":
                frame = frame.reformat(format="yuvj420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def luma(change: Callable[[Luma, int], Luma]) -> Change:
    """Change the luma of each frame, by its number."""

    def changed(frames: list[Planes]) -> list[Planes]:
        height = len(frames[0]) * 2 // 3
        copies = [frame.copy() for frame in frames]
        for number, frame in enumerate(copies):
            values = change(frame[:height].astype(np.float64), number)
            frame[:height] = np.clip(values.round(), 16, 235)
        return copies

    return changed


def filtered(*filters: tuple[str, str]) -> Change:
    """Pass frames through filters of FFmpeg."""

    def changed(frames: list[Planes]) -> list[Planes]:
        pictures = [VideoFrame.from_ndarray(frame, format="yuv420p") for frame in frames]
        chain = FilterChain(pictures[0], filters)
        done = [f for i, picture in enumerate(pictures) for _, f in chain.push(picture, i)]
        done += [frame for _, frame in chain.finish()]
        return [frame.to_ndarray().astype(np.uint8) for frame in done]

    return changed


def woven(frames: list[Planes]) -> list[Planes]:
    """Fields of consecutive frames."""
    pairs = zip(frames[::2], frames[1::2], strict=False)
    return [np.where(np.arange(len(a))[:, None] % 2 == 0, a, b) for a, b in pairs]


def noise(rng: np.random.Generator, sigma: float, y: Luma, _: int) -> Luma:
    """Add white noise."""
    noisy: Luma = y + rng.normal(0, sigma, y.shape)
    return noisy


def scaled(gain: float, y: Luma, _: int) -> Luma:
    """Scale the distance from black."""
    return 16 + (y - 16) * gain


def swung(swing: float, y: Luma, number: int) -> Luma:
    """Raise even frames and lower odd ones."""
    return y + (swing if number % 2 == 0 else -swing)


def picked_frames(indices: Sequence[int], frames: list[Planes]) -> list[Planes]:
    """These frames in this order."""
    return [frames[i] for i in indices]


def degradations() -> Iterator[tuple[str, str, Change, str, dict[str, str]]]:
    """Distortion, description, change of the frames, codec, options of the codec."""
    rng = np.random.default_rng(0)
    same: Change = lambda frames: frames  # noqa: E731
    for sigma in (1, 2, 3, 5):
        yield "blur", f"Gaussian {sigma} px", filtered(("gblur", f"sigma={sigma}")), *LOSSLESS
    for sigma in (2, 4, 8, 16):
        noisy = luma(partial(noise, rng, sigma))
        yield "noise", f"white, deviation {sigma}", noisy, *LOSSLESS
        yield "noise", f"deviation {sigma}, x264 crf 23", noisy, "libx264", {"crf": "23"}
    for crf in ("18", "26", "32", "38", "44", "51"):
        yield "blockiness", f"x264 crf {crf}", same, "libx264", {"crf": crf}
    for codec, steps in (("mpeg2video", "2 5 10 20 31"), ("mjpeg", "5 10 31")):
        for step in steps.split():
            yield "blockiness", f"{codec} q {step}", same, codec, {"qmin": step, "qmax": step}
    for gain in (0.5, 0.3, 0.15):
        yield "underexposure", f"gain {gain}", luma(partial(scaled, gain)), *LOSSLESS
    for gain in (1.3, 1.7, 2.5):
        yield "overexposure", f"gain {gain}", luma(partial(scaled, gain)), *LOSSLESS
    for swing in (1, 2, 4):
        yield "flicker", f"+-{swing} levels", luma(partial(swung, swing)), *LOSSLESS
    yield "interlacing", "woven fields, x264 crf 23", woven, "libx264", {"crf": "23"}
    yield "interlacing", "mjpeg q 31 (progressive)", same, "mjpeg", {"qmin": "31", "qmax": "31"}
    for name, picked in (("1 of 2", [n // 2 for n in range(LENGTH)]), ("4 of 5", None)):
        indices = picked or [n * 4 // 5 for n in range(LENGTH)]
        repeated = partial(picked_frames, indices)
        yield "duplicates", f"{name}, x264 crf 28", repeated, "libx264", {"crf": "28"}
    still: Change = lambda frames: [frames[0]] * LENGTH  # noqa: E731
    for crf in ("18", "28", "38"):
        yield "freeze", f"x264 crf {crf}", still, "libx264", {"crf": crf}


def main(clips: Sequence[str]) -> None:
    """Print one table row per degradation, one column per clip."""
    sources = [read(clip) for clip in clips]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "copy.mkv"

        def value(
            frames: list[Planes], codec: str, options: dict[str, str], distortion: str
        ) -> str:
            found: Finding = diagnose(write(path, frames, codec, options))[distortion]
            return "-" if found.value is None else f"{found.value:.2f} {found.severity}"

        print(f"| distortion | copy | {' | '.join(Path(clip).stem for clip in clips)} |")
        print("|---" * (2 + len(clips)) + "|")
        seen = set()
        for distortion, name, change, codec, options in degradations():
            if distortion not in seen:
                seen.add(distortion)
                clean = [value(frames, *LOSSLESS, distortion) for frames in sources]
                print(f"| {distortion} | none | {' | '.join(clean)} |", flush=True)
            cells = [value(change(frames), codec, options, distortion) for frames in sources]
            print(f"| {distortion} | {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
