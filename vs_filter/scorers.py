"""Scorers of the filters: loaded at the first scored segment, shared by equal filters."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Unpack
from weakref import WeakValueDictionary

from dover_plugin.errors import SettingsError
from dover_plugin.io.source import VideoInfo
from dover_plugin.options import ModelOptions, check_names, default_model, recorded_seed
from dover_plugin.preprocessing.sampling_rule import SamplingRule
from dover_plugin.preprocessing.views import Views
from dover_plugin.scores import Scores
from dover_plugin.weights.registry import published

_shared: "WeakValueDictionary[object, LazyScorer]" = WeakValueDictionary()
_sharing = threading.Lock()


class SegmentScorer(Protocol):
    """What the filter needs of a scorer."""

    seed: int | None
    repeats: int
    rule: SamplingRule

    def score_views(self, info: VideoInfo, views: Sequence[Views]) -> Scores:
        """See dover_plugin.Scorer.score_views."""
        ...


class GivenScorer:
    """A dover_plugin.Scorer of the user."""

    def __init__(self, scorer: Any) -> None:
        self.seed: int | None = scorer.settings.seed
        self.repeats: int = scorer.settings.repeats
        self.rule: SamplingRule = scorer.read_options.rule
        self.score_views = scorer.score_views


class LazyScorer:
    """Makes a dover_plugin.Scorer when the first segment is scored.

    Args:
        options: settings of the scorer, checked as far as no network is needed.
    """

    def __init__(self, options: ModelOptions) -> None:
        self._options = options
        self.repeats: int = options.get("repeats", 1)
        self.seed = recorded_seed(options.get("seed"), self.repeats)
        model = options.get("model") or default_model()
        self.rule = published(model).sampling.only(options.get("branches"), model)
        self._scorer: Any = None
        self._loading = threading.Lock()

    def score_views(self, info: VideoInfo, views: Sequence[Views]) -> Scores:
        """See SegmentScorer; the first call loads the network."""
        with self._loading:
            if self._scorer is None:
                from dover_plugin.scorer import Scorer

                # vspipe prints the debug messages of every library
                logging.getLogger("filelock").setLevel(logging.INFO)
                self._scorer = Scorer(**self._options)
        scores: Scores = self._scorer.score_views(info, views)
        return scores


def choose_scorer(caller: str, scorer: object, options: ModelOptions) -> SegmentScorer:
    """The scorer of a filter: the user's, or one for these settings.

    Args:
        caller: name of the function that the user called.
        scorer: argument of the user, a Scorer or None.
        options: settings of a new scorer.

    Raises:
        SettingsError: not a scorer, or settings that are invalid.
        WeightsError: weights that are missing.
        TypeError: an option that does not exist.
    """
    check_names(options, ModelOptions, caller)
    if scorer is None:
        return _shared_scorer(**options)
    from dover_plugin.scorer import Scorer

    if not isinstance(scorer, Scorer):
        raise SettingsError(
            f"scorer must be a dover_plugin.Scorer, got {scorer!r}. Pass Scorer(...), or name the "
            "model with model=."
        )
    if options:
        raise SettingsError(
            f"scorer already has its settings; {next(iter(options))} cannot be set beside it. Omit "
            "one of the two."
        )
    return GivenScorer(scorer)


def _shared_scorer(**options: Unpack[ModelOptions]) -> LazyScorer:
    """A scorer that filters with equal settings share while one of them exists."""
    from dover_plugin import calibration
    from dover_plugin.engines.factory import check_engine
    from dover_plugin.options import check_sampling, check_types
    from dover_plugin.weights import store

    check_types(options)
    model = published(options.get("model") or default_model()).model
    check_sampling(options.get("seed"), options.get("repeats", 1))
    chosen: ModelOptions = {
        **options,
        "model": model,
        "fusion": calibration.choose(options.get("fusion"), model),
        "branches": published(model).sampling.only(options.get("branches"), model).branches,
    }
    file = store.find(model, options.get("weights"))
    # What is missing here is an error when the script loads, not at its first frame.
    precision = options.get("precision", "float32")
    check_engine(options.get("engine", "auto"), options.get("device", "auto"), precision)
    key = (
        *sorted(
            (name, value) for name, value in chosen.items() if name not in ("weights", "fusion")
        ),
        repr(chosen["fusion"]),
        *_version(file),
    )
    with _sharing:
        found = _shared.get(key)
        if found is None:
            found = _shared[key] = LazyScorer(chosen)
    return found


def _version(file: Path) -> tuple[str, int, int]:
    """What changes when a weights file is replaced."""
    facts = file.stat()
    return str(file.resolve()), facts.st_mtime_ns, facts.st_size
