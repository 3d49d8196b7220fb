"""RISE against a naive loop over the same masks, and on a linear score against the formula of its expectation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.baselines import make_baseline
from gradoscope.attribution.methods.rise import RiseParameters, random_masks
from gradoscope.attribution.score import Score
from torch import Tensor

from tests.support.nets import Linear, Tiny, explain, finish, random_picture, relative, steps_of, wrap


def enlarging(cells: int, side: int) -> Tensor:
    """The matrix that enlarges `cells` values linearly to (cells + 1) ⌈side / cells⌉, by its definition."""
    cell = math.ceil(side / cells)
    long = (cells + 1) * cell
    places = (np.arange(long) + 0.5) * cells / long - 0.5
    columns = [np.interp(places, np.arange(cells), unit) for unit in np.eye(cells)]
    return torch.from_numpy(np.stack(columns, 1))


@pytest.mark.parametrize("fill", ["black", "mean", "noise"])
@pytest.mark.parametrize("size", [(8, 8), (9, 7), (4, 12)])
def test_against_a_loop(size: tuple[int, int], fill: str) -> None:
    network, x = wrap(Tiny()), random_picture(size[0], seed=3, width=size[1])
    options = {"masks": 21, "cells": 3, "probability": 0.3, "fill": fill}
    yielded, actual = finish(steps_of("rise", network, x, score=Score(1), seed=5, **options))
    baseline = make_baseline(fill, x, 5)
    total = torch.zeros(size, dtype=torch.float64)
    samples = []
    for mask in random_masks(RiseParameters(**options), size, 5):
        score = float(network((x * mask + baseline * (1 - mask))[None])[0, 1])
        samples.append(score * mask[0].double() / 0.3)
        total += score * mask[0].double()
    assert actual.values.shape == (1, *size)
    assert relative(actual.values[0].double(), total / (21 * 0.3)) < 1e-5
    deviation = torch.stack(samples).var(0, correction=1).sum().sqrt() / math.sqrt(21)
    error = float(deviation / (total / (21 * 0.3)).norm())
    assert actual.diagnostics["standard_error"] == pytest.approx(error, rel=1e-4)
    assert actual.diagnostics["forward_evaluations"] == yielded[-1].done == yielded[-1].total == 21
    assert all(step.estimate is not None and step.estimate.shape == (1, *size) for step in yielded)
    method = find_method("rise")
    assert method.cost(method.Parameters(**options), size) == 21
    assert method.stochastic(method.Parameters(**options))


@pytest.mark.parametrize(("cells", "size"), [(7, (224, 224)), (3, (8, 10)), (5, (4, 4)), (7, (13, 30))])
def test_masks_are_enlarged_grids_at_an_offset(cells: int, size: tuple[int, int]) -> None:
    """Each is one of the parts that can be cut out of a grid of zeros and ones, found by solving for the grid."""
    rows, columns = (enlarging(cells, side) for side in size)
    steps = [math.ceil(side / cells) for side in size]
    parameters = RiseParameters(masks=3, cells=cells)
    for mask in random_masks(parameters, size, 1):
        assert mask.shape == (1, *size)
        residuals = []
        for top, left in itertools.product(range(steps[0]), range(steps[1])):
            up, across = rows[top : top + size[0]], columns[left : left + size[1]]
            grid = torch.linalg.pinv(up) @ mask[0].double() @ torch.linalg.pinv(across).T
            if min(size) > cells:
                grid = grid.round().clamp(0, 1)
            residuals.append(float((up @ grid @ across.T - mask[0]).abs().max()))
        assert min(residuals) < 1e-5


def test_expectation_of_a_linear_score() -> None:
    """E[S M_r] / p with S = S(b) + Σ_q v_q M_q: S(b) + Σ_q v_q (p + (1 − p) mean over the offsets of Σ_k U_qk U_rk)."""
    side, cells, p = 6, 2, 0.4
    network, x = wrap(Linear(side), side).double(), random_picture(side, seed=2).double()
    lines, cell = enlarging(cells, side), math.ceil(side / cells)
    both = [lines[offset : offset + side] for offset in range(cell)]
    shared = sum(part @ part.T for part in both) / cell  # rows and columns have the same
    covariance = torch.einsum("ab,cd->acbd", shared, shared).reshape(side**2, side**2)
    scores = network(torch.stack((torch.zeros_like(x), x)))[:, 1]
    weights = ((network.network.weight[1] / network.std[0]) * x).sum(0).flatten()
    assert float(weights.sum()) == pytest.approx(float(scores[1] - scores[0]))
    expected = (float(scores[0]) + weights @ (p + (1 - p) * covariance)).detach()
    actual = explain(
        "rise", network, x, score=Score(1), micro_batch=500, masks=20000, cells=cells, probability=p, fill="black"
    )
    difference = relative(actual.values.flatten(), expected)
    assert difference < 2 * actual.diagnostics["standard_error"] < 0.1


@pytest.mark.parametrize("micro_batch", [1, 3, 16, 17])
def test_micro_batch_does_not_matter(micro_batch: int) -> None:
    network, x = wrap(Tiny()).double(), random_picture().double()
    one = explain("rise", network, x, masks=17, micro_batch=1, seed=4).values
    assert relative(explain("rise", network, x, masks=17, micro_batch=micro_batch, seed=4).values, one) < 1e-12
    assert relative(explain("rise", network, x, masks=17, micro_batch=1, seed=5).values, one) > 1e-3


def test_no_standard_error_of_one_mask() -> None:
    assert explain("rise", wrap(Tiny()), random_picture(), masks=1).diagnostics["standard_error"] is None
