"""Find samples of low quality, mark them, and undo marks."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

import fiftyone as fo
from fiftyone import ViewField as F
from fiftyone.core.collections import SampleCollection

from dover_plugin.errors import SettingsError
from dover_plugin.grades import LIMITS
from dover_plugin.scores import SCORES
from fiftyone_plugin.fields import every_sample, scored
from fiftyone_plugin.runs import tell_change
from fiftyone_plugin.targets import scorable

RUN = "dover_mark"  # the method under which marks are recorded
LABEL = "low"
_, LOW, HIGH, _ = LIMITS  # below: poor or bad; from there: good or excellent

type Rule = Literal["threshold", "quantile", "disagreement"]
type Mark = Literal["tag", "label", "view"]


class Finds(Protocol):
    """A rule that finds samples; its attributes are recorded with the mark."""

    def find(self, samples: SampleCollection, field: str) -> fo.DatasetView:
        """The samples that match the rule."""
        ...


@dataclass(frozen=True)
class Low:
    """Rule for low quality.

    Attributes:
        rule: "threshold": the score is below ``below``. "quantile": it is among the lowest
            ``share`` of the samples. "disagreement": ``by`` is below ``below``, and the other
            branch is at least ``above``.
        by: "overall", "technical" or "aesthetic"; a branch for "disagreement".
        below: threshold in [0, 1].
        above: threshold of the other branch in [0, 1], for "disagreement".
        share: share of the scored videos in (0, 1], for "quantile".
    """

    rule: Rule = "quantile"
    by: str = "overall"
    below: float = LOW
    above: float = HIGH
    share: float = 0.1

    def __post_init__(self) -> None:
        if self.rule not in ("threshold", "quantile", "disagreement"):
            raise SettingsError(
                f"Unknown rule {self.rule!r}; use threshold, quantile or disagreement."
            )
        choices = SCORES[1:] if self.rule == "disagreement" else SCORES
        if self.by not in choices:
            raise SettingsError(f"Unknown score by={self.by!r}; choose from {', '.join(choices)}.")
        if self.rule == "quantile":
            if not 0 < self.share <= 1:
                raise SettingsError(
                    f"The share must be above 0 and at most 1, got {self.share}. For example, 0.1 "
                    "marks the lowest tenth."
                )
            return
        used = {"below": self.below}
        if self.rule == "disagreement":
            used["above"] = self.above
        for name, value in used.items():
            if not 0 <= value <= 1:
                raise SettingsError(f"The threshold {name!r} must be from 0 to 1, got {value}.")

    def limit(self, samples: SampleCollection, field: str) -> float | None:
        """The score at or below which a sample is low; None if no sample has a score."""
        if self.rule != "quantile":
            return self.below
        limit: float | None = samples.quantiles(f"{field}.{self.by}", self.share)
        return limit

    def find(self, samples: SampleCollection, field: str) -> fo.DatasetView:
        """The samples that match the rule.

        Raises:
            SettingsError: the field holds no scores.
        """
        if not samples.has_field(f"{field}.overall"):
            raise SettingsError(f"The field '{field}' holds no scores. Run score_videos first.")
        score = F(f"{field}.{self.by}")
        view = scored(samples, field).match(score != None)  # noqa: E711
        if self.rule == "quantile":
            limit = self.limit(view, field)
            return view.match(score <= limit) if limit is not None else view.limit(0)
        low = score < self.below
        if self.rule == "disagreement":
            other = "aesthetic" if self.by == "technical" else "technical"
            low &= F(f"{field}.{other}") >= self.above
        return view.match(low)


def mark(samples: SampleCollection, field: str, rule: Finds, kind: Mark, name: str) -> int:
    """Mark samples of low quality, and record the mark for ``undo``.

    Args:
        samples: samples to search.
        field: field of scores.
        rule: rule that finds the samples.
        kind: "tag" the samples, "label" them "low", or save a "view" of them.
        name: name of the tag, the label field, or the saved view.

    Returns:
        How many samples are hit.

    Raises:
        SettingsError: no scores, or a name that is taken.
    """
    dataset = samples._dataset
    hits = rule.find(scorable(samples), field)
    count = len(hits)
    check_name(dataset, kind, name)
    if kind == "tag":
        changed = hits.match_tags(name, bool=False).values("id")
        every_sample(dataset).select(changed).tag_samples(name)
    elif kind == "label":
        if not dataset.has_field(name):
            dataset.add_sample_field(
                name,
                fo.EmbeddedDocumentField,
                embedded_doc_type=fo.Classification,
                description=_description(field),
            )
        changed = hits.match(F(name) == None).values("id")  # noqa: E711
        labels = {i: fo.Classification(label=LABEL) for i in changed}
        every_sample(dataset).set_values(name, labels, key_field="id")
    else:
        changed = []
        dataset.save_view(name, hits, description=_description(field))
    key = f"{RUN}_{datetime.now(UTC):%Y%m%d_%H%M%S_%f}"
    settings = {"field": field, "kind": kind, "name": name, "count": count, **vars(rule)}
    samples.register_run(key, samples.init_run(method=RUN, **settings))
    results = dataset.init_run_results(key, changed=changed, hits=hits.values("id"))
    dataset.save_run_results(key, results)
    tell_change(dataset)
    return count


def marks(dataset: fo.Dataset) -> list[str]:
    """Keys of marks that can be undone, latest first."""
    return sorted(dataset.list_runs(method=RUN), reverse=True)


def describe(dataset: fo.Dataset, key: str) -> str:
    """Description of a recorded mark."""
    config = dataset.get_run_info(key).config
    return f"{config.kind} '{config.name}' on {config.count:,} samples"


def undo(dataset: fo.Dataset, key: str | None = None) -> str:
    """Undo a mark, the latest by default. Tags and labels from other sources are kept.

    Returns:
        What was undone, in words.

    Raises:
        SettingsError: there is nothing to undo.
    """
    known = marks(dataset)
    if key is None and known:
        key = known[0]
    if key not in known:
        raise SettingsError("Nothing to undo: no run of tag_low_quality is recorded.")
    config = dataset.get_run_info(key).config
    what = describe(dataset, key)
    every = every_sample(dataset)
    changed = set(dataset.load_run_results(key).changed)
    dataset.delete_run(key)
    if config.kind in ("tag", "label"):
        # Samples of another mark with this tag or field now belong to that mark.
        for other in marks(dataset):
            mark_of = dataset.get_run_info(other).config
            if (mark_of.kind, mark_of.name) == (config.kind, config.name):
                results = dataset.load_run_results(other)
                kept = changed & set(results.hits)
                changed -= kept
                results.changed = sorted({*results.changed, *kept})
                dataset.save_run_results(other, results)
    if config.kind == "tag":
        every.select(list(changed)).untag_samples(config.name)
    elif config.kind == "label":
        if dataset.has_field(config.name):
            ours = every.select(list(changed)).match(F(f"{config.name}.label") == LABEL)
            every.set_values(config.name, dict.fromkeys(ours.values("id")), key_field="id")
            if not every.count(config.name):
                dataset.delete_sample_field(config.name)
    elif dataset.has_saved_view(config.name):
        description = dataset.get_saved_view_info(config.name)["description"]
        if description == _description(config.field):
            dataset.delete_saved_view(config.name)
    tell_change(dataset)
    return what


def check_name(dataset: fo.Dataset, kind: Mark, name: str) -> None:
    """Raise SettingsError unless a mark of this name can be created."""
    if not name:
        raise SettingsError(f"The {kind} needs a name, for example 'low_quality'.")
    if kind == "view" and dataset.has_saved_view(name):
        raise SettingsError(f"A saved view is named {name!r} already. Choose another name.")
    if kind == "label" and not name.isidentifier():
        raise SettingsError(f"{name!r} cannot name a field. Use letters, digits and underscores.")
    if kind == "label" and dataset.has_field(name):
        description = dataset.get_field(name).description or ""
        if not description.startswith(_description("")):
            raise SettingsError(f"The field '{name}' exists and holds something else. Rename it.")


def _description(field: str) -> str:
    return f"Low quality by DOVER {field}".strip()
