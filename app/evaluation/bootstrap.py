"""Confidence intervals of means by the bootstrap: how much a mean would vary with other pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

DRAWS = 9999
LEVEL = 0.95
MAX_INDICES = 4_000_000  # indices drawn at once, to bound memory


def resampled_means(values: np.ndarray, seed: int, draws: int = DRAWS) -> np.ndarray:
    """Means of `draws` resamples of the n rows of `values`, drawn with replacement: (n, …) → (draws, …).

    The same n and seed give the same resamples, so means of two methods over the same pictures can be subtracted.
    """
    count = len(values)
    flat = values.reshape(count, -1).astype(np.float64)
    rng = np.random.default_rng(seed)
    parts = []
    for start in range(0, draws, step := max(1, MAX_INDICES // count)):
        rows = min(step, draws - start)
        drawn = rng.integers(count, size=(rows, count)) + count * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        parts.append(times @ flat / count)
    return np.concatenate(parts).reshape(draws, *values.shape[1:])


def clustered_interval(
    clusters: Sequence[Sequence[float]], seed: int, level: float = LEVEL, draws: int = DRAWS
) -> tuple[float, float]:
    """The ends of the `level` confidence interval of the mean of all values, which come in clusters that belong
    together, such as the cells of a picture in many grids.

    Whole clusters are resampled: of a draw with clusters of sums s and counts n the mean is Σ s / Σ n (Davison,
    Hinkley 1997, Bootstrap Methods and their Application, 3.8; Field, Welsh 2007,
    doi:10.1111/j.1467-9868.2007.00593.x). More values of the same clusters do not make it narrower than the clusters
    allow. Of clusters of one value each it equals `interval`.
    """
    sums = np.array([[np.sum(values), len(values)] for values in clusters], dtype=np.float64)
    means = resampled_means(sums, seed, draws)
    low, high = np.percentile(means[:, 0] / means[:, 1], [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def interval(
    values: np.ndarray | Sequence[float], seed: int, level: float = LEVEL, draws: int = DRAWS
) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the `level` confidence interval of the mean over the first axis, by percentiles of resampled means.

    Efron 1979, doi:10.1214/aos/1176344552. Equals `scipy.stats.bootstrap(method="percentile")`. With few pictures the
    interval is too narrow, because only these pictures are resampled.
    """
    means = resampled_means(np.asarray(values, dtype=np.float64), seed, draws)
    low, high = np.percentile(means, [50 * (1 - level), 50 * (1 + level)], axis=0)
    return low, high
