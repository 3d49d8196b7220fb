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
