"""Score two encodes of a real clip with the bundled model: ``make demo``."""

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
    print("Encoding Big Buck Bunny (c) Blender Foundation, CC BY 3.0, at crf 18 and crf 44 ...\n")
    clips = [write_clip(Path("crf18.mp4"), crf=18), write_clip(Path("crf44.mp4"), crf=44)]
    write_table(Scorer().score_many(clips), sys.stdout, ranks=False)


if __name__ == "__main__":
    main()
