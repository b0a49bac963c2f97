"""The plugin as its users meet it: one sitting in the App, step after step.

Pictures of each step are kept in build/screenshots.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_driver import PLOT, App, browse, serve
from fo_helpers import ROOT
from playwright.sync_api import expect

pytestmark = [pytest.mark.program("chromium", "ffmpeg"), pytest.mark.timeout(400)]
PICTURES = ROOT / "build/screenshots"


@pytest.fixture(scope="module")
def clips(fo: Any, folder: Path) -> Iterator[Any]:
    """A dataset that the App shows, not scored."""
    dataset = fo.Dataset("app-clips", persistent=True)
    dataset.add_samples([fo.Sample(str(p)) for p in sorted(folder.glob("*.mp4"))], progress=False)
    yield dataset
    dataset.delete()


@pytest.fixture(scope="module")
def app(clips: Any) -> Iterator[App]:
    """The App, open at the dataset."""
    with serve(clips.name) as url, browse(PICTURES) as app:
        app.open(url)
        yield app
        assert not app.errors


def test_score_videos_from_the_operator_browser(
    app: App, clips: Any, weights: str, calibration: str
) -> None:
    form = app.operator("DOVER: score videos")
    form.get_by_text("Score segments too", exact=True).click()
    form.get_by_text("More settings", exact=True).click()
    app.fill(form, "Seconds per segment", "1")
    app.fill(form, "Weights", weights)
    app.fill(form, "Fusion", calibration)
    form.get_by_text("7 of 7 videos will be scored").wait_for()
    app.picture("1-score-form")
    app.submit(form, "Score")
    app.page.get_by_text("of 7 scored").wait_for()
    app.picture("2-progress")
    app.page.get_by_text("6 videos scored, 1 failed").wait_for(timeout=120_000)
    app.picture("3-result")
    assert "broken.mp4" in app.done()
    clips.reload()
    assert clips.count("dover.overall") == 6
    assert clips.count("dover_segments.detections") == 12


def test_fields_are_in_the_sidebar_and_a_slider_filters(app: App, clips: Any) -> None:
    app.page.reload()
    app.page.locator('[data-cy="looker"]').first.wait_for()
    group = app.page.locator('[data-cy="sidebar-group-DOVER"]')
    group.wait_for()
    for name in ("overall", "technical", "aesthetic", "error"):
        app.page.locator(f'[data-cy="sidebar-field-dover.{name}"]').wait_for()
    app.page.locator('[data-cy="sidebar-field-arrow-enabled-dover.overall"]').click()
    thumb = app.page.locator('[data-cy^="sidebar-column"] .MuiSlider-thumb').last
    thumb.wait_for()
    expect(app.samples()).to_have_text("7 samples")
    app.page.wait_for_timeout(1000)  # the slider moves as its values come
    box = thumb.bounding_box()
    assert box is not None
    app.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    app.page.mouse.down()
    app.page.mouse.move(box["x"] - 90, box["y"] + box["height"] / 2, steps=10)
    app.page.mouse.up()
    expect(app.samples()).not_to_have_text("7 samples", timeout=15000)
    app.picture("4-slider")
    assert 0 < int(app.samples().inner_text().split()[0]) < 6
    app.page.reload()
    app.page.locator('[data-cy="looker"]').first.wait_for()


def test_tag_low_quality(app: App, clips: Any) -> None:
    form = app.operator("DOVER: tag low quality")
    form.get_by_text("of 6 scored videos").wait_for()
    second, third = sorted(v for v in clips.values("dover.overall") if v is not None)[1:3]
    app.fill(form, "Low is below", f"{(second + third) / 2:.4f}")
    form.get_by_text("Matches 2 of 6 scored videos").wait_for()
    app.picture("5-tag-form")
    app.submit(form, "Mark")
    app.page.get_by_text("tag 'low_quality'").wait_for()
    app.done()
    clips.reload()
    assert clips.count_sample_tags()["low_quality"] == 2


def test_explain_in_the_open_sample(app: App, clips: Any, weights: str) -> None:
    app.page.locator('[data-cy="looker"]').nth(3).click()
    app.page.locator('[data-cy="modal"]').wait_for()
    form = app.operator("DOVER: explain")
    app.fill(form, "Weights", weights)
    app.submit(form, "Explain")
    app.page.get_by_text("better than").first.wait_for()
    app.page.locator('img[src^="data:image/png"]').wait_for()
    app.picture("6-explain")
    app.done()
    app.page.keyboard.press("Escape")
    app.page.locator('[data-cy="modal"]').wait_for(state="detached")


def test_the_panel_a_click_and_a_lasso(app: App, clips: Any) -> None:
    page = app.page
    points = page.locator(f"{PLOT} .scatterlayer .point")
    app.panel("video_quality", points.first)
    assert points.count() == 6
    page.get_by_text("6 scored").wait_for()
    app.picture("7-panel")
    box = points.first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_timeout(700)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.locator(f"{PLOT} .scatterlayer .lines path").first.wait_for(state="attached")
    app.picture("8-click-and-timeline")
    area = page.locator(f"{PLOT} .nsewdrag").nth(3).bounding_box()
    assert area is not None
    left, top = area["x"] + 4, area["y"] + 4
    right, bottom = left + area["width"] - 8, top + area["height"] * 0.55
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top + 3)):
        page.mouse.move(x, y, steps=8)
    page.mouse.up()
    page.get_by_text("Back to all", exact=True).wait_for()
    expect(app.samples()).not_to_have_text("7 samples")
    assert 0 < int(app.samples().inner_text().split()[0]) < 6
    app.picture("9-lasso")
    page.get_by_text("Back to all", exact=True).click()
    expect(app.samples()).to_have_text("7 samples")


def test_light_mode(app: App) -> None:
    app.page.locator('[data-testid^="LightMode"]').first.click()
    app.picture("10-light")
