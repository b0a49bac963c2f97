"""Running a network on a device: both views in, local quality out."""

from typing import Protocol

from dover_plugin.scores import Maps
from dover_plugin.views import Views


class Engine(Protocol):
    """A network ready to run. It may be called from several threads."""

    name: str
    device: str
    precision: str

    def run(self, views: Views) -> Maps:
        """Score the locations of one video's views."""
        ...
