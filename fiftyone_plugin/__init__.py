"""DOVER for FiftyOne: the entry point, which FiftyOne runs whenever it lists plugins.

It registers and does nothing else. Where something is missing, an operator says so.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

if find_spec("dover_plugin") is None:  # downloaded as a plugin, not installed with pip
    sys.path.append(str(Path(__file__).resolve().parents[1]))


def register(plugin: Any) -> None:
    """Register the operators and the panel."""
    from fiftyone_plugin.missing import Setup, missing_packages

    if missing_packages():
        plugin.register(Setup)
        return
    from fiftyone_plugin.operators import OPERATORS
    from fiftyone_plugin.panel import VideoQuality

    for operator in (*OPERATORS, VideoQuality):
        plugin.register(operator)
