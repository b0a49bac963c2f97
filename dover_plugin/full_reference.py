"""Full-reference metrics beside the comparison: what is left of the source's pixels.

They need frames that show the same at the same size, which DOVER does not.
"""

import json
import math
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dover_plugin.errors import SettingsError
from dover_plugin.segments import Segment
from dover_plugin.video import FrameSource, open_source
from dover_plugin.views import Picture

METRICS = ("ssimulacra2", "vmaf")
FRAMES = 4  # of each segment that SSIMULACRA 2 looks at, evenly spread


def full_reference(
    metric: str, before: Path, after: Path, segments: Sequence[Segment]
) -> list[float]:
    """One number a segment, higher for closer; 100 is the same in both metrics.

    Args:
        metric: one of METRICS.
        before: the source.
        after: with the source's size and frames.
        segments: of both.

    Raises:
        SettingsError: sizes or frames differ, or what computes it is missing.
        VideoError: a frame cannot be decoded.
    """
    sources = open_source(before), open_source(after)
    old, new = (source.info for source in sources)
    for name in ("height", "width", "num_frames"):
        if getattr(old, name) != getattr(new, name):
            raise SettingsError(
                f"{metric} needs equal frames, and '{after}' has {name} {getattr(new, name)}, not "
                f"{getattr(old, name)}. Leave out --metric."
            )
    if metric == "ssimulacra2":
        return _ssimulacra2(*sources, segments)
    return _vmaf(before, after, segments)


def ssimulacra2(frames: Picture, reference: Picture) -> list[float]:
    """Of each pair of frames (T, H, W, 3) uint8 RGB, by vapoursynth-vszip; 100 is the same.

    Raises:
        SettingsError: the plugin is missing.
    """
    try:
        import vapoursynth as vs

        compute = vs.core.vszip.SSIMULACRA2
    except (ImportError, AttributeError):
        raise SettingsError(
            "SSIMULACRA 2 is computed by vapoursynth-vszip, which is not installed. Install it "
            "with 'pip install vapoursynth vapoursynth-vszip'."
        ) from None
    scored = compute(*(_node(each) for each in (reference, frames)))
    return [float(frame.props["SSIMULACRA2"]) for frame in scored.frames(close=True)]


def _ssimulacra2(
    before: FrameSource, after: FrameSource, segments: Sequence[Segment]
) -> list[float]:
    chosen = [
        sorted({start + (2 * i + 1) * (end - start) // (2 * FRAMES) for i in range(FRAMES)})
        for start, end in segments
    ]
    wanted = sorted({index for indices in chosen for index in indices})
    found = {}
    for (index, old), (_, new) in zip(before.frames(wanted), after.frames(wanted), strict=True):
        (found[index],) = ssimulacra2(new[None], old[None])
    return [float(np.mean([found[index] for index in indices])) for indices in chosen]


def _vmaf(before: Path, after: Path, segments: Sequence[Segment]) -> list[float]:
    program = shutil.which("ffmpeg")
    filters = program and subprocess.run(
        [program, "-hide_banner", "-filters"], capture_output=True, text=True, check=False
    )
    if not (program and filters and "libvmaf" in filters.stdout):
        raise SettingsError(
            "VMAF is computed by ffmpeg with libvmaf, which is not here. Install such an ffmpeg, "
            "or take --metric ssimulacra2."
        )
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "vmaf.json"
        files = ["-i", str(after.absolute()), "-i", str(before.absolute())]
        command = [program, "-v", "error", *files, "-lavfi"]
        done = subprocess.run(
            [*command, "libvmaf=log_fmt=json:log_path=vmaf.json", "-f", "null", "-"],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
        )
        if done.returncode or not log.exists():
            said = next(iter(done.stderr.strip().splitlines()), "it said nothing")
            raise SettingsError(f"ffmpeg could not compute VMAF of '{after}': {said}.")
        frames = json.loads(log.read_text())["frames"]
    values = [float(frame["metrics"]["vmaf"]) for frame in frames]
    return [
        float(np.mean(values[start:end])) if values[start:end] else math.nan
        for start, end in segments
    ]


def _node(frames: Picture):  # type: ignore[no-untyped-def]  # a VideoNode
    import vapoursynth as vs

    count, height, width = frames.shape[:3]
    blank = vs.core.std.BlankClip(
        format=vs.RGB24, width=width, height=height, length=count, keep=True
    )

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        filled = f.copy()
        for plane in range(3):
            np.asarray(filled[plane])[:] = frames[n, :, :, plane]
        return filled

    return vs.core.std.ModifyFrame(blank, blank, fill)
