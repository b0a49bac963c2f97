"""Content of a report as plain values, and its rendering into one HTML file."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dover_plugin.errors import SettingsError
from dover_plugin.io.write import write_text
from dover_plugin.scores import Settings


@dataclass(frozen=True)
class Card:
    """A number in the top row."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A frame as a data URL, with its caption."""

    url: str
    title: str
    text: str


@dataclass(frozen=True)
class Slide:
    """The same moment before and after."""

    title: str
    text: str
    before: str
    after: str


@dataclass(frozen=True)
class Figure:
    """An interactive figure: data and layout as Plotly takes them.

    Attributes:
        title: heading of the figure.
        text: explanation below the heading.
        data: traces.
        layout: layout without colours, which follow the page.
        rows: whether a click on a point selects the row with its number in the table.
    """

    title: str
    text: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    rows: bool = False


@dataclass(frozen=True)
class Report:
    """Content of a page as plain values; the template escapes every text."""

    title: str
    lead: Sequence[str]
    settings: Settings
    cards: Sequence[Card] = ()
    figures: Sequence[Figure] = ()
    galleries: Sequence[tuple[str, Sequence[Picture]]] = ()
    slides: Sequence[Slide] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    warnings: Sequence[str] = ()
    facts: dict[str, str] = field(default_factory=dict)


def write_report(report: Report, path: Path) -> None:
    """Write the page.

    Raises:
        SettingsError: Jinja or Plotly is missing, or it cannot be written there.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise SettingsError(
            'A report needs Jinja and Plotly. Install them with "pip install '
            "'dover-plugin[report]'\"."
        ) from None
    pages = Environment(
        loader=PackageLoader("dover_plugin.reporting.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = pages.get_template("report.html").render(
        report=report,
        settings={n: v for n, v in asdict(report.settings).items() if v is not None},
        figures=[asdict(figure) for figure in report.figures],
        plotly=get_plotlyjs(),
    )
    write_text(path, page)
