"""evaluate_scores: correlation with mean opinion scores (MOS)."""

from typing import Any

import fiftyone as fo
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
    "krocc": "KROCC, Kendall's tau-b: (right - wrong order) / pairs",
    "rmse": "RMSE, in units of the MOS",
}


class EvaluateScores(forms.FormOperator):
    """Correlates scores with MOS."""

    id = "evaluate_scores"
    label = "evaluate against MOS"
    description = "Correlation with mean opinion scores: SROCC, PLCC, KROCC and RMSE"
    button = "Evaluate"

    def fields(self, ctx: Any, inputs: types.Object) -> None:
        """Score and MOS field."""
        forms.target(ctx, inputs, "Evaluate")
        field = forms.field_input(ctx, inputs)
        if field is not None:
            scores = {score: score for score in SCORES}
            forms.dropdown(inputs, "by", scores, "overall", "Score", "Score to evaluate")
            known = _opinion_fields(ctx.dataset, field)
            if not known:
                raise SettingsError(
                    "No field holds MOS. Add a numeric field or Regression labels, such as 'mos'."
                )
            default = "mos" if "mos" in known else known[0]
            names = {name: name for name in known}
            forms.dropdown(
                inputs, "mos", names, default, "MOS field", "Mean opinion scores, on any scale"
            )
            inputs.str(
                "eval_key",
                default=EVAL_KEY,
                label="Evaluation",
                description="Name under which FiftyOne keeps the evaluation",
            )
            key = forms.given(ctx.params, "eval_key", EVAL_KEY)
            check_key(ctx.dataset, key)
            if key in ctx.dataset.list_evaluations():
                forms.warning(inputs, "replaces", f"The evaluation '{key}' will be replaced")

    def act(self, ctx: Any) -> dict[str, Any]:
        """Run the evaluation."""
        params = ctx.params
        field = forms.chosen_field(ctx)
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

    def outputs(self, results: dict[str, Any], outputs: types.Object) -> None:
        """The four metrics."""
        what = f"'{results['by']}' against '{results['mos']}' on {results['videos']:,} videos"
        rows = "\n".join(f"| {label} | {results[key]:.3f} |" for key, label in METRICS.items())
        table = f"{what}\n\n| metric | value |\n|---|---|\n{rows}"
        outputs.view("words", types.MarkdownView(), default=table)

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
