"""Take the screenshots of docs/fiftyone.md: ``python docs/make_fiftyone_pictures.py``.

Needs FiftyOne, playwright and Chromium. The clips are encodes of Big Buck Bunny (c) Blender
Foundation, CC BY 3.0; the scores are those of dover-open.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
os.environ["FIFTYONE_PLUGINS_DIR"] = str(ROOT)
os.environ["FIFTYONE_DATABASE_VALIDATION"] = "false"
os.environ["FIFTYONE_DO_NOT_TRACK"] = "true"  # else the App asks, over the picture
sys.path[:0] = [str(ROOT), str(ROOT / "examples"), str(ROOT / "tests/fiftyone_plugin")]

import fiftyone as fo
import fiftyone.operators as foo
from app_driver import PLOT, browse, serve
from clips import write_clip

IMAGES = Path(__file__).parent / "images"
NAME = "encodes"
SIZES = ((360, 640), (480, 640), (540, 960), (270, 480), (640, 360))


def main() -> None:
    folder = Path(tempfile.mkdtemp()) / "clips"
    folder.mkdir()
    for height, width in SIZES:
        for crf in (18, 30, 40, 50):
            write_clip(folder / f"bunny_{width}x{height}_crf{crf}.mp4", 72, (height, width), crf)
    (folder / "broken.mp4").write_bytes(b"not a video")
    dataset = fo.Dataset(NAME, persistent=True, overwrite=True)
    dataset.add_samples([fo.Sample(str(path)) for path in sorted(folder.glob("*.mp4"))])
    dataset.compute_metadata(skip_failures=True)
    with serve(NAME) as url, browse(IMAGES) as app:
        app.open(url)
        form = app.operator("DOVER: score videos")
        form.get_by_text("Score segments too", exact=True).click()
        form.get_by_text("More settings", exact=True).click()
        form.get_by_text("21 of 21 videos will be scored").wait_for()
        app.fill(form, "Seconds per segment", "1")
        app.picture("fiftyone-score")
    score = foo.get_operator("@dover/quality/score_videos")
    score(dataset, segment_seconds=1)
    with serve(NAME) as url, browse(IMAGES) as app:
        app.open(url)
        app.page.locator('[data-cy="checkbox-dover_segments"]').click()
        points = app.page.locator(f"{PLOT} .scatterlayer .point")
        app.panel("video_quality", points.nth(5))
        app.page.wait_for_timeout(2000)
        box = points.nth(5).bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        app.page.mouse.move(x, y)
        app.page.wait_for_timeout(700)
        app.page.mouse.click(x, y)
        app.page.wait_for_timeout(2500)
        app.picture("fiftyone-panel")
        form = app.operator("DOVER: tag low quality")
        form.get_by_text("scored videos").wait_for()
        app.picture("fiftyone-tag")
        app.page.get_by_role("button", name="Cancel", exact=True).click()
        form = app.operator("DOVER: explain")
        app.submit(form, "Explain")
        app.page.locator('img[src^="data:image/png"]').wait_for()
        app.picture("fiftyone-explain")
    dataset.delete()
    shutil.rmtree(folder.parent)


if __name__ == "__main__":
    main()
