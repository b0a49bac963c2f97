"""Reports, opened in a real browser."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import write_clip
from typer.testing import CliRunner

from dover_plugin.cli import app

EVIL = "<img src=x onerror=alert(1)>.mp4"
pytestmark = [pytest.mark.program("chromium"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip whose name is a script, and two transcodes of it."""
    folder = tmp_path_factory.mktemp("reported")
    write_clip(folder / EVIL, 100)
    for crf in (30, 48):
        write_clip(folder / f"crf{crf}.mp4", 100, options={"crf": str(crf)})
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page, and what went wrong on it."""

    def __init__(self, browser: Any, file: Path, **settings: Any) -> None:
        self.wrong: list[str] = []
        self.page = browser.new_page(**settings)
        self.page.on("console", lambda m: self.wrong.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: self.wrong.append(dialog.message))
        self.page.on(
            "request",
            lambda r: None if r.url.startswith(("file:", "data:")) else self.wrong.append(r.url),
        )
        self.page.goto(file.as_uri())


def run(*arguments: object) -> None:
    done = CliRunner().invoke(app, [*map(str, arguments), "--device", "cpu"])
    assert done.exit_code == 0, done.output


def test_a_timeline(folder: Path, tmp_path: Path, browser: Any) -> None:
    file = tmp_path / "report.html"
    run("timeline", folder / EVIL, "--segments", "1s", "--html", file)
    opened = Opened(browser, file)
    page = opened.page
    page.wait_for_selector(".js-plotly-plot .barlayer .point")
    assert page.locator("h1").inner_text() == EVIL
    assert page.locator("tbody tr").count() == 4
    assert page.locator(".gallery img").count() == 4
    third = page.locator(".barlayer .point").nth(2).bounding_box()
    page.mouse.click(third["x"] + third["width"] / 2, third["y"] + third["height"] / 2)
    page.wait_for_selector("tr.chosen")
    assert page.locator("tr.chosen").get_attribute("id") == "row-2"
    assert page.locator("footer").inner_text().count("dover-open") == 1
    assert opened.wrong == []


def test_a_comparison_on_a_phone_in_the_dark(folder: Path, tmp_path: Path, browser: Any) -> None:
    file = tmp_path / "report.html"
    run("compare", folder / EVIL, folder / "crf30.mp4", folder / "crf48.mp4", "--html", file)
    opened = Opened(browser, file, viewport={"width": 390, "height": 800}, color_scheme="dark")
    page = opened.page
    page.wait_for_selector("#figure-1 .main-svg")
    assert page.locator(".slide").count() == 2
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390, "it scrolls sideways"
    page.locator("input[type=range]").first.fill("20")
    assert (
        page.evaluate("document.querySelector('.slide').style.getPropertyValue('--cut')") == "20%"
    )
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", ground)[:3])) < 60
    assert opened.wrong == []


def test_many_videos_and_their_failures(folder: Path, tmp_path: Path, browser: Any) -> None:
    file = tmp_path / "report.html"
    videos = [folder / EVIL, folder / "crf48.mp4", folder / "none.mp4"]
    done = CliRunner().invoke(app, ["score", *map(str, videos), "--html", str(file)])
    assert done.exit_code == 1, done.output
    opened = Opened(browser, file)
    opened.page.wait_for_selector(".scatterlayer .point")
    assert opened.page.locator("tbody tr").count() == 3
    assert "There is no file" in opened.page.locator("tbody").inner_text()
    assert "1 video could not be scored" in opened.page.locator(".lead").inner_text()
    assert opened.wrong == []


def test_it_is_printed_in_black_on_white(folder: Path, tmp_path: Path, browser: Any) -> None:
    file = tmp_path / "report.html"
    run("timeline", folder / "crf30.mp4", "--html", file)
    opened = Opened(browser, file, color_scheme="dark")
    opened.page.emulate_media(media="print")
    ground = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    assert np.isfinite(opened.page.locator(".figure").bounding_box()["height"])
