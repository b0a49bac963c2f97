"""The plugin as its users meet it: one sitting in the App, step after step.

Pictures of each step are kept in build/screenshots.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_driver import PLOT, App, browse, serve
from fo_helpers import ROOT
from playwright.sync_api import expect

pytestmark = [pytest.mark.program("chromium", "ffmpeg"), pytest.mark.timeout(400)]
expect.set_options(timeout=30_000)
# These flows take longer than their limits on a busy machine.
IDLE = pytest.mark.skipif(os.environ.get("DOVER_APP") != "all", reason="set DOVER_APP=all")
PICTURES = ROOT / "build/screenshots"
MANY = 300  # videos of a run that is long enough to be cancelled
POINTS = f"{PLOT} .scatterlayer .point"


@pytest.fixture(scope="module")
def clips(fo: Any, folder: Path) -> Iterator[Any]:
    """A dataset that the App shows, not scored."""
    dataset = fo.Dataset("app-clips", persistent=True)
    dataset.add_samples([fo.Sample(str(p)) for p in sorted(folder.glob("*.mp4"))], progress=False)
    yield dataset
    dataset.delete()


@pytest.fixture(scope="module")
def many(fo: Any, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A dataset whose run takes long."""
    links = tmp_path_factory.mktemp("many")
    dataset = fo.Dataset("app-many", persistent=True)
    for i in range(MANY):
        (links / f"{i}.mp4").symlink_to(folder / "320x240_crf33.mp4")
    dataset.add_samples([fo.Sample(str(links / f"{i}.mp4")) for i in range(MANY)], progress=False)
    yield dataset
    dataset.delete()


@pytest.fixture(scope="module")
def app(clips: Any) -> Iterator[App]:
    """The App, open at the dataset."""
    size = {"width": 1440, "height": 900}
    with serve(clips.name) as url, browse(PICTURES, size) as app:
        app.open(url)
        yield app
        assert not app.errors


def test_every_operator_opens_from_the_browser(app: App) -> None:
    for label, shown in {
        "DOVER: stop scoring": "No run is in progress",
        "DOVER: tag low quality": "no scores yet",
        "DOVER: undo low-quality mark": "Nothing to undo",
        "DOVER: find distortions": "7 of 7 videos will be measured",
        "DOVER: tag distortions": "No distortions were measured",
        "DOVER: compare transcodes": "no scores yet",
        "DOVER: group transcodes": "Source folder",
        "DOVER: explain": "No video is open or selected",
        "DOVER: evaluate against MOS": "no scores yet",
    }.items():
        form = app.operator(label)
        form.get_by_text(shown).first.wait_for()
        form.get_by_role("button", name="Cancel", exact=True).click()
        form.wait_for(state="detached")


def test_a_search_for_a_problem_finds_the_plugin(app: App) -> None:
    for words in ("video quality", "blurry", "vqa", "sort by quality"):
        app.page.locator("body").press("Backquote")
        app.page.locator('[data-cy="operators-browser-search"]').fill(words)
        app.page.locator('[data-cy="operators-browser"]').get_by_text("DOVER: ").first.wait_for()
        app.page.keyboard.press("Escape")


def test_a_run_goes_on_while_the_app_is_used(
    app: App, clips: Any, weights: str, calibration: str
) -> None:
    page = app.page
    form = app.operator("DOVER: score videos")
    form.get_by_text("Score segments too", exact=True).click()
    form.get_by_text("More settings", exact=True).click()
    app.fill(form, "Seconds per segment", "1")
    app.fill(form, "Weights", weights)
    app.fill(form, "Calibration file", calibration)
    form.get_by_text("7 of 7 videos will be scored").wait_for()
    app.picture("1-score-form")
    app.submit(form, "Score")
    form.wait_for(state="detached")
    page.get_by_role("button", name="Cancel", exact=True).wait_for()
    app.picture("2-progress")
    page.get_by_text("Last run: 6 scored, 1 failed").wait_for(timeout=120_000)
    page.locator(POINTS).first.wait_for()
    page.get_by_text("'broken.mp4' cannot be read as a video").first.wait_for()
    app.picture("3-result")
    clips.reload()
    assert clips.count("dover.overall") == 6
    assert clips.count("dover_segments.detections") == 12


def test_fields_are_placed_without_a_reload(app: App) -> None:
    names = app.page.locator('[data-cy^="sidebar"] input').evaluate_all(
        "inputs => inputs.map(input => input.value.toUpperCase())"
    )
    groups = [name for name in names if name in ("TAGS", "METADATA", "DOVER", "LABELS")]
    assert groups == ["TAGS", "METADATA", "DOVER", "LABELS"]
    for name in ("overall", "technical", "aesthetic", "error"):
        app.page.locator(f'[data-cy="checkbox-dover.{name}"]').wait_for()


