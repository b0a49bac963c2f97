"""Score every video of a folder and write a table and a report, the lowest first.

    python examples/score_a_folder.py [FOLDER]

Without a folder the script makes one with clips of decreasing quality.
"""

import sys
from pathlib import Path

from clips import write_clip

from dover_plugin import Scorer
from dover_plugin.io.files import find_videos
from dover_plugin.reporting.html import score_report, write_report
from dover_plugin.reporting.text import write_csv, write_table

OUT = Path("build/examples")


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else make_folder(OUT / "folder")
    results = list(Scorer().score_many(find_videos([str(folder)])))
    write_table(results, sys.stdout, ranks=False)
    with (OUT / "folder.csv").open("w", newline="") as file:
        write_csv(results, file, ranks=False)
    write_report(score_report(results), OUT / "folder.html")
    print(f"\n{OUT / 'folder.csv'}, {OUT / 'folder.html'}")


def make_folder(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for crf in (18, 28, 38, 48):
        write_clip(folder / f"crf{crf}.mp4", 60, (360, 640), crf=crf)
    (folder / "broken.mp4").write_bytes(b"not a video")
    return folder


if __name__ == "__main__":
    main()
