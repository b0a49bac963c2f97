"""tag_low_quality and undo_low_quality."""

from typing import Any

import fiftyone.operators.types as types
from fiftyone.core.collections import SampleCollection

from dover_plugin.errors import DoverError, SettingsError
from dover_plugin.scores import SCORES
from dover_plugin.text import counted
from fiftyone_plugin import plots, statistics
from fiftyone_plugin.fields import DEFAULT_FIELD
from fiftyone_plugin.low_quality import (
    HIGH,
    LOW,
    Low,
    Mark,
    check_name,
    describe,
    mark,
    marks,
    undo,
)
from fiftyone_plugin.operators import forms
from fiftyone_plugin.targets import scorable

RULES = {
    "quantile": "the lowest share of the videos",
    "threshold": "all videos below a threshold",
    "disagreement": "one branch low, the other high",
}
KINDS = {"tag": "tag them", "label": "label them", "view": "save a view of them"}
NAMES: dict[str, str] = {"tag": "low_quality", "label": "quality_label", "view": "low quality"}


class TagLowQuality(forms.FormOperator):
    """Tags or labels samples of low quality, or saves a view of them."""

    id = "tag_low_quality"
    label = "tag low quality"
    description = "Filter, tag or label the videos with the worst quality for review"
    button = "Mark"

    def fields(self, ctx: Any, inputs: types.Object) -> None:
        """Rule, kind of mark, and number of matching samples."""
        params = ctx.params
        forms.target(ctx, inputs, "Search")
        field = forms.field_input(ctx, inputs)
        if field is None:
            return
        rule = params.get("rule", "quantile")
        forms.dropdown(inputs, "rule", RULES, "quantile", "Low quality is", "Rule of the search")
        _rule_inputs(inputs, rule)
        error = _preview(ctx, inputs, field)
        forms.dropdown(inputs, "kind", KINDS, "tag", "Action", "What to do with the videos")
        kind = params.get("kind", "tag")
        inputs.str(
            f"{kind}_name",
            default=NAMES[kind],
            label="Name",
            description=f"Name of the {'label field' if kind == 'label' else kind}",
        )
        if error is not None:
            raise error
        check_name(ctx.dataset, kind, forms.given(params, f"{kind}_name", NAMES[kind]))

    def act(self, ctx: Any) -> dict[str, Any]:
        """Apply the mark."""
        params = ctx.params
        kind: Mark = params.get("kind", "tag")
        name = params.get(f"{kind}_name") or NAMES[kind]
        low, field = _low(params), forms.chosen_field(ctx)
        count = mark(ctx.target_view(), field, low, kind, name)
        ctx.trigger("reload_dataset")
        return {
            "done": f"{counted(count, 'video')}: {kind} '{name}'",
            "show": {"kind": kind, "name": name, "sort": f"{field}.{low.by}"},
        }

    def outputs(self, results: dict[str, Any], outputs: types.Object) -> None:
        """Summary of the mark."""
        outputs.view("head", types.Success(label=results["done"]))
        forms.show_button(outputs, results["show"])
        outputs.view("undo", types.Notice(label="'DOVER: undo low-quality mark' reverts this"))

    def __call__(
        self,
        sample_collection: SampleCollection,
        *,
        field: str = DEFAULT_FIELD,
        low: Low | None = None,
        kind: Mark = "tag",
        name: str | None = None,
        **rule: Any,
    ) -> int:
        """Apply a mark from Python: ``op(dataset, rule="quantile", by="technical", share=0.05)``.

        Args:
            sample_collection: dataset or view.
            field: field of scores.
            low: rule; by default made of the arguments of Low given as ``rule``.
            kind: "tag", "label" or "view".
            name: name of the tag, the label field or the saved view.
            rule: arguments of fiftyone_plugin.low_quality.Low.

        Returns:
            Number of samples that match.

        Raises:
            SettingsError: no scores, or a name that is taken.
        """
        return mark(sample_collection, field, low or Low(**rule), kind, name or NAMES[kind])


class UndoLowQuality(forms.FormOperator):
    """Undoes a run of tag_low_quality."""

    id = "undo_low_quality"
    label = "undo low-quality mark"
    description = "Remove the tags, labels or saved view of a run of 'tag low quality'"
    button = "Undo"

    def fields(self, ctx: Any, inputs: types.Object) -> None:
        """Run to undo."""
        known = marks(ctx.dataset)
        if not known:
            raise SettingsError("Nothing to undo: no videos were marked as low quality.")
        choices = {key: describe(ctx.dataset, key) for key in known}
        forms.dropdown(inputs, "key", choices, known[0], "Mark", "Run to undo, the latest first")

    def act(self, ctx: Any) -> dict[str, Any]:
        """Undo the run."""
        done = undo(ctx.dataset, ctx.params.get("key"))
        ctx.trigger("reload_dataset")
        return {"done": f"Undone: {done}"}

    def outputs(self, results: dict[str, Any], outputs: types.Object) -> None:
        """Summary of the undo."""
        outputs.view("head", types.Success(label=results["done"]))

    def __call__(self, sample_collection: SampleCollection, *, key: str | None = None) -> str:
        """Undo from Python.

        Args:
            sample_collection: the dataset or a view of it.
            key: key of the run; the latest by default.

        Returns:
            What was undone, in words.

        Raises:
            SettingsError: there is nothing to undo.
        """
        return undo(sample_collection._dataset, key)


def _preview(ctx: Any, inputs: types.Object, field: str) -> DoverError | None:
    """Add the histogram with the threshold, and the number of matches; returns what failed."""
    try:
        low, samples = _low(ctx.params), scorable(ctx.target_view())
        histogram = statistics.ScoreTable.read(samples, field).histograms([low.by])
        if not histogram:
            raise SettingsError("No video of this target has a score. Choose another target.")
        hits = len(low.find(samples, field))
    except DoverError as error:
        return error
    total = sum(histogram[low.by].counts)
    data, layout = plots.threshold(histogram[low.by], low.by, low.limit(samples, field))
    inputs.plot("histogram", data=data, layout=layout, config=plots.STILL)
    videos = counted(total, "scored video")
    forms.notice(inputs, "count", f"Matches {hits:,} of {videos} ({hits / total:.0%})")
    return None


def _rule_inputs(inputs: types.Object, rule: str) -> None:
    names = {score: score for score in (SCORES[1:] if rule == "disagreement" else SCORES)}
    grades = "0 to 1; bad below 0.2, poor below 0.4, fair below 0.6, good below 0.8"
    if rule == "disagreement":
        forms.dropdown(inputs, "low_branch", names, "technical", "Low branch", "Branch to be low")
        inputs.float("below", default=LOW, label="Low is below", description=grades)
        inputs.float("above", default=HIGH, label="The other is at least", description=grades)
        return
    forms.dropdown(inputs, "by", names, "overall", "Score", "Score to search by")
    if rule == "quantile":
        inputs.float(
            "share",
            default=0.1,
            label="Share",
            description="Share of the scored videos; 0.1 is the lowest tenth",
        )
    else:
        inputs.float("below", default=LOW, label="Low is below", description=grades)


def _low(params: dict[str, Any]) -> Low:
    rule = params.get("rule", "quantile")
    branch, score = params.get("low_branch", "technical"), params.get("by", "overall")
    return Low(
        rule=rule,
        by=branch if rule == "disagreement" else score,
        below=forms.given(params, "below", LOW),
        above=forms.given(params, "above", HIGH),
        share=forms.given(params, "share", 0.1),
    )
