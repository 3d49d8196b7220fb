"""Dropout against masks taken one by one, PyTorch's own dropout, and trainings written out network by network."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from gradoscope.lab.experiments.dropout import DropoutParameters
from gradoscope.lab.experiments.dropout.masks import (
    Network,
    all_masks,
    backward,
    chances,
    mean_gradient,
    means,
    network,
)
from gradoscope.lab.experiments.dropout.training import RATE, Trainings
from pydantic import ValidationError
from torch.nn import functional as F

from tests.support.lab import figure, result, updates, verdicts


def drawn(seed: int = 0, **parameters: Any) -> Network:
    asked = DropoutParameters(**parameters)
    return network(asked, asked.layers, torch.Generator().manual_seed(seed))


def by_hand(net: Network, p: float) -> tuple[list[float], list[float]]:
    """Arithmetic and normalised geometric mean, one mask after the other, in plain numbers."""
    arithmetic, logs = [0.0] * 4, [0.0] * 4
    for bits in itertools.product([0, 1], repeat=len(net.h)):
        chance = math.prod(1 - p if bit else p for bit in bits)
        mask = torch.tensor(bits, dtype=torch.float64)
        outputs = torch.softmax(net.logits(net.h * mask / (1 - p)), 0).tolist()
        for k, one in enumerate(outputs):
            arithmetic[k] += chance * one
            logs[k] += chance * math.log(one)
    total = sum(math.exp(one) for one in logs)
    return arithmetic, [math.exp(one) / total for one in logs]


@pytest.mark.parametrize(("units", "p", "layers"), [(1, 0.5, 0), (4, 0.5, 0), (6, 0.2, 0), (5, 0.8, 1), (5, 0.5, 3)])
def test_means_are_those_of_all_masks_taken_one_by_one(units: int, p: float, layers: int) -> None:
    net = drawn(units=units, layers=layers)
    found = means(net, p)
    arithmetic, geometric = by_hand(net, p)
    assert found.arithmetic.tolist() == pytest.approx(arithmetic, rel=1e-12)
    assert found.geometric.tolist() == pytest.approx(geometric, rel=1e-12)
    assert float(found.scaled.sum()) == pytest.approx(1)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("units", [2, 8, 12])
def test_of_a_softmax_of_a_linear_layer_weight_scaling_is_the_geometric_mean(p: float, units: int) -> None:
    for seed in range(3):
        found = result("dropout", seed=seed, p=p, units=units, steps=0)
        assert found.numbers["geometric_gap"] <= 1e-12
        assert found.numbers["arithmetic_gap"] > 1e-4
        assert found.numbers["masks"] == 2**units
        assert verdicts(found)["average"] == "depends"


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_with_hidden_layers_it_is_neither(layers: int, activation: str) -> None:
    for seed in range(3):
        found = result("dropout", seed=seed, layers=layers, activation=activation, steps=0)
        assert min(found.numbers["geometric_gap"], found.numbers["arithmetic_gap"]) > 1e-4
        assert verdicts(found)["average"] == "fails"


def test_gaps_by_layers_begin_at_rounding() -> None:
    gaps = result("dropout", steps=0).numbers["gaps_by_layers"]
    assert gaps["geometric"][0] <= 1e-12
    assert min(gaps["geometric"][1:]) > 1e-4
    assert min(gaps["arithmetic"]) > 1e-4


def test_without_dropout_all_is_the_same() -> None:
    found = result("dropout", p=0.0, layers=2, steps=0)
    assert found.numbers["arithmetic_gap"] <= 1e-15
    assert verdicts(found) == {"average": "holds", "scaled_back": "holds", "mean_gradient": "holds"}


def test_chances_are_those_of_independent_units() -> None:
    masks = all_masks(3)
    assert masks.tolist() == [list(map(float, bits)) for bits in itertools.product([0, 1], repeat=3)]
    assert chances(masks, 0.2).tolist() == pytest.approx([0.008, 0.032, 0.032, 0.128, 0.032, 0.128, 0.128, 0.512])


def test_the_backward_pass_is_that_of_pytorchs_dropout() -> None:
    """The mask of `F.dropout` is read off ones; then it is given to ours."""
    net, p = drawn(units=12, layers=1), 0.3
    torch.manual_seed(5)
    factor = F.dropout(torch.ones_like(net.h), p)
    torch.manual_seed(5)
    h = net.h.clone().requires_grad_()
    loss = F.cross_entropy(net.logits(F.dropout(h, p)), torch.tensor(0))
    torch.autograd.backward(loss)
    found = backward(net, (factor > 0).double(), p)
    assert 0 < int((factor > 0).sum()) < 12
    torch.testing.assert_close(found.factor, factor, rtol=1e-12, atol=0)
    torch.testing.assert_close(found.gradient, h.grad, rtol=1e-12, atol=1e-15)


def test_the_factor_is_the_mask_over_the_chance_of_keeping() -> None:
    found = result("dropout", p=0.75, units=4, mask=[[1, 0, 0, 1]], steps=0)
    assert found.numbers["mask"] == [1, 0, 0, 1]
    assert found.numbers["backward_mask"] == [4.0, 0.0, 0.0, 4.0]
    assert found.numbers["mean_factor"] == pytest.approx([1, 1, 1, 1], rel=1e-12)
    assert found.numbers["gradient"][1:3] == [0, 0]
    assert found.numbers["backward_gap"] <= 1e-12
    forward, arriving, factor, gradient = zip(*figure(found, "backward").values, strict=True)
    assert list(gradient) == pytest.approx([a * f for a, f in zip(arriving, factor, strict=True)], abs=1e-14)
    assert [one == 0 for one in forward] == [False, True, True, False]


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    """By central differences of the loss of the masked network."""
    net, p, mask = drawn(units=5, layers=2, activation="tanh"), 0.4, torch.tensor([1, 0, 1, 1, 0], dtype=torch.float64)
    found = backward(net, mask, p).gradient

    def loss(h: torch.Tensor) -> float:
        return -float(torch.log_softmax(net.logits(h * mask / (1 - p)), 0)[0])

    for place in range(5):
        step = torch.zeros(5, dtype=torch.float64)
        step[place] = 1e-6
        assert float(found[place]) == pytest.approx((loss(net.h + step) - loss(net.h - step)) / 2e-6, abs=1e-8)


def test_the_mean_gradient_is_over_all_masks() -> None:
    net, p = drawn(units=4), 0.3
    averaged, whole = mean_gradient(net, p)
    masks = all_masks(4)
    each = [chance * backward(net, mask, p).gradient for mask, chance in zip(masks, chances(masks, p), strict=True)]
    torch.testing.assert_close(averaged, torch.stack(each).sum(0))
    torch.testing.assert_close(whole, backward(net, torch.ones(4, dtype=torch.float64), 0.0).gradient)


def test_a_mask_that_is_shorter_is_drawn_on_and_a_longer_one_cut() -> None:
    plain = result("dropout", steps=0).numbers["mask"]
    first = 1 - plain[0]
    assert result("dropout", mask=[[first]], steps=0).numbers["mask"] == [first, *plain[1:]]
    assert result("dropout", mask=[[0, 1, 1, 0]], units=3, steps=0).numbers["mask"] == [0, 1, 1]
    assert figure(result("dropout", steps=0), "mask").parameter == "mask"


def test_outputs_are_ordered_and_their_chances_add_up() -> None:
    *level, masked = figure(result("dropout", p=0.2, units=12, steps=0), "outputs").series
    assert masked.x[-1] == pytest.approx(1)
    assert masked.y == sorted(masked.y)
    assert [one.id for one in level] == ["arithmetic", "geometric", "weight_scaling"]
    assert len(masked.x) <= 512


# Trainings


def test_all_networks_at_once_are_those_trained_one_by_one() -> None:
    """A network on samples drawn with replacement, and the one on all samples, each by itself with its own Adam."""
    trainings = Trainings(DropoutParameters(seeds=2, nets=3, samples=30, steps=5, layers=1), 7)
    alone: dict[int, list[torch.Tensor]] = {}
    for place in (1, 3):
        alone[place] = [one[1, place].detach().clone().requires_grad_() for one in trainings.weights]
        alone[place] += [one[1, place].detach().clone().requires_grad_() for one in trainings.biases]
    assert list(trainings.steps()) == [1, 2, 3, 4, 5]
    for place, tensors in alone.items():
        counts = trainings.counts[1, place].long()
        chosen = torch.arange(30).repeat_interleave(counts)
        assert len(chosen) == 30
        rule = torch.optim.Adam(tensors, lr=RATE)
        for _ in range(5):
            rule.zero_grad()
            h = trainings.x[1][chosen]
            for weight, bias in zip(tensors[:2], tensors[3:5], strict=True):
                h = torch.relu(h @ weight + bias)
            torch.autograd.backward(F.cross_entropy(h @ tensors[2] + tensors[5], trainings.classes[1][chosen]))
            rule.step()
        for weight, own in zip(trainings.weights, tensors[:3], strict=True):
            torch.testing.assert_close(weight[1, place], own, rtol=1e-3, atol=1e-5)
    assert (trainings.counts[:, 3:] == 1).all()


def test_only_the_last_network_is_trained_with_dropout() -> None:
    trainings = Trainings(DropoutParameters(seeds=2, nets=2, samples=20, steps=1, p=0.5), 0)
    with torch.no_grad():
        first, again = trainings._logits(trainings.x), trainings._logits(trainings.x)
    assert torch.equal(first[:, :-1], again[:, :-1])
    assert not torch.equal(first[:, -1], again[:, -1])
    units = trainings._dropped(torch.ones(1, 1, 100_000))
    assert set(units.unique().tolist()) == {0.0, 2.0}
    assert float(units.mean()) == pytest.approx(1, abs=0.02)


def test_errors_are_shares_of_wrong_answers() -> None:
    trainings = Trainings(DropoutParameters(seeds=3, nets=2, samples=40, steps=1, p=0.0), 0)
    errors = trainings.errors()
    outputs = []
    for place in range(4):
        h = torch.relu(trainings.held_x[2] @ trainings.weights[0][2, place] + trainings.biases[0][2, place])
        outputs.append(torch.softmax(h @ trainings.weights[1][2, place] + trainings.biases[1][2, place], 1))
    wrong = [float((one.argmax(1) != trainings.held_classes[2]).double().mean()) for one in outputs]
    both = float(((outputs[0] + outputs[1]).argmax(1) != trainings.held_classes[2]).double().mean())
    assert errors["single"][2] == wrong[2]
    assert errors["scaled"][2] == wrong[3]
    assert errors["bagging"][2].tolist() == [wrong[0], both]
    assert errors["sampled"][2].tolist() == [wrong[3], wrong[3]]  # with p = 0 every mask is the whole network


def test_dropout_and_many_networks_beat_one() -> None:
    found = result("dropout", steps=60, seeds=8)
    errors = found.numbers["errors"]
    assert errors["scaled"] < errors["single"]
    assert errors["bagging"][-1] < errors["bagging"][0]
    assert errors["sampled"][-1] < errors["sampled"][0]
    assert verdicts(found)["one_network"] == "holds"


def test_the_verdict_on_trainings_is_that_of_the_interval() -> None:
    found = result("dropout", steps=20, seeds=3, samples=40)
    for one in found.findings:
        if "low" in one.numbers:
            low, high = one.numbers["low"], one.numbers["high"]
            assert isinstance(low, float)
            assert isinstance(high, float)
            assert one.verdict == ("holds" if high < 0 else "fails" if low > 0 else "depends")
            assert one.numbers["difference"] == pytest.approx(one.numbers["dropout"] - one.numbers["other"])


def test_masks_come_first_then_depths_then_trainings() -> None:
    found = updates("dropout", steps=12, seeds=2, nets=2, samples=20)
    assert [update.done for update in found] == list(range(1, 18))
    assert {update.total for update in found} == {17}
    assert "layers" not in {one.id for one in found[0].figures}
    assert [one.id for one in figure(found[-1], "error").series] == ["bagging", "scaled", "sampled", "single"]
    assert figure(found[-1], "curves").series[0].x == list(range(1, 13))


@pytest.mark.parametrize(
    "wrong",
    [{"p": 1.0}, {"p": -0.1}, {"units": 13}, {"units": 0}, {"layers": 4}, {"mask": [[2]]}, {"mask": [[1], [0]]},
     {"mask": [[1] * 13]}, {"nets": 1}, {"samples": 10}, {"steps": 301}, {"seeds": 1}, {"activation": "gelu"}],
)  # fmt: skip
def test_bad_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        DropoutParameters(**wrong)
    assert refused.value.errors()[0]["loc"][0] == next(iter(wrong))
