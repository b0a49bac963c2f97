"""Find the worst moments of a video and plot its quality over time.

    python examples/find_worst_moments.py [VIDEO]

Without a video the script makes one whose middle part is badly compressed.
"""

import subprocess
import sys
from pathlib import Path

from clips import write_clip

from dover_plugin import Scorer, Timeline, cut, open_source
from dover_plugin.analysis.segments import time_code
from dover_plugin.reporting.plots import draw_timeline
from dover_plugin.reporting.style import save_figure

OUT = Path("build/examples")


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    video = Path(sys.argv[1]) if len(sys.argv) > 1 else make_video(OUT / "film.mp4")
    scorer, source = Scorer(), open_source(video)
    segments = cut(source, "2s")
    found = Timeline(source.info, scorer.settings, list(scorer.timeline(source, segments=segments)))
    for part in found.worst(3):
        print(f"{time_code(part.start_seconds or 0)}  overall {part.scores.overall:.3f}")
    save_figure(draw_timeline(found), OUT / "timeline.png")
    print(f"\n{OUT / 'timeline.png'}")


def make_video(path: Path) -> Path:
    """Six seconds; the two in the middle are badly compressed."""
    parts = [
        write_clip(OUT / f"part{i}.mp4", 48, (360, 640), crf=crf)
        for i, crf in enumerate((16, 48, 16))
    ]
    names = OUT / "parts.txt"
    names.write_text("".join(f"file '{part.name}'\n" for part in parts))
    joined = ["ffmpeg", "-v", "error", "-y", "-f", "concat", "-i", str(names), "-c", "copy"]
    subprocess.run([*joined, str(path)], check=True)
    return path


if __name__ == "__main__":
    main()
