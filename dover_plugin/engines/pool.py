"""Engines on several devices behind the interface of one."""

from collections.abc import Sequence
from queue import SimpleQueue
from typing import TYPE_CHECKING

from dover_plugin.preprocessing.views import Views
from dover_plugin.scores import Maps

if TYPE_CHECKING:
    from dover_plugin.engines.factory import Engine


class EnginePool:
    """Runs each video on an engine with a free slot.

    Engines of one type compute the same maps, so a score does not depend on the device.

    Args:
        engines: engines of one network, precision and type of device; at least one.
    """

    def __init__(self, engines: "Sequence[Engine]") -> None:
        self.name = engines[0].name
        self.precision = engines[0].precision
        self.device = ",".join(engine.device for engine in engines)
        self.parallel = sum(engine.parallel for engine in engines)
        self._free: SimpleQueue[Engine] = SimpleQueue()
        for _ in range(engines[0].parallel):  # the slots of the engines in turn
            for engine in engines:
                self._free.put(engine)

    def run(self, views: Views) -> Maps:
        """See factory.Engine."""
        engine = self._free.get()
        try:
            return engine.run(views)
        finally:
            self._free.put(engine)
