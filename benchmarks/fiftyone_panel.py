"""How quick the panel is in the App: ``python benchmarks/fiftyone_panel.py --samples 50000``.

Prints the seconds from the click that opens the panel until its plots are painted, and from the end
of a lasso until the grid shows the selected samples. The samples have random scores and share a
clip. Needs FiftyOne, playwright and Chromium.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[1]
os.environ["FIFTYONE_PLUGINS_DIR"] = str(ROOT)
os.environ["FIFTYONE_DATABASE_VALIDATION"] = "false"
os.environ["FIFTYONE_DO_NOT_TRACK"] = "true"
sys.path[:0] = [str(ROOT), str(ROOT / "examples"), str(ROOT / "tests/fiftyone_plugin")]

import fiftyone as fo
import numpy as np
from app_driver import PLOT, App, browse, serve
from clips import write_clip

from fiftyone_plugin.fields import declare

NAME = "panel-benchmark"
ROUNDS = 3


def main() -> None:
    """Measure with as many samples as asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=50_000)
    count = parser.parse_args().samples
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = make_dataset(folder, count)
        try:
            with serve(NAME) as url, browse(folder) as app:
                app.open(url)
                paint, lasso = zip(*(rounds(app, url) for _ in range(ROUNDS)), strict=True)
        finally:
            dataset.delete()
    print(f"{count:,} samples: the panel is painted after {median(paint):.2f} s")
    print(f"{count:,} samples: a lasso is answered after {median(lasso):.2f} s")


def make_dataset(folder: Path, count: int) -> fo.Dataset:
    """Samples of one clip with random scores."""
    clip = str(write_clip(folder / "clip.mp4", 24, (180, 320)))
    dataset = fo.Dataset(NAME, persistent=True, overwrite=True)
    declare(dataset, "dover", segments=False)
    metadata = fo.VideoMetadata.build_for(clip)  # as scoring stores it
    scores = np.random.default_rng(0).random((count, 3)).tolist()
    samples = (
        fo.Sample(
            clip,
            metadata=metadata,
            dover=fo.DynamicEmbeddedDocument(technical=t, aesthetic=a, overall=o),
        )
        for t, a, o in scores
    )
    dataset.add_samples(samples, progress=False)
    return dataset


def rounds(app: App, url: str) -> tuple[float, float]:
    """Reload the page, open the panel and draw a lasso.

    Returns:
        Seconds until the panel is painted, and until the lasso is answered.
    """
    page = app.page
    page.goto(url)
    app.wait_for_samples()
    page.wait_for_timeout(4000)  # the App settles
    plot = page.locator(PLOT).filter(has=page.locator(".colorbar")).first
    close = page.locator('[data-cy="panel-tab-video_quality"] button').last
    if close.count():  # the App has opened the panel again
        close.click()
    page.locator('[data-cy="new-panel-btn"]').first.click()
    option = page.locator('[data-cy="new-panel-option-video_quality"]')
    option.wait_for()
    opened = seconds(option.click, plot)
    page.wait_for_timeout(4000)
    app.draw_lasso(plot)
    back = page.get_by_role("button", name="Back to all", exact=True)
    selected = seconds(page.mouse.up, back)
    back.click()
    back.wait_for(state="detached")
    return opened, selected


def seconds(act: Callable[[], None], result: Any) -> float:
    """Seconds until an action has its result on the page."""
    start = time.perf_counter()
    act()
    result.wait_for()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
