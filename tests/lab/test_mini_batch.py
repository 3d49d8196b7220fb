"""Batches in parts against the whole, sample by sample."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gradoscope.lab.experiments.mini_batch import MiniBatchParameters
from gradoscope.lab.experiments.mini_batch.network import (
    accumulated,
    each,
    losses,
    noise_scale,
    sample_weights,
    start,
    whole,
)
from pydantic import ValidationError
from torch import nn

from tests.support.lab import figure, result, updates, verdicts


def drawn(number: int) -> tuple[list[torch.Tensor], torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    source, weights = start(generator)
    return weights, *source.draw(number, generator)


def test_uneven_parts_weigh_their_samples_unevenly() -> None:
    found = result("mini_batch", updates=1)
    assert found.numbers["weights"] == [0.05, 0.005]
    assert found.numbers["right_weight"] == 1 / 110
    assert found.numbers["difference"] > 0.01
    assert verdicts(found)["accumulating"] == verdicts(found)["alike"] == "fails"


@pytest.mark.parametrize("reduction", ["mean", "mean_of_means"])
def test_equal_parts_are_the_whole_up_to_rounding(reduction: str) -> None:
    found = result("mini_batch", sizes=[16] * 5, reduction=reduction, updates=1)
    assert found.numbers["difference"] < 1e-14
    assert verdicts(found)["accumulating"] == "holds"


def test_the_mean_over_all_samples_is_right_for_uneven_parts_too() -> None:
    assert result("mini_batch", sizes=[3, 50, 7], reduction="mean", updates=1).numbers["difference"] < 1e-14


def test_the_sum_is_as_many_times_as_long() -> None:
    found = result("mini_batch", sizes=[10, 30], reduction="sum", updates=1)
    assert found.numbers["weights"] == [1.0, 1.0]
    assert found.numbers["length_ratio"] == pytest.approx(40, rel=1e-12)
    assert found.numbers["difference"] == pytest.approx(39, rel=1e-12)
    assert verdicts(found)["accumulating"] == "depends"


def test_batch_normalisation_breaks_it_for_equal_parts() -> None:
    found = result("mini_batch", sizes=[32] * 4, batch_norm=True, updates=1)
    assert found.numbers["difference"] > 0.01
    assert found.numbers["normalised_difference"] == pytest.approx(found.numbers["difference"], rel=1e-9)
    assert verdicts(found)["normalised"] == "fails"
    alone = result("mini_batch", sizes=[32], batch_norm=True, updates=1)
    assert verdicts(alone)["normalised"] == "holds"


@pytest.mark.parametrize("batch_norm", [False, True])
def test_losses_and_gradients_are_those_of_torch_nn(batch_norm: bool) -> None:
    weights, x, classes = drawn(20)
    layers = [nn.Linear(8, 16), nn.BatchNorm1d(16) if batch_norm else nn.Identity(), nn.Tanh(), nn.Linear(16, 4)]
    network = nn.Sequential(*layers).double()
    with torch.no_grad():
        for place, (weight, bias) in ((0, weights[:2]), (3, weights[2:])):
            network[place].weight.copy_(weight.T)
            network[place].bias.copy_(bias)
    expected = nn.functional.cross_entropy(network(x), classes)
    torch.testing.assert_close(losses(weights, x, classes, batch_norm).mean(), expected, rtol=1e-12, atol=0)
    parameters = [one for layer in (network[0], network[3]) for one in (layer.weight, layer.bias)]
    found = torch.autograd.grad(expected, parameters)
    flat = torch.cat([(one.T if one.ndim == 2 else one).flatten() for one in found])
    torch.testing.assert_close(whole(weights, x, classes, batch_norm), flat, rtol=1e-9, atol=1e-14)


def test_each_samples_gradient_is_the_one_it_has_alone() -> None:
    weights, x, classes = drawn(6)
    together = each(weights, x, classes)
    for row, sample, label in zip(together, x, classes, strict=True):
        alone = whole(weights, sample[None], label[None], False)
        torch.testing.assert_close(row, alone, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(together.mean(0), whole(weights, x, classes, False), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("reduction", ["sum", "mean", "mean_of_means"])
def test_what_is_accumulated_is_the_weighted_sum_of_the_samples(reduction: str) -> None:
    weights, x, classes = drawn(12)
    sizes = [2, 7, 3]
    shares = torch.tensor(sample_weights(sizes, reduction), dtype=torch.float64).repeat_interleave(torch.tensor(sizes))
    expected = shares @ each(weights, x, classes)
    torch.testing.assert_close(accumulated(weights, x, classes, sizes, False, reduction), expected)


def test_the_noise_scale_is_that_of_known_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    spread = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    gradients = torch.tensor([2.0, 0.0, 1.0]).double() + spread * torch.randn(200_000, 3, generator=generator).double()
    assert noise_scale(gradients) == pytest.approx((1 + 4 + 9) / 5, rel=0.02)


def test_the_noise_scale_says_how_much_a_batchs_gradient_scatters() -> None:
    """E|g_B|² = |G|² (1 + scale/B), which is how the paper measures it from two batch sizes."""
    generator = torch.Generator().manual_seed(0)
    source, weights = start(generator)
    scale = noise_scale(each(weights, *source.draw(4096, generator)))
    gradients = each(weights, *source.draw(4096, generator))
    small, large = (
        float((gradients.view(-1, size, gradients.shape[1]).mean(1) ** 2).sum(1).mean()) for size in (4, 64)
    )
    square, trace = (64 * large - 4 * small) / 60, (small - large) / (1 / 4 - 1 / 64)
    assert trace / square == pytest.approx(scale, rel=0.15)


def test_training_is_what_a_plain_loop_does() -> None:
    numbers = result("mini_batch", updates=3, small_batch=4, large_batch=16, rate_rule="linear", rate=0.1).numbers
    generator = torch.Generator().manual_seed(0)
    source, weights = start(generator)
    source.draw(110, generator)
    held, draws = source.draw(1024, generator), torch.Generator().manual_seed(1)
    expected = []
    for _ in range(4):
        expected.append(float(losses(weights, *held, False).mean().detach()))
        gradients = torch.autograd.grad(losses(weights, *source.draw(16, draws), False).mean(), weights)
        weights = [(one - 0.4 * g).detach().requires_grad_() for one, g in zip(weights, gradients, strict=True)]
    assert numbers["loss_large"] == pytest.approx(expected, rel=1e-10)


def test_curves_meet_at_the_same_samples() -> None:
    found = result("mini_batch", updates=32, small_batch=8, large_batch=64)
    numbers = found.numbers
    assert numbers["samples"] == 256
    assert numbers["small_at_samples"] == numbers["loss_small"][32]
    assert numbers["large_at_samples"] == numbers["loss_large"][4]
    small, large = figure(found, "samples").series
    assert (small.x[0], large.x[0]) == (8, 64)


def test_gradients_come_before_training() -> None:
    first, *_ = updates("mini_batch", updates=20)
    assert [one.id for one in first.figures] == ["weights", "cloud"]
    assert first.numbers["noise_scale"] > 0


@pytest.mark.parametrize(
    "wrong",
    [{"sizes": []}, {"sizes": [0]}, {"sizes": [1] * 17}, {"reduction": "median"}, {"updates": 0}, {"small_batch": 0}],
)
def test_bad_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        MiniBatchParameters(**wrong)
    assert refused.value.errors()[0]["loc"][0] == next(iter(wrong))


@pytest.mark.parametrize(("rule", "expected"), [("same", "fails"), ("linear", "holds")])
def test_whether_a_large_batch_learns_more_in_an_update_is_asked_early_too(rule: str, expected: str) -> None:
    """At the end both have come as far as they can, so that equal losses there say nothing."""
    found = result("mini_batch", rate_rule=rule)
    (numbers,) = [each.numbers for each in found.findings if each.id == "by_update"]
    small, large = found.numbers["loss_small"], found.numbers["loss_large"]
    assert numbers["early"] == 40
    assert [numbers["small"], numbers["large"]] == [small[40], large[40]]
    assert [numbers["small_end"], numbers["large_end"]] == [small[400], large[400]]
    assert verdicts(found)["by_update"] == expected
    assert (large[40] < 0.9 * small[40]) == (expected == "holds")
