"""Score a clip and the same clip badly compressed: ``make demo``.

With the weights of dover-mobile on this machine it scores with them. Without, it says what it
needs and shows the whole path with untrained weights, whose numbers mean nothing.
"""

import os
import sys
from pathlib import Path

import torch
from clips import write_clip

from dover_plugin import LicenceError, Scorer
from dover_plugin.networks import DOVER_MOBILE
from dover_plugin.networks.seeded import seeded_state_dict
from dover_plugin.output import write_table

FOLDER = Path(__file__).parents[1] / "build" / "demo"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.chdir(FOLDER)
    print("Making build/demo/good.mp4, and build/demo/bad.mp4 with far too few bits ...")
    clips = [write_clip(Path("good.mp4"), crf=18), write_clip(Path("bad.mp4"), crf=48)]
    try:
        scorer, untrained = Scorer("dover-mobile"), False
    except LicenceError as error:
        print(f"\n{error}\n\nMeanwhile, the same path with untrained weights:")
        torch.save(seeded_state_dict(DOVER_MOBILE), "untrained.pth")
        scorer, untrained = Scorer("dover-mobile", weights="untrained.pth"), True
    print()
    write_table(scorer.score_many(clips), sys.stdout, ranks=False)
    if untrained:
        print("\nUntrained weights: everything ran, but these numbers say nothing of quality.")


if __name__ == "__main__":
    main()
