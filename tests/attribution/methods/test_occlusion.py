"""Occlusion against a naive loop of windows."""

from __future__ import annotations

import pytest
import torch
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.baselines import make_baseline
from gradoscope.attribution.score import Score
from pydantic import ValidationError
from torch import Tensor, nn

from tests.support.nets import Tiny, explain, finish, random_picture, steps_of, wrap


def naive(network: nn.Module, x: Tensor, window: int, stride: int, fill: Tensor) -> tuple[Tensor, int]:
    """Mean over the squares that cover a pixel of S(x) − S(x with the square covered); and the number of squares."""
    _, height, width = x.shape
    window = min(window, height, width)
    total, covers, squares = torch.zeros(height, width), torch.zeros(height, width), 0
    for top in range(0, height - window + stride, stride):
        for left in range(0, width - window + stride, stride):
            place = slice(top, top + window), slice(left, left + window)
            covered = x.clone()
            covered[:, *place] = fill[:, *place]
            total[place] += float(network(x[None])[0, 1] - network(covered[None])[0, 1])
            covers[place] += 1
            squares += 1
    return total / covers, squares


@pytest.mark.parametrize(
    ("size", "window", "stride"),
    [((8, 8), 4, 4), ((8, 8), 3, 2), ((9, 7), 4, 3), ((8, 8), 32, 16), ((8, 8), 1, 1), ((7, 12), 5, 5), ((4, 9), 6, 2)],
)
def test_against_a_loop(size: tuple[int, int], window: int, stride: int) -> None:
    """Also where the squares do not fit the picture, and where one is larger than it."""
    network, x = wrap(Tiny()), random_picture(size[0], seed=3, width=size[1])
    options = {"window": window, "stride": stride, "fill": "mean"}
    yielded, actual = finish(steps_of("occlusion", network, x, score=Score(1), **options))
    expected, squares = naive(network, x, window, stride, make_baseline("mean", x, seed=0))
    assert actual.values.shape == (1, *size)
    assert torch.allclose(actual.values[0], expected, atol=1e-6)
    method = find_method("occlusion")
    assert method.cost(method.Parameters(**options), size) == squares + 1 == actual.diagnostics["forward_evaluations"]
    assert yielded[-1].done == yielded[-1].total == squares + 1
    assert actual.diagnostics["gradient_evaluations"] == 0


@pytest.mark.parametrize("fill", ["black", "white", "blurred", "noise"])
def test_fills(fill: str) -> None:
    network, x = wrap(Tiny()), random_picture(seed=3)
    actual = explain("occlusion", network, x, score=Score(1), window=4, stride=2, fill=fill, seed=2)
    expected, _ = naive(network, x, window=4, stride=2, fill=make_baseline(fill, x, seed=2))
    assert torch.allclose(actual.values[0], expected, atol=1e-6)


@pytest.mark.parametrize("micro_batch", [1, 2, 3, 5, 16, 17])
def test_micro_batch_does_not_matter(micro_batch: int) -> None:
    network, x = wrap(Tiny()).double(), random_picture().double()
    one = explain("occlusion", network, x, window=3, stride=2, micro_batch=1).values
    assert torch.allclose(explain("occlusion", network, x, window=3, stride=2, micro_batch=micro_batch).values, one)


def test_gaps_are_refused() -> None:
    with pytest.raises(ValidationError, match="stride"):
        explain("occlusion", wrap(Tiny()), random_picture(), window=2, stride=3)
