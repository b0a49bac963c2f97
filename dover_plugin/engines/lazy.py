"""An engine that can be pickled: settings travel, and the network is loaded where it is used."""

import threading
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dover_plugin.engines.factory import Engine, make_engine
from dover_plugin.errors import WeightsError
from dover_plugin.preprocessing.sampling_rule import SamplingRule
from dover_plugin.weights import load, store

if TYPE_CHECKING:
    from dover_plugin.networks import Dover


class LazyEngine:
    """Builds an engine now, and after unpickling at its first use.

    A copy uses the device, engine and precision that the first one chose, and the same weights.

    Args:
        model: name of the model.
        weights: weights file; None for the published weights of the model.
        engine: see factory.make_engine.
        device: see factory.make_engine.
        precision: see factory.make_engine.
        rule: what the network sees; None is the rule of the model.

    Raises:
        DoverError: see get.
    """

    def __init__(
        self,
        model: str,
        weights: str | PathLike[str] | None,
        engine: str,
        device: str,
        precision: str,
        rule: SamplingRule | None = None,
    ) -> None:
        self._model = model
        self._rule = rule
        self._weights = weights
        self._choice = engine, device, precision
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self.weights_sha256 = ""
        built = self.get()
        self._choice = built.name, built.device, built.precision
        if weights is not None:
            self._weights = str(Path(fspath(weights)).absolute())  # a copy may be elsewhere

    def get(self) -> Engine:
        """The engine.

        Raises:
            SettingsError: the device or engine is not on this machine.
            WeightsError: the weights are not on this machine, or others are.
            EngineError: the process was forked after it made an engine.
        """
        with self._lock:
            if self._engine is None:
                self._engine = self._build()
            return self._engine

    def _build(self) -> Engine:
        file = store.find(self._model, self._weights)
        sha256 = load.digest_of(self._model, file)
        if self.weights_sha256 not in ("", sha256):
            raise WeightsError(
                f"The weights of {self._model} here have SHA-256 {sha256}, and the scorer was made "
                f"with {self.weights_sha256}. Copy its weights file to this machine."
            )
        self.weights_sha256 = sha256
        engine, device, precision = self._choice

        def network() -> "Dover":
            loaded: Dover = load.load_network(self._model, file, self._rule)[0]
            return loaded

        return make_engine(engine, network, self._model, device, precision, sha256, self._rule)

    def __getstate__(self) -> dict[str, Any]:
        state = vars(self).copy()
        del state["_lock"], state["_engine"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock(), _engine=None)
