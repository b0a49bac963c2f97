"""Plugin for vsview: shows the properties of the filter in a category of their own, formatted.

vsview finds this module by the entry point ``vsview.frameprops``.
"""

from typing import Any

from vsview.app.tools.frameprops.api import CategoryMatcher, FormatterProperty, hookimpl

from dover_plugin import frame_properties as named


def _score(value: float) -> str:
    return f"{value:.3f}"


def _difference(value: float) -> str:
    return f"{value:+.3f}"


@hookimpl  # type: ignore[untyped-decorator]
def vsview_frameprops_register_category_matchers() -> Any:
    """The category DOVER, for all properties of the filter."""
    return CategoryMatcher(name="DOVER", priority=100, order=60, prefixes={"Dover"})


@hookimpl  # type: ignore[untyped-decorator]
def vsview_frameprops_register_formatter_properties() -> Any:
    """Scores with three digits; differences with their sign."""
    formatters = dict.fromkeys((*named.SCORES.values(), *named.RAW.values()), _score)
    formatters |= dict.fromkeys(named.DIFFERENCES.values(), _difference)
    return [
        FormatterProperty(prop_key=name, value_formatter=formatter)
        for name, formatter in formatters.items()
    ]