@IDLE
def test_a_run_survives_a_reload_and_is_cancelled_in_a_second_tab(
    app: App, many: Any, weights: str
) -> None:
    page = app.page
    before = page.url.split("?")[0]
    page.goto(before.replace("app-clips", many.name))
    app.wait_for_samples()
    form = app.operator("DOVER: score videos")
    form.get_by_text("More settings", exact=True).click()
    app.fill(form, "Weights", weights)
    app.submit(form, "Score")
    cancel = page.get_by_role("button", name="Cancel", exact=True)
    cancel.wait_for()
    page.reload()
    app.wait_for_samples()
    if not page.locator('[data-cy="panel-tab-video_quality"]').count():
        app.panel("video_quality", cancel)  # the App closes panels at a reload
    cancel.wait_for()
    app.picture("4-after-a-reload")
    second = app.second_tab(page.url)
    form = app.operator("DOVER: stop scoring", second)
    form.get_by_text("Scores are kept. Score again to resume.").wait_for()
    second.wait_for_timeout(1500)
    form.get_by_role("button", name="Stop the run", exact=True).click()
    page.get_by_text("Cancelled after").first.wait_for()
    app.picture("5-cancelled")
    second.close()
    many.reload()
    assert many.count("dover.overall") < MANY
    page.goto(before)
    app.wait_for_samples()


def test_a_slider_of_the_sidebar_filters(app: App) -> None:
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
    assert 0 < int(app.samples().inner_text().split()[0]) < 6
    app.page.reload()
    app.wait_for_samples()


@IDLE
def test_tag_and_show(app: App, clips: Any) -> None:
    form = app.operator("DOVER: tag low quality")
    form.get_by_text("Matches 1 of 6 scored videos").wait_for()
    app.fill(form, "Share", "0.33")
    form.get_by_text("Matches 2 of 6 scored videos").wait_for()
    form.locator(PLOT).wait_for()
    app.picture("6-tag-form")
    app.fill(form, "Share", "5")
    form.get_by_text("above 0 and at most 1, got 5").wait_for()
    form.get_by_role("button", name="Mark", exact=True).wait_for()
    app.fill(form, "Share", "0.33")
    form.get_by_text("Matches 2 of 6 scored videos").wait_for()
    app.submit(form, "Mark")
    app.page.get_by_text("2 videos: tag 'low_quality'").wait_for()
    app.page.get_by_role("button", name="Show them, worst first", exact=True).click()
    expect(app.samples()).to_have_text("2 samples")
    app.done()
    clips.reload()
    assert clips.count_sample_tags()["low_quality"] == 2


@IDLE
def test_a_point_opens_its_video_and_explain_says_why(app: App, weights: str) -> None:
    page = app.page
    app.clear_view()
    points = page.locator(POINTS)
    if not points.count():
        app.panel("video_quality", points.first)
    expect(points).to_have_count(6)
    app.picture("7-panel")
    sample = page.locator('[data-cy="modal"]')
    for _ in range(3):  # the plot may be drawn again between the hover and the click
        app.hover(points.first)
        page.mouse.down()
        page.mouse.up()
        page.wait_for_timeout(3000)
        if sample.count():
            break
    sample.wait_for()
    form = app.operator("DOVER: explain")
    app.fill(form, "Weights", weights)
    app.submit(form, "Explain")
    page.get_by_text("better than").first.wait_for()
    page.locator('img[src^="data:image/png"]').wait_for()
    app.picture("8-explain")
    assert "Worst segments" in app.done()
    app.close_sample()
    app.picture("9-active")


@IDLE
def test_a_lasso_narrows_and_back_restores(app: App) -> None:
    page = app.page
    plot = page.locator(PLOT).filter(has=page.locator(".colorbar"))
    app.draw_lasso(plot)
    page.mouse.up()
    back = page.get_by_role("button", name="Back to all", exact=True)
    back.wait_for()
    expect(app.samples()).not_to_have_text("7 samples")
    assert 0 < int(app.samples().inner_text().split()[0]) < 6
    app.picture("10-lasso")
    back.click()
    expect(app.samples()).to_have_text("7 samples")


@IDLE
def test_light_mode_and_a_large_window(app: App) -> None:
    app.page.locator('[data-testid^="LightMode"]').first.click()
    app.picture("11-light")
    app.page.set_viewport_size({"width": 1920, "height": 1080})
    app.picture("12-large-light")
    app.page.locator('[data-testid^="DarkMode"]').first.click()
    app.picture("13-large-dark")
