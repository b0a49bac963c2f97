"""Old import locations of public names, kept for one release with a warning."""

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def moved(old: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """A module ``__getattr__`` that forwards names to ``dover_plugin`` and warns.

    Args:
        old: the deprecated module.
        names: old name -> public name in ``dover_plugin``.
    """

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {old!r} has no attribute {name!r}")
        warnings.warn(
            f"{old}.{name} has moved; use dover_plugin.{names[name]}.",
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(import_module("dover_plugin"), names[name])

    return get
