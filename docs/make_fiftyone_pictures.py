"""Take the screenshots of docs/fiftyone.md: ``python docs/make_fiftyone_pictures.py CLIP...``.

Needs FiftyOne, playwright, Pillow and Chromium. Name video files whose pictures may be published.
Without any, the clips are encodes of Big Buck Bunny (c) Blender Foundation, CC BY 3.0. The scores
are those of dover-open.
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
from app_driver import PLOT, App, browse, serve
from clips import write_clip
from PIL import Image

IMAGES = Path(__file__).parent / "images"
NAME = "clips"
SIZES = ((360, 640), (480, 640), (540, 960), (270, 480))
SIZE = {"width": 1440, "height": 900}
FRAME = (960, 600)  # of the animated picture, in pixels
FRAME_MS = 700
COLOURS = 256  # of a screenshot, which halves its size
POINTS = f"{PLOT} .scatterlayer .point"


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    dataset = fo.Dataset(NAME, persistent=True, overwrite=True)
    paths = sys.argv[1:] or [str(path) for path in make_clips(folder)]
    dataset.add_samples([fo.Sample(path) for path in paths])
    try:
        with serve(NAME) as url, browse(IMAGES, SIZE) as app:
            app.open(url)
            score(app, folder)
            review(app)
    finally:
        dataset.delete()
        shutil.rmtree(folder)
    for picture in IMAGES.glob("fiftyone-*.png"):
        Image.open(picture).convert("RGB").quantize(COLOURS).save(picture, optimize=True)


def make_clips(folder: Path) -> list[Path]:
    return [
        write_clip(folder / f"bunny_{width}x{height}_crf{crf}.mp4", 72, (height, width), crf)
        for height, width in SIZES
        for crf in (18, 30, 40, 50)
    ]


def score(app: App, folder: Path) -> None:
    """Score in the App, and make the animated picture of the run."""
    form = app.operator("DOVER: score videos")
    form.get_by_text("Score segments too", exact=True).click()
    app.fill(form, "Seconds per segment", "2")
    form.get_by_text("videos will be scored").wait_for()
    app.picture("fiftyone-score")
    app.submit(form, "Score")
    app.page.get_by_text("Loading the model").wait_for()
    frames = []
    done = app.page.get_by_text("Last run")
    while not done.count():
        frames.append(folder / f"{len(frames)}.png")
        app.page.screenshot(path=frames[-1])
        app.page.wait_for_timeout(1000)
    app.page.get_by_role("button", name="Dismiss", exact=True).click()
    app.page.locator('[data-cy="looker"]').first.wait_for()
    app.page.wait_for_timeout(8000)  # thumbnails and plots
    frames.append(folder / "end.png")
    app.page.screenshot(path=frames[-1])
    step = max(1, len(frames) // 16)
    chosen = [frames[i] for i in range(0, len(frames) - 1, step)] + frames[-1:]
    pictures = [Image.open(frame).convert("RGB").resize(FRAME) for frame in chosen]
    durations = [FRAME_MS] * (len(pictures) - 1) + [4 * FRAME_MS]
    pictures[0].save(
        IMAGES / "fiftyone-run.webp",
        save_all=True,
        append_images=pictures[1:],
        duration=durations,
        loop=0,
        quality=60,
        method=6,
    )


def review(app: App) -> None:
    """The panel with an active video, the form of tags, and an explanation."""
    page = app.page
    page.locator('[data-cy="looker"]').first.wait_for()
    points = page.locator(POINTS)
    target = points.nth(points.count() // 2)
    app.hover(target)
    box = target.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.locator('[data-cy="modal"]').wait_for()
    app.close_sample()
    page.wait_for_timeout(2500)
    app.picture("fiftyone-panel")
    page.locator('[data-testid^="LightMode"]').first.click()
    app.picture("fiftyone-panel-light")
    page.locator('[data-testid^="DarkMode"]').first.click()
    form = app.operator("DOVER: tag low quality")
    form.get_by_text("scored videos (").wait_for()
    app.picture("fiftyone-tag")
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.locator('[data-cy="looker"]').first.click()
    page.locator('[data-cy="modal"]').wait_for()
    form = app.operator("DOVER: explain")
    app.submit(form, "Explain")
    picture = page.locator('img[src^="data:image/png"]')
    picture.wait_for()
    page.wait_for_timeout(1500)
    dialog = page.locator('[role="dialog"]').filter(has=picture).last
    dialog.screenshot(path=IMAGES / "fiftyone-explain.png")


if __name__ == "__main__":
    main()
