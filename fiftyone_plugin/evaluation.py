"""Correlation of scores with MOS, as a FiftyOne evaluation of regressions."""

from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import numpy as np
from fiftyone import ViewField as F
from fiftyone.core.collections import SampleCollection

from dover_plugin.errors import SettingsError
from dover_plugin.evaluation.metrics import MIN_VIDEOS, correlations, rescale
from dover_plugin.scores import SCORES
from fiftyone_plugin.install import PLUGIN


def evaluate(
    samples: SampleCollection, field: str, mos: str, eval_key: str, *, by: str = "overall"
) -> Any:
    """Evaluate scores against mean opinion scores (MOS).

    FiftyOne compares labels, so it is given two: ``<eval_key>_prediction``, the scores with the
    mean and standard deviation of the MOS, and ``<eval_key>_mos``. They go with the evaluation.

    Args:
        samples: samples; those with a score and a MOS are used.
        field: field of scores.
        mos: numeric field, or field of Regression labels.
        eval_key: name of the evaluation; an existing one of DOVER is replaced.
        by: "overall", "technical" or "aesthetic".

    Returns:
        FiftyOne's RegressionResults; ``metrics()`` holds srocc, plcc, krocc beside its own, such as
        root_mean_squared_error.

    Raises:
        SettingsError: no such fields, too few samples, or scores from several models.
    """
    truth_path = _mos_path(samples, mos)
    if by not in SCORES:
        raise SettingsError(f"by={by!r} is not a score. Choose from {', '.join(SCORES)}.")
    if not samples.has_field(f"{field}.{by}"):
        raise SettingsError(f"The field '{field}' holds no scores. Run score_videos first.")
    check_key(samples, eval_key)
    view = samples.match((F(f"{field}.{by}") != None) & (F(truth_path) != None))  # noqa: E711
    models = view.distinct(f"{field}.model")
    if len(models) > 1:
        raise SettingsError(
            f"The scores are from several models ({', '.join(models)}). Use a view with one model."
        )
    ids, scores, truth = view.values(["id", f"{field}.{by}", truth_path])
    if len(ids) < MIN_VIDEOS:
        raise SettingsError(
            f"Only {len(ids)} samples have both a score in '{field}' and a MOS in '{mos}'; "
            f"at least {MIN_VIDEOS} are needed."
        )
    correlations(scores, truth)  # raises before anything is written
    if eval_key in samples.list_evaluations():
        samples.delete_evaluation(eval_key)  # one of ours
    prediction, target = label_fields(eval_key)
    predicted = rescale(scores, np.asarray(truth, np.float64))
    for name, values in ((prediction, predicted), (target, truth)):
        labels = {i: fo.Regression(value=float(v)) for i, v in zip(ids, values, strict=True)}
        samples._dataset.add_sample_field(
            name, fo.EmbeddedDocumentField, embedded_doc_type=fo.Regression
        )
        samples._dataset.set_values(name, labels, key_field="id")
    return view.evaluate_regressions(
        prediction,
        gt_field=target,
        eval_key=eval_key,
        method="simple",
        metric="absolute_error",
        custom_metrics={f"{PLUGIN}/{metric.name}": {} for metric in METRICS},
        progress=False,
    )


def check_key(samples: SampleCollection, eval_key: str) -> None:
    """Raise SettingsError if the evaluation would overwrite fields that are not its own."""
    if not eval_key.isidentifier():
        raise SettingsError(f"{eval_key!r} cannot name an evaluation. Use letters and digits.")
    labels = label_fields(eval_key)
    if eval_key in samples.list_evaluations():
        config = samples.get_evaluation_info(eval_key).config
        if getattr(config, "pred_field", None) != labels[0]:
            raise SettingsError(
                f"Another evaluation is named {eval_key!r} already. Choose another name."
            )
        return
    taken = [name for name in (eval_key, *labels) if samples._dataset.has_field(name)]
    if taken:
        raise SettingsError(f"The field '{taken[0]}' exists already. Choose another name.")


def label_fields(eval_key: str) -> tuple[str, str]:
    """Names of the label fields of an evaluation."""
    return f"{eval_key}_prediction", f"{eval_key}_mos"


class _Correlation(foo.EvaluationMetric):  # type: ignore[misc]
    """One number of dover_plugin.metrics.correlations, for any evaluation of regressions."""

    name: str
    label: str

    @property
    def config(self) -> foo.EvaluationMetricConfig:
        """Name and label."""
        return foo.EvaluationMetricConfig(
            name=type(self).name,
            label=self.label,
            eval_types=["regression"],
            lower_is_better=False,
            unlisted=True,
        )

    def compute(self, samples: Any, results: Any, **_: Any) -> float:
        """Value of the metric."""
        del samples
        found: float = getattr(correlations(results.ypred, results.ytrue), type(self).name)
        return found


class Srocc(_Correlation):
    """Spearman's rank correlation; owns the label fields, which are deleted with the evaluation."""

    name, label = "srocc", "SROCC (rank correlation)"

    def get_fields(self, samples: Any, config: Any, eval_key: str) -> list[str]:
        """Label fields that ``evaluate`` created."""
        del config
        return [name for name in label_fields(eval_key) if samples.has_field(name)]


class Plcc(_Correlation):
    """Pearson's linear correlation."""

    name, label = "plcc", "PLCC (linear correlation)"


class Krocc(_Correlation):
    """Kendall's rank correlation."""

    name, label = "krocc", "KROCC (Kendall's tau-b)"


METRICS = (Srocc, Plcc, Krocc)


def _mos_path(samples: SampleCollection, mos: str) -> str:
    """Path of the numbers of a MOS field."""
    field = samples.get_field(mos)
    if isinstance(field, fo.FloatField | fo.IntField):
        return mos
    if isinstance(field, fo.EmbeddedDocumentField) and field.document_type is fo.Regression:
        return f"{mos}.value"
    got = type(field).__name__ if field else "nothing"
    raise SettingsError(
        f"MOS must be a numeric field or a field of Regression labels; '{mos}' is {got}."
    )
