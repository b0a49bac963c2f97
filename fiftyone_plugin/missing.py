"""Operator that lists missing dependencies."""

import sys
from importlib.util import find_spec
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

NEEDED = {  # module -> package; what the core imports
    "torch": "torch",
    "av": "av",
    "safetensors": "safetensors",
    "httpx": "httpx",
    "tenacity": "tenacity",
    "filelock": "filelock",
    "platformdirs": "platformdirs",
}


def missing_packages() -> list[str]:
    """Packages that cannot be imported, and Python itself if it is too old."""
    old = ["Python 3.12 or later"] if tuple(sys.version_info) < (3, 12) else []
    return old + [package for module, package in NEEDED.items() if find_spec(module) is None]


class Setup(foo.Operator):  # type: ignore[misc]
    """Lists missing dependencies; registered only if something is missing."""

    @property
    def config(self) -> foo.OperatorConfig:
        """Name and label."""
        return foo.OperatorConfig(name="setup", label="DOVER: missing dependencies", dynamic=True)

    def resolve_input(self, ctx: Any) -> types.Property:
        """Instructions to install the packages."""
        del ctx
        packages = missing_packages()
        inputs = types.Object()
        if packages:
            inputs.view(
                "missing",
                types.Error(
                    label=f"DOVER cannot run: {', '.join(packages)} missing",
                    description="In the environment of FiftyOne run 'fiftyone plugins requirements "
                    "@dover/quality --install', then start the App again.",
                ),
            )
        return types.Property(inputs, view=types.View(label="DOVER"))

    def execute(self, ctx: Any) -> dict[str, list[str]]:
        """Return the missing packages."""
        del ctx
        return {"missing": missing_packages()}
