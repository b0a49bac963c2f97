"""evaluate_scores: correlation with mean opinion scores (MOS)."""

from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone.core.collections import SampleCollection

from dover_plugin.errors import SettingsError
from dover_plugin.scores import SCORES
from fiftyone_plugin.evaluation import check_key, evaluate
from fiftyone_plugin.fields import DEFAULT_FIELD
from fiftyone_plugin.operators import forms

EVAL_KEY = "dover_eval"
METRICS = {
    "srocc": "SROCC, rank correlation",
    "plcc": "PLCC, linear correlation",
    "krocc": "KROCC, Kendall's tau-b",
    "rmse": "RMSE, in units of the MOS",
}


class EvaluateScores(foo.Operator):  # type: ignore[misc]
    """Correlates scores with MOS."""

    @property
    def config(self) -> foo.OperatorConfig:
        """Name and label."""
        return forms.config(
            "evaluate_scores", "evaluate against MOS", "SROCC, PLCC, KROCC and RMSE"
        )

    @forms.guarded
    def resolve_input(self, ctx: Any, inputs: types.Object) -> types.Property:
        """Score and MOS field."""
        inputs.view_target(ctx, action_description="Evaluate")
        field = forms.field_input(ctx, inputs)
        if field is not None:
            forms.dropdown(inputs, "by", {s: s for s in SCORES}, "overall", "Score")
            known = _opinion_fields(ctx.dataset, field)
            if not known:
                raise SettingsError(
                    "No field holds MOS. Add a numeric field or Regression labels, such as 'mos'."
                )
            default = "mos" if "mos" in known else known[0]
            names = {name: name for name in known}
            forms.dropdown(inputs, "mos", names, default, "MOS field")
            inputs.str("eval_key", default=EVAL_KEY, label="Name of the evaluation")
            key = forms.given(ctx.params, "eval_key", EVAL_KEY)
            check_key(ctx.dataset, key)
            if key in ctx.dataset.list_evaluations():
                forms.warning(inputs, "replaces", f"The evaluation '{key}' will be replaced")
        return forms.form(inputs, "evaluate against MOS", "Evaluate")

    @forms.answered
    def execute(self, ctx: Any) -> dict[str, Any]:
        """Run the evaluation."""
        params = ctx.params
        field = params.get("field") or forms.field_input(ctx, types.Object()) or DEFAULT_FIELD
        by, mos = params.get("by", "overall"), params.get("mos", "mos")
        found = self(
            ctx.target_view(),
            field=field,
            mos=mos,
            eval_key=params.get("eval_key") or EVAL_KEY,
            by=by,
        )
        ctx.trigger("reload_dataset")
        return {**found, "by": by, "mos": mos}

    @forms.shown
    def resolve_output(self, ctx: Any) -> types.Property:
        """The four metrics."""
        found = ctx.results
        outputs = types.Object()
        what = f"'{found['by']}' against '{found['mos']}' on {found['videos']:,} videos"
        rows = "\n".join(f"| {label} | {found[key]:.3f} |" for key, label in METRICS.items())
        outputs.view("words", types.MarkdownView(), default=f"{what}\n\n| | |\n|---|---|\n{rows}")
        return types.Property(outputs, view=types.View(label="DOVER: evaluation"))

    def __call__(
        self,
        sample_collection: SampleCollection,
        *,
        mos: str,
        field: str = DEFAULT_FIELD,
        by: str = "overall",
        eval_key: str = EVAL_KEY,
    ) -> dict[str, float]:
        """Evaluate from Python; ``load_evaluation_results(eval_key)`` returns the full results.

        Args:
            sample_collection: samples; those with a score and a MOS are used.
            mos: numeric field, or field of Regression labels.
            field: field of scores.
            by: "overall", "technical" or "aesthetic".
            eval_key: name of the evaluation.

        Returns:
            videos, srocc, plcc, krocc, rmse.

        Raises:
            SettingsError: no such fields, too few samples, or scores of several models.
        """
        results = evaluate(sample_collection, field, mos, eval_key, by=by)
        found = results.metrics()
        names = {
            "srocc": "srocc",
            "plcc": "plcc",
            "krocc": "krocc",
            "root_mean_squared_error": "rmse",
        }
        numbers = {short: float(found[name]) for name, short in names.items()}
        return {"videos": len(results.ytrue), **numbers}


def _opinion_fields(dataset: fo.Dataset, field: str) -> list[str]:
    schema = dataset.get_field_schema()
    return [
        name
        for name, kind in schema.items()
        if isinstance(kind, fo.FloatField | fo.IntField)
        or (isinstance(kind, fo.EmbeddedDocumentField) and kind.document_type is fo.Regression)
        if not name.startswith(f"{field}_")
    ]
