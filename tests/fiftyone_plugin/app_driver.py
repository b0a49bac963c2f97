"""The real App in a real, headless Chromium."""

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from warnings import warn

from playwright.sync_api import Page, sync_playwright
from playwright.sync_api import TimeoutError as TooLate

ROOT = Path(__file__).parents[2]
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
SERVE = """
import sys
import fiftyone as fo
session = fo.launch_app(
    fo.load_dataset(sys.argv[1]), remote=True, port=int(sys.argv[2]), address="127.0.0.1"
)
session.wait(-1)
"""
LOG = ROOT / "build/app.log"  # what the server said
# A failed operator tells the page its traceback, and the page shows only the last line.
TELL_TRACEBACKS = """
const ask = window.fetch;
window.fetch = async (...request) => {
    const answer = await ask(...request);
    answer.clone().text().then((text) => {
        const at = text.indexOf("Traceback (most recent");
        if (at >= 0) console.error("SERVER " + request[0] + " " + text.slice(at, at + 4000));
    }).catch(() => {});
    return answer;
};
"""
SIZE = {"width": 1600, "height": 1000}
WAIT = 60_000  # milliseconds; a busy machine is slow
PLOT = ".js-plotly-plot"


class App:
    """What a user does in the App."""

    def __init__(self, page: Page, pictures: Path) -> None:
        self.page = page
        self.errors: list[str] = []
        self._pictures = pictures
        page.set_default_timeout(WAIT)
        page.add_init_script(TELL_TRACEBACKS)
        page.on("console", self._console)

    def open(self, url: str) -> None:
        """Open a dataset, and dismiss what is advertised."""
        self.page.goto(url)
        self.page.locator('[data-cy="looker"]').first.wait_for()
        dismiss = self.page.get_by_text("Dismiss", exact=True)
        try:
            dismiss.click(timeout=4000)
        except Exception:  # it is not always shown
            assert dismiss.count() == 0

    def picture(self, name: str) -> Path:
        """Keep what the screen shows, once it has settled."""
        self.page.wait_for_timeout(1500)
        self._pictures.mkdir(parents=True, exist_ok=True)
        path = self._pictures / f"{name}.png"
        self.page.screenshot(path=path)
        return path

    def shown(self, name: str) -> str:
        """All text of the page, and what it complained of; keeps a picture."""
        self.picture(name)
        text: str = self.page.locator("body").inner_text()
        return "\n".join([text, *self.errors])

    def operator(self, label: str, page: Page | None = None) -> Any:
        """Choose an operator in the browser of operators; returns its form."""
        page = page or self.page
        page.locator("body").press("Backquote")
        search = page.locator('[data-cy="operators-browser-search"]')
        search.locator("input").or_(search).last.fill(label)
        page.wait_for_timeout(800)
        page.keyboard.press("Enter")
        form = page.locator('[data-cy="operators-prompt-modal"]')
        form.wait_for()
        return form

    def wait_for_samples(self) -> None:
        """Wait for the grid after a page was loaded."""
        self.page.locator('[data-cy="looker"]').first.wait_for()

    def second_tab(self, url: str) -> Page:
        """Another tab of the same browser."""
        page = self.page.context.new_page()
        page.set_default_timeout(WAIT)
        page.goto(url)
        page.locator('[data-cy="looker"]').first.wait_for()
        return page

    def close_sample(self) -> None:
        """Close the open sample."""
        self.page.evaluate("window.__foo__.executeOperator('close_sample', {})")
        self.page.locator('[data-cy="modal"]').wait_for(state="detached")

    def clear_view(self) -> None:
        """Show the whole dataset again."""
        self.page.evaluate("window.__foo__.executeOperator('clear_view', {})")

    def hover(self, element: Any) -> None:
        """Move the mouse over an element of a plot, which then reacts to clicks."""
        element.scroll_into_view_if_needed()
        box = element.bounding_box()
        assert box is not None
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.page.wait_for_timeout(700)

    def draw_lasso(self, plot: Any) -> None:
        """Draw a lasso around the upper half of a plot, up to the release of the button."""
        area = plot.locator(".nsewdrag").first
        area.scroll_into_view_if_needed()
        box = area.bounding_box()
        assert box is not None
        left, top = box["x"] + 4, box["y"] + 4
        right, bottom = left + box["width"] - 8, top + box["height"] * 0.55
        self.page.mouse.move(left, top)
        self.page.mouse.down()
        for x, y in ((right, top), (right, bottom), (left, bottom), (left, top + 3)):
            self.page.mouse.move(x, y, steps=8)

    def fill(self, form: Any, label: str, text: str) -> None:
        """Type into the field below a label."""
        below = f'xpath=.//*[normalize-space(text())="{label}"]/following::input[1]'
        form.locator(below).fill(text)

    def submit(self, form: Any, button: str) -> None:
        """Press the button, once the form has followed what was typed."""
        self.page.wait_for_timeout(1500)
        form.get_by_role("button", name=button, exact=True).click()

    def done(self) -> str:
        """Wait for the result of an operator, close it, and return what it said."""
        button = self.page.locator("button").filter(has_text=re.compile("^(Done|Close)$"))
        text: str = self.page.locator("body").inner_text()
        button.click()
        button.wait_for(state="detached")
        return text

    def samples(self) -> Any:
        """The text that counts the samples in the grid."""
        return self.page.get_by_text(re.compile(r"^[\d,]+ samples?$")).first

    def panel(self, name: str, content: Any) -> None:
        """Open a panel beside the samples, and wait for what it shows.

        A busy machine was seen to leave it empty for good, once: then as a user would, again.
        """
        tab = self.page.locator(f'[data-cy="panel-tab-{name}"]')
        add = self.page.locator('[data-cy="new-panel-btn"]').first

        def open_it() -> None:
            add.click()
            self.page.locator(f'[data-cy="new-panel-option-{name}"]').click()

        open_it()
        try:
            content.wait_for(timeout=WAIT / 2)
        except TooLate:
            warn(f"The panel stayed empty: {self.shown('empty-panel')}", stacklevel=2)
            self.page.reload()
            self.page.locator('[data-cy="looker"]').first.wait_for()
            self.page.wait_for_timeout(5000)  # the App opens what was open
            if not tab.count():
                open_it()
            content.wait_for()

    def _console(self, message: Any) -> None:
        outside = "ERR_NAME_NOT_RESOLVED" in message.text or "Failed to load" in message.text
        if message.type == "error" and not outside:
            self.errors.append(message.text)


@contextmanager
def serve(dataset: str) -> Iterator[str]:
    """Serve a dataset in a process of its own; yields the address of its page."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with LOG.open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVE, dataset, str(port)], cwd=ROOT, stdout=log, stderr=log
        )
    try:
        end = time.monotonic() + 90
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/datasets/{dataset}"
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def browse(pictures: Path, size: dict[str, int] | None = None) -> Iterator[App]:
    """A browser window."""
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            context = browser.new_context(viewport=size or SIZE)
            yield App(context.new_page(), pictures)
        finally:
            browser.close()
