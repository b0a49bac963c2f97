"""tag_low_quality and undo_low_quality."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone.core.collections import SampleCollection

from dover_plugin.scores import SCORES
from fiftyone_plugin.fields import DEFAULT_FIELD, HIGH, LOW, scored
from fiftyone_plugin.low_quality import Low, Mark, check_name, describe, mark, marks, undo
from fiftyone_plugin.operators import forms
from fiftyone_plugin.scoring import videos

RULES = {
    "threshold": "below a threshold",
    "quantile": "among the lowest",
    "disagreement": "one branch low, the other high",
}
KINDS = {"tag": "tag them", "label": "label them", "view": "save a view of them"}
NAMES: dict[str, str] = {"tag": "low_quality", "label": "quality_label", "view": "low quality"}


class TagLowQuality(foo.Operator):  # type: ignore[misc]
    """Tags or labels samples of low quality, or saves a view of them."""

    @property
    def config(self) -> foo.OperatorConfig:
        """Name and label."""
        return forms.config(
            "tag_low_quality", "tag low quality", "Tag or label videos of low quality for review"
        )

    @forms.guarded
    def resolve_input(self, ctx: Any, inputs: types.Object) -> types.Property:
        """Rule, kind of mark, and number of matching samples."""
        inputs.view_target(ctx, action_description="Search")
        field = forms.field_input(ctx, inputs)
        if field is not None:
            forms.dropdown(inputs, "rule", RULES, "threshold", "Low quality is")
            _rule_inputs(inputs, ctx.params.get("rule", "threshold"))
            samples = videos(ctx.target_view())
            hits, total = len(_low(ctx.params).find(samples, field)), len(scored(samples, field))
            count = f"Matches {hits:,} of {forms.plural(total, 'scored video')}"
            forms.notice(inputs, "count", count)
            forms.dropdown(inputs, "kind", KINDS, "tag", "Do")
            kind = ctx.params.get("kind", "tag")
            inputs.str(f"{kind}_name", default=NAMES[kind], label="Name")
            check_name(ctx.dataset, kind, forms.given(ctx.params, f"{kind}_name", NAMES[kind]))
        return forms.form(inputs, "tag low quality", "Mark")

    @forms.answered
    def execute(self, ctx: Any) -> dict[str, Any]:
        """Apply the mark."""
        params = ctx.params
        field = params.get("field") or _only_field(ctx)
        kind: Mark = params.get("kind", "tag")
        name = params.get(f"{kind}_name") or NAMES[kind]
        count = mark(ctx.target_view(), field, _low(params), kind, name)
        ctx.trigger("reload_dataset")
        return {"done": f"{forms.plural(count, 'video')}: {kind} '{name}'"}

    @forms.shown
    def resolve_output(self, ctx: Any) -> types.Property:
        """Summary of the mark."""
        outputs = types.Object()
        outputs.view("head", types.Success(label=ctx.results["done"]))
        undone = "'DOVER: undo low-quality mark' takes it back"
        outputs.view("undo", types.Notice(label=undone))
        return types.Property(outputs, view=types.View(label="DOVER: low quality"))

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
            low: what counts; else made of the arguments of Low given as ``rule``.
            kind: "tag", "label" or "view".
            name: name of the tag, the label field or the saved view.
            rule: arguments of fiftyone_plugin.low_quality.Low.

        Returns:
            How many samples are hit.

        Raises:
            SettingsError: no scores, or a name that is taken.
        """
        return mark(sample_collection, field, low or Low(**rule), kind, name or NAMES[kind])


class UndoLowQuality(foo.Operator):  # type: ignore[misc]
    """Undoes a run of tag_low_quality."""

    @property
    def config(self) -> foo.OperatorConfig:
        """Name and label."""
        return forms.config(
            "undo_low_quality",
            "undo low-quality mark",
            "Remove tags, labels or the saved view of a run",
        )

    @forms.guarded
    def resolve_input(self, ctx: Any, inputs: types.Object) -> types.Property:
        """Run to undo."""
        known = marks(ctx.dataset)
        if known:
            choices = {key: describe(ctx.dataset, key) for key in known}
            forms.dropdown(inputs, "key", choices, known[0], "Undo")
        else:
            forms.problem(inputs, "Nothing to undo: no videos were marked as low quality.")
        return forms.form(inputs, "undo low-quality mark", "Undo")

    @forms.answered
    def execute(self, ctx: Any) -> dict[str, Any]:
        """Undo the run."""
        done = undo(ctx.dataset, ctx.params.get("key"))
        ctx.trigger("reload_dataset")
        return {"done": f"Undone: {done}"}

    @forms.shown
    def resolve_output(self, ctx: Any) -> types.Property:
        """Summary of the undo."""
        outputs = types.Object()
        outputs.view("head", types.Success(label=ctx.results["done"]))
        return types.Property(outputs, view=types.View(label="DOVER: low quality"))

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


def _rule_inputs(inputs: types.Object, rule: str) -> None:
    scores = SCORES[1:] if rule == "disagreement" else SCORES
    names = {score: score for score in scores}
    if rule == "disagreement":
        forms.dropdown(inputs, "low_branch", names, "technical", "Low branch")
        forms.share(inputs, "below", round(LOW, 2), "Low is below")
        forms.share(inputs, "above", round(HIGH, 2), "The other is at least")
        return
    forms.dropdown(inputs, "by", names, "overall", "Score")
    if rule == "quantile":
        forms.share(inputs, "share", 0.1, "Share of the scored videos")
    else:
        forms.share(inputs, "below", round(LOW, 2), "Low is below")


def _low(params: dict[str, Any]) -> Low:
    rule = params.get("rule", "threshold")
    branch, score = params.get("low_branch", "technical"), params.get("by", "overall")
    return Low(
        rule=rule,
        by=branch if rule == "disagreement" else score,
        below=forms.given(params, "below", round(LOW, 2)),
        above=forms.given(params, "above", round(HIGH, 2)),
        share=forms.given(params, "share", 0.1),
    )


def _only_field(ctx: Any) -> str:
    return forms.field_input(ctx, types.Object()) or DEFAULT_FIELD
