"""Take the pictures of docs/fiftyone.md: ``python docs/make_fiftyone_pictures.py``.

Needs FiftyOne, playwright and Chromium. The scores are of untrained weights, spread over [0, 1].
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
os.environ["FIFTYONE_PLUGINS_DIR"] = str(ROOT)
os.environ["FIFTYONE_DATABASE_VALIDATION"] = "false"
os.environ["FIFTYONE_DO_NOT_TRACK"] = "true"  # else the App asks, over the picture
sys.path[:0] = [str(ROOT), str(ROOT / "examples"), str(ROOT / "tests/fiftyone_plugin")]

import fiftyone as fo
import fiftyone.operators as foo
from app_driver import PLOT, browse, serve
from clips import write_clip

from dover_plugin import Calibration, Scorer, Scores
from dover_plugin.networks import DOVER_OPEN
from dover_plugin.networks.seeded import seeded_state_dict

IMAGES = Path(__file__).parent / "images"
NAME = "holiday-clips"
SIZES = ((360, 640), (480, 640), (540, 960), (270, 480), (640, 360))


def main() -> None:
    folder = Path(tempfile.mkdtemp()) / "clips"
    folder.mkdir()
    for height, width in SIZES:
        for crf in (18, 30, 40, 50):
            write_clip(folder / f"dusk_{width}x{height}_crf{crf}.mp4", 72, (height, width), crf)
    (folder / "cut_off.mp4").write_bytes(b"no video")
    weights = str(folder.parent / "weights.pth")
    torch.save(seeded_state_dict(DOVER_OPEN), weights)
    scorer = Scorer("dover-open", "cpu", weights=weights)
    raws = [r.raw for r in scorer.score_many(sorted(folder.glob("*"))) if isinstance(r, Scores)]
    fusion = str(folder.parent / "fusion.json")
    technical, aesthetic = zip(*raws, strict=True)
    Calibration.fit("spread", technical, aesthetic).save(fusion)

    dataset = fo.Dataset(NAME, persistent=True, overwrite=True)
    dataset.add_samples([fo.Sample(str(path)) for path in sorted(folder.glob("*.mp4"))])
    dataset.compute_metadata(skip_failures=True)
    with serve(NAME) as url, browse(IMAGES) as app:
        app.open(url)
        form = app.operator("DOVER: score videos")
        form.get_by_text("Score segments too", exact=True).click()
        form.get_by_text("More settings", exact=True).click()
        app.fill(form, "Weights", "mine.pth")
        app.fill(form, "Weights", weights)
        form.get_by_text("21 of 21 videos will be scored").wait_for()
        app.fill(form, "Seconds per segment", "1")
        form.locator('xpath=.//*[text()="Weights"]/following::input[1]').evaluate(
            "input => input.value = 'dover-open.pth'"
        )
        app.picture("fiftyone-score")
    score = foo.get_operator("@dover/quality/score_videos")
    score(dataset, weights=weights, fusion=fusion, segment_seconds=1)
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
        app.fill(form, "Weights", weights)
        app.submit(form, "Explain")
        app.page.locator('img[src^="data:image/png"]').wait_for()
        app.picture("fiftyone-explain")
    dataset.delete()
    shutil.rmtree(folder.parent)


if __name__ == "__main__":
    main()
