"""evaluate_scores, against SciPy and through FiftyOne's own evaluation."""

from typing import Any

import numpy as np
import pytest
from fo_helpers import execute, form, operator, problem
from scipy import stats

from dover_plugin.errors import SettingsError


@pytest.fixture
def rated(scored: Any, fo: Any) -> Any:
    """With opinions as numbers and as labels, on another scale, one of them missing."""
    rng = np.random.default_rng(5)
    scores = scored.values("dover.overall")
    mos = [None if s is None else float(1 + 4 * s + rng.normal(0, 0.4)) for s in scores]
    mos[0] = None
    scored.set_values("mos", mos)
    scored.set_values("rating", [m if m is None else fo.Regression(value=m) for m in mos])
    return scored


@pytest.mark.parametrize("mos", ["mos", "rating"])
def test_agreement_is_scipys(rated: Any, mos: str) -> None:
    found = operator("evaluate_scores")(rated, mos=mos, by="technical")
    pairs = zip(rated.values("dover.technical"), rated.values("mos"), strict=True)
    x, y = np.array([p for p in pairs if None not in p]).T
    assert found["videos"] == len(x) == 5
    assert found["srocc"] == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found["plcc"] == pytest.approx(stats.pearsonr(x, y).statistic)
    assert found["krocc"] == pytest.approx(stats.kendalltau(x, y).statistic)
    rescaled = (x - x.mean()) / x.std() * y.std() + y.mean()
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean((rescaled - y) ** 2)))


def test_it_is_an_evaluation_of_fiftyone(rated: Any) -> None:
    result = execute("evaluate_scores", rated, {"mos": "mos", "eval_key": "mine"})
    rated.reload()
    info = rated.get_evaluation_info("mine").config
    assert (info.type, info.method) == ("regression", "simple")
    metrics = rated.load_evaluation_results("mine").metrics()
    assert metrics["srocc"] == result["srocc"]
    assert metrics["root_mean_squared_error"] == pytest.approx(result["rmse"])
    errors = [e for e in rated.values("mine") if e is not None]
    assert len(errors) == 5
    assert "will be replaced" in str(form("evaluate_scores", rated, {"eval_key": "mine"}))
    execute("evaluate_scores", rated, {"mos": "mos", "eval_key": "mine"})
    rated.reload()
    rated.rename_evaluation("mine", "yours")
    assert rated.has_field("yours_prediction")
    rated.delete_evaluation("yours")
    assert not [name for name in rated.get_field_schema() if name.startswith(("mine", "yours"))]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mos": "filepath"}, "must be a numeric field"),
        ({"mos": "nothing"}, "is nothing"),
        ({"mos": "mos", "by": "loudness"}, "is not a score"),
        ({"mos": "mos", "field": "other"}, "holds no scores"),
        ({"mos": "mos", "eval_key": "my eval"}, "cannot name an evaluation"),
    ],
)
def test_what_is_refused(rated: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        operator("evaluate_scores")(rated, **arguments)
    assert not rated.list_evaluations()


def test_models_are_not_mixed(rated: Any) -> None:
    last = rated.match_tags("dover:failed", bool=False).last()
    last.dover.model = "dover"
    last.save()
    with pytest.raises(SettingsError, match="several models"):
        operator("evaluate_scores")(rated, mos="mos")


def test_opinions_that_do_not_differ(rated: Any) -> None:
    rated.set_values("flat", [3.0] * len(rated))
    with pytest.raises(SettingsError, match="no correlation exists"):
        operator("evaluate_scores")(rated, mos="flat")
    assert not rated.has_field("dover_eval_prediction")


def test_a_dataset_without_opinions_says_so(scored_once: Any) -> None:
    assert "No field holds MOS" in problem(form("evaluate_scores", scored_once))


@pytest.mark.parametrize("key", ["mos", "dover", "filepath"])
def test_fields_of_that_name_are_not_touched(rated: Any, key: str) -> None:
    before = rated.values("mos"), rated.values("dover.overall")
    with pytest.raises(SettingsError, match="exists already"):
        operator("evaluate_scores")(rated, mos="mos", eval_key=key)
    assert "exists already" in problem(form("evaluate_scores", rated, {"eval_key": key}))
    assert (rated.values("mos"), rated.values("dover.overall")) == before


def test_the_labels_of_the_user_are_not_touched(rated: Any) -> None:
    rated.rename_sample_field("rating", "kon_mos")
    before = [label and label.value for label in rated.values("kon_mos")]
    with pytest.raises(SettingsError, match="'kon_mos' exists already"):
        operator("evaluate_scores")(rated, mos="kon_mos", eval_key="kon")
    assert [label and label.value for label in rated.values("kon_mos")] == before


def test_another_evaluation_of_that_name_is_not_replaced(rated: Any, fo: Any) -> None:
    rated.clone_sample_field("rating", "copy")
    rated.exists("rating").evaluate_regressions("copy", gt_field="rating", eval_key="theirs")
    with pytest.raises(SettingsError, match="Another evaluation"):
        operator("evaluate_scores")(rated, mos="mos", eval_key="theirs")
    assert rated.list_evaluations() == ["theirs"]
