"""File name patterns match as a regular expression would, in linear time."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dover_plugin.errors import SettingsError
from fiftyone_plugin.name_pattern import NamePattern

PART = st.text("ab_*", max_size=5)


def key_by_expression(pattern: str, name: str) -> str | None:
    expression = re.escape(pattern).replace(r"\{key\}", "(?P<key>.+?)").replace(r"\*", ".*")
    match = re.compile(expression, re.DOTALL).fullmatch(name)
    return match["key"] if match else None


@pytest.mark.parametrize(
    ("pattern", "name", "key"),
    [
        ("{key}.mov", "a.mov", "a"),
        ("{key}.mov", ".mov", None),
        ("{key}.mov", "a.mp4", None),
        ("{key}_crf*.mp4", "a_crf23.mp4", "a"),
        ("{key}_crf*.mp4", "a_crf_crf23.mp4", "a"),
        ("{key}*", "abc", "a"),
        ("*_{key}.mp4", "x_y_a.mp4", "a"),
        ("enc*_{key}_*.mkv", "enc1_a_b_c.mkv", "b"),
        ("a{key}a", "aa", None),
        ("a{key}a", "aba", "b"),
        ("{key}", "line\nbreak", "line\nbreak"),
        ("{key}.[x]", "a.[x]", "a"),
    ],
)
def test_examples(pattern: str, name: str, key: str | None) -> None:
    assert NamePattern(pattern).key_of(name) == key_by_expression(pattern, name) == key


@given(PART, PART, st.text("ab_", max_size=10))
def test_keys_equal_those_of_a_regular_expression(before: str, after: str, name: str) -> None:
    pattern = f"{before}{{key}}{after}"
    assert NamePattern(pattern).key_of(name) == key_by_expression(pattern, name)


def test_many_stars_take_no_time() -> None:
    name = "a" * 255
    start = time.process_time()
    for stars in range(1, 40):
        assert NamePattern("*a" * stars + "{key}" + "*a" * stars + "b").key_of(name) is None
        assert NamePattern("b" + "*a" * stars + "{key}").key_of(name) is None
        assert NamePattern("*a" * stars + "{key}").key_of(name) == "a"
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize("text", ["", "*.mp4", "{key}_{key}"])
def test_a_pattern_holds_the_key_once(text: str) -> None:
    with pytest.raises(SettingsError, match=r"needs \{key\} once"):
        NamePattern(text)
