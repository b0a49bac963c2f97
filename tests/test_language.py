"""The documentation is written in plain technical English: short sentences, field terms."""

import re
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    + [page for page in (ROOT / "docs").rglob("*.md") if page.name != "cli.md"]
)
SOURCES = sorted(
    chain.from_iterable(
        (ROOT / folder).rglob("*.py")
        for folder in ("dover_plugin", "vs_filter", "fiftyone_plugin", "recipes", "examples")
    )
)
WIDTH = 100  # columns of prose
LONGEST_MEAN = 22  # words per sentence
LONGEST_PARAGRAPH = 80  # words
AVOIDED = re.compile(
    r"\b(spoil\w*|anew|(?<!mean )opinions?|mends?|mended|likewise|of which|so many|has spoken|"
    r"put aside|apology)\b",
    re.IGNORECASE,
)
FRAGMENT = re.compile(r'help="Of |"""Of ')


def paragraphs(page: Path) -> list[str]:
    """Prose blocks: list items and paragraphs, without code, tables, headings and pictures."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    found = []
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", text):
        line = block.strip()
        if not line or line.startswith(("#", "|", "!", "<", "===", ":::", "[![", "---")):
            continue
        found.append(re.sub(r"\s+", " ", re.sub(r"^(?:[-*]|\d+\.) ", "", line)))
    return found


def plain(paragraph: str) -> str:
    """A paragraph whose code spans and links count as one word each."""
    text = re.sub(r"`[^`]*`", "code", paragraph)
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)


def sentences(paragraph: str) -> list[list[str]]:
    parts = re.split(r"(?<=[.!?:;])\s+(?=[A-Z`\"*(\[]|$)", plain(paragraph))
    return [words for part in parts if (words := part.split())]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_sentences_and_paragraphs_are_short(page: Path) -> None:
    blocks = paragraphs(page)
    lengths = [len(words) for block in blocks for words in sentences(block)]
    assert sum(lengths) / len(lengths) <= LONGEST_MEAN
    too_long = [block[:70] for block in blocks if len(plain(block).split()) > LONGEST_PARAGRAPH]
    assert not too_long


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_use_the_terms_of_the_field(page: Path) -> None:
    assert AVOIDED.findall(re.sub(r"`[^`]*`", "", page.read_text())) == []


def test_sources_use_the_terms_of_the_field() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in SOURCES
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if AVOIDED.search(line) or FRAGMENT.search(line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_prose_is_wrapped(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = [line for line in text.splitlines() if not line.startswith(("|", "!", "[", "#", "<"))]
    long = [line for line in lines if len(line) > WIDTH and " " in line[:WIDTH].strip()]
    assert not long
