"""Full-reference metrics beside a comparison: SSIMULACRA 2 and VMAF.

Both need aligned frames of equal size; DOVER does not.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from dover_plugin.analysis.comparison import Comparison
from dover_plugin.analysis.segments import Segment
from dover_plugin.errors import SettingsError
from dover_plugin.io.open import open_source
from dover_plugin.io.source import VideoInfo
from dover_plugin.preprocessing.views import Picture
from dover_plugin.text import name_of

METRICS = ("ssimulacra2", "vmaf")
# Frames are paired by number; timestamps are ignored.
VMAF = (
    "[0:v]setpts=N/TB[after];[1:v]setpts=N/TB[before];"
    "[after][before]libvmaf=log_fmt=json:log_path=vmaf.json"
)
FRAMES = 4  # evenly spread frames per segment for SSIMULACRA 2


def require(metrics: Sequence[str]) -> None:
    """Raise SettingsError unless all of these METRICS can be computed on this machine."""
    for name in metrics:
        if name not in METRICS:
            raise SettingsError(f"No metric is named {name!r}. Choose from {', '.join(METRICS)}.")
        if name == "ssimulacra2":
            _compute_ssimulacra2()
        else:
            _ffmpeg_with_vmaf()


def measured(found: Comparison, metrics: Sequence[str]) -> Comparison:
    """Add full-reference metrics to a comparison; 100 means identical for both metrics.

    A warning is added where frame sizes or counts differ, or a metric cannot be computed.

    Args:
        found: comparison of two files.
        metrics: names from METRICS.

    Raises:
        VideoError: a frame cannot be decoded.
    """
    before, after = found.before.info, found.after.info
    segments = [pair.after.segment for pair in found.pairs]
    warnings = list(found.warnings)
    computed = {}
    for metric in metrics:
        other = [n for n in ("width", "height", "num_frames") if _differ(before, after, n)]
        if other:
            warnings.append(
                f"{name_of(after.path)}: {metric} needs equal frame sizes and counts "
                f"({other[0]} is "
                f"{getattr(after, other[0])}, not {getattr(before, other[0])})"
            )
            continue
        try:
            compute = _ssimulacra2 if metric == "ssimulacra2" else _vmaf
            computed[metric] = compute(Path(before.path or ""), Path(after.path or ""), segments)
        except SettingsError as error:
            warnings.append(f"{name_of(after.path)}: {metric} failed: {error}")
    return replace(found, metrics=computed, warnings=warnings)


def ssimulacra2(frames: Picture, reference: Picture) -> list[float]:
    """SSIMULACRA 2 of each pair of frames, computed by vapoursynth-vszip; 100 means identical.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        reference: (T, H, W, 3) uint8 RGB.

    Raises:
        SettingsError: the plugin is missing.
    """
    scored = _compute_ssimulacra2()(*(_node(each) for each in (reference, frames)))
    return [float(frame.props["SSIMULACRA2"]) for frame in scored.frames(close=True)]


def _differ(before: VideoInfo, after: VideoInfo, name: str) -> bool:
    return bool(getattr(before, name) != getattr(after, name))


def _compute_ssimulacra2() -> Any:
    try:
        import vapoursynth as vs

        return vs.core.vszip.SSIMULACRA2
    except (ImportError, AttributeError):
        raise SettingsError(
            "SSIMULACRA 2 needs vapoursynth-vszip, which is not installed. Install it "
            "with 'pip install vapoursynth vapoursynth-vszip'."
        ) from None


def _ffmpeg_with_vmaf() -> str:
    program = shutil.which("ffmpeg")
    filters = program and subprocess.run(
        [program, "-hide_banner", "-filters"], capture_output=True, text=True, check=False
    )
    if not (program and filters and "libvmaf" in filters.stdout):
        raise SettingsError(
            "VMAF needs an ffmpeg with libvmaf, which was not found. Install one, or use --metric "
            "ssimulacra2."
        )
    return program


def _ssimulacra2(before: Path, after: Path, segments: Sequence[Segment]) -> list[float]:
    sources = open_source(before), open_source(after)
    chosen = [
        sorted({start + (2 * i + 1) * (end - start) // (2 * FRAMES) for i in range(FRAMES)})
        for start, end in segments
    ]
    wanted = sorted({index for indices in chosen for index in indices})
    found = {}
    for (index, old), (_, new) in zip(*(source.frames(wanted) for source in sources), strict=True):
        (found[index],) = ssimulacra2(new[None], old[None])
    return [float(np.mean([found[index] for index in indices])) for indices in chosen]


def _vmaf(before: Path, after: Path, segments: Sequence[Segment]) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "vmaf.json"
        files = ["-i", str(after.absolute()), "-i", str(before.absolute())]
        command = [_ffmpeg_with_vmaf(), "-nostdin", "-v", "error", *files, "-lavfi", VMAF]
        done = subprocess.run(
            [*command, "-f", "null", "-"],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
        )
        if done.returncode or not log.exists():
            said = next(iter(done.stderr.strip().splitlines()), "no message")
            raise SettingsError(f"ffmpeg failed to compute VMAF of '{after}': {said}.")
        frames = json.loads(log.read_text())["frames"]
    if len(frames) < segments[-1].end:
        raise SettingsError(
            f"ffmpeg compared {len(frames)} frames of '{after}', not {segments[-1].end}."
        )
    values = [float(frame["metrics"]["vmaf"]) for frame in frames]
    return [fmean(values[start:end]) for start, end in segments]


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
