"""Correlations with MOS, compared with SciPy and with values computed by hand."""

import numpy as np
import pytest
from scipy import stats

from dover_plugin.errors import SettingsError
from dover_plugin.evaluation.metrics import correlations, rescale


def test_correlations_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=200)
    mos = scores * 3 + rng.normal(size=200) + 50
    found = correlations(scores.tolist(), mos.tolist())
    assert found.videos == 200
    assert found.srocc == pytest.approx(stats.spearmanr(scores, mos).statistic)
    assert found.plcc == pytest.approx(np.corrcoef(scores, mos)[0, 1])
    assert found.krocc == pytest.approx(stats.kendalltau(scores, mos).statistic)
    # the mean squared difference of two standardised variables is 2 (1 - r)
    assert found.rmse == pytest.approx(mos.std() * np.sqrt(2 * (1 - found.plcc)))


def test_by_hand() -> None:
    found = correlations([1, 2, 3, 4], [10, 20, 40, 30])
    assert found.srocc == pytest.approx(0.8)
    assert found.krocc == pytest.approx(4 / 6)


def test_rescaled_scores_have_the_moments_of_the_mos() -> None:
    mos = np.array([1.0, 4.0, 5.0, 2.0])
    scaled = rescale([0.1, 0.5, 0.4, 0.2], mos)
    assert (scaled.mean(), scaled.std()) == pytest.approx((mos.mean(), mos.std()))


@pytest.mark.parametrize(
    ("scores", "mos"),
    [([1, 2], [1, 2]), ([1, 2, 3], [1, 2]), ([1, 1, 1], [1, 2, 3]), ([1, 2, np.nan], [1, 2, 3])],
)
def test_data_without_a_correlation(scores: list[float], mos: list[float]) -> None:
    with pytest.raises(SettingsError):
        correlations(scores, mos)
