"""Our intervals against SciPy's, and against what theory says."""

from __future__ import annotations

import numpy as np
import pytest
from gradoscope.evaluation.bootstrap import MAX_INDICES, clustered_interval, interval, resampled_means
from scipy.stats import bootstrap


@pytest.mark.parametrize("level", [0.95, 0.8])
@pytest.mark.parametrize("count", [5, 60])
def test_interval_is_scipys(count, level):
    values = np.random.default_rng(1).gamma(2, size=count)
    theirs = bootstrap((values,), np.mean, method="percentile", confidence_level=level, rng=2).confidence_interval
    # both draw 9999 times: the ends differ by the noise of their percentiles
    assert interval(values, seed=0, level=level) == pytest.approx(tuple(theirs), abs=0.03 * values.std())


def test_each_column_is_drawn_alike_and_the_seed_counts():
    values = np.random.default_rng(0).normal(size=(7, 3))
    low, high = interval(values, seed=5, draws=200)
    for column in range(3):
        assert interval(values[:, column], seed=5, draws=200) == pytest.approx((low[column], high[column]))
    assert not np.allclose(interval(values, seed=6, draws=200)[0], low)
    shift = resampled_means(values[:, 0], seed=5, draws=50) - resampled_means(values[:, 1], seed=5, draws=50)
    assert shift == pytest.approx(resampled_means(values[:, 0] - values[:, 1], seed=5, draws=50))


def test_in_chunks_and_of_equal_values(monkeypatch):
    assert interval([2.0] * 4, seed=0, draws=30) == (2.0, 2.0)
    monkeypatch.setattr("gradoscope.evaluation.bootstrap.MAX_INDICES", 40)
    assert MAX_INDICES > 40
    means = resampled_means(np.arange(10.0), seed=0, draws=99)
    assert means.shape == (99,)
    assert means.std() == pytest.approx(np.arange(10).std() / 10**0.5, rel=0.3)


def test_clusters_of_one_value_are_plain_values():
    values = np.random.default_rng(3).normal(size=12)
    assert clustered_interval([[value] for value in values], seed=5) == pytest.approx(interval(values, seed=5))


def test_clusters_against_a_loop():
    """Whole clusters are drawn, and the mean is that of all their values."""
    rng = np.random.default_rng(4)
    clusters = [list(rng.normal(mean, 0.1, size=count)) for mean, count in ((0, 3), (1, 8), (2, 5), (5, 1), (3, 4))]
    means = []
    for drawn in rng.integers(5, size=(4000, 5)):
        means.append(np.mean([value for index in drawn for value in clusters[index]]))
    expected = np.percentile(means, [2.5, 97.5])
    assert clustered_interval(clusters, seed=0) == pytest.approx(tuple(expected), abs=0.12)


def test_more_values_of_the_same_clusters_do_not_help():
    few = [[0.2, 0.3], [0.5, 0.4], [0.1, 0.2]]
    many = [cluster * 50 for cluster in few]
    assert clustered_interval(many, seed=1) == pytest.approx(clustered_interval(few, seed=1))
    low, high = interval([value for cluster in many for value in cluster], seed=1)
    wide_low, wide_high = clustered_interval(many, seed=1)
    assert high - low < 0.2 * (wide_high - wide_low)
