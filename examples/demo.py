"""Score a clip and the same clip badly compressed: ``make demo``.

The model in the package speaks, so that nothing is downloaded and no licence is to be accepted.
"""

import os
import sys
from pathlib import Path

from clips import write_clip

from dover_plugin import Scorer
from dover_plugin.reporting.text import write_table

FOLDER = Path(__file__).parents[1] / "build" / "demo"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.chdir(FOLDER)
    print("Making build/demo/good.mp4, and build/demo/bad.mp4 with far too few bits ...\n")
    clips = [write_clip(Path("good.mp4"), crf=18), write_clip(Path("bad.mp4"), crf=48)]
    write_table(Scorer().score_many(clips), sys.stdout, ranks=False)


if __name__ == "__main__":
    main()
