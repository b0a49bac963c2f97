"""Text cells of CSV files that spreadsheets do not take for formulas.

A spreadsheet runs a cell that starts with ``=``, ``+``, ``-`` or ``@`` as a formula, and file names
may start with these characters. CSV files therefore hold such text with an apostrophe in front,
which spreadsheets read as "this is text". ``restore_cell`` undoes it exactly.
"""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# Any apostrophes before the character are part of the rule, so that it can be undone.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


def safe_cell(value: Any) -> Any:
    """A cell value; text that a spreadsheet would run as a formula gets an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def safe_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The cells of a row, each as ``safe_cell`` returns it."""
    return {name: safe_cell(value) for name, value in row.items()}


def restore_cell(value: Any) -> Any:
    """The value that ``safe_cell`` was given."""
    is_escaped = isinstance(value, str) and value.startswith("'") and _FORMULA.match(value)
    return value[1:] if is_escaped else value


def safe_frame(table: "pd.DataFrame") -> "pd.DataFrame":
    """A table whose text cells and column names are as ``safe_cell`` returns them."""
    return map_text(table, safe_cell).rename(columns=safe_cell)


def map_text(table: "pd.DataFrame", change: Callable[[Any], Any]) -> "pd.DataFrame":
    """A table with ``change`` applied to the cells of its text columns."""
    text = table.select_dtypes(exclude="number").columns
    return table.assign(**{name: table[name].map(change, na_action="ignore") for name in text})
