"""Encode a bitrate ladder with ffmpeg and report which encodes keep the quality of the source.

    python examples/compare_transcodes.py [SOURCE]

Without a source the script uses a short clip of Big Buck Bunny.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from clips import write_clip

from dover_plugin import Scorer
from dover_plugin.analysis.comparing import compare_many
from dover_plugin.analysis.comparison import Comparison, by_loss, knee
from dover_plugin.reporting.html import comparison_report, write_report
from dover_plugin.reporting.plots import draw_ladder
from dover_plugin.reporting.style import save_figure

OUT = Path("build/examples")
CRFS = (18, 28, 38, 48)


def main() -> None:
    if not shutil.which("ffmpeg"):
        sys.exit("This example needs ffmpeg on the PATH.")
    OUT.mkdir(parents=True, exist_ok=True)
    if len(sys.argv) > 1:
        source = Path(sys.argv[1])
    else:
        source = write_clip(OUT / "source.mp4", 192, (360, 640), crf=10)
    encodes = [encode(source, crf) for crf in CRFS]
    compared = compare_many(source, encodes, Scorer(), seconds=1)  # scores the source once
    found = [each for each in compared if isinstance(each, Comparison)]
    for each in by_loss(found):
        print(each.sentence())
    bend = knee(found)
    if bend:
        print(f"The knee of the ladder is {Path(str(bend.after.info.path)).name}.")
    save_figure(draw_ladder(found), OUT / "ladder.png")
    write_report(comparison_report(found), OUT / "ladder.html")
    print(f"\n{OUT / 'ladder.png'}, {OUT / 'ladder.html'}")


def encode(source: Path, crf: int) -> Path:
    target = OUT / f"crf{crf}.mp4"
    options = ["-an", "-c:v", "libx264", "-preset", "veryfast", "-crf", str(crf)]
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(source), *options, str(target)]
    subprocess.run(command, check=True)
    return target


if __name__ == "__main__":
    main()
