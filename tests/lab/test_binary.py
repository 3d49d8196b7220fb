"""Estimators against closed forms and autograd; a training against one written out for each network; flips by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from gradoscope.lab.experiments.binary import BinaryParameters, Estimator
from gradoscope.lab.experiments.binary.estimators import ESTIMATORS, sign, signs, slope, surrogate
from gradoscope.lab.experiments.binary.flips import LOOKED_AT, WEIGHTS, flip
from gradoscope.lab.experiments.binary.network import (
    Ensemble,
    Group,
    Samples,
    entropy,
    latent_weights,
    losses,
    outputs,
    problem,
    quantisation_error,
    standardised,
)
from gradoscope.lab.experiments.binary.training import groups_of, train
from gradoscope.lab.intervals import interval
from pydantic import ValidationError
from torch.nn import functional as F

from tests.support.lab import figure, result, updates, verdicts

UNTRAINED: dict[str, Any] = {"train_steps": 0, "seeds": 3}
SMALL: dict[str, Any] = {"train_steps": 8, "seeds": 3}


# Estimators


@pytest.mark.parametrize(
    ("progress", "at_zero", "at_one"),
    [(0.0, 1, 0.990), (0.25, 1, 0.906), (0.5, 1, 0.420), (0.75, 3.16, 0.0226), (1.0, 10, 0.0)],
)
def test_ede_has_the_numbers_of_its_paper(progress: float, at_zero: float, at_one: float) -> None:
    found = result("binary", estimator="ede", progress=progress, t_min=0.1, t_max=10.0, **UNTRAINED).numbers
    assert found["derivative"]["0"] == pytest.approx(at_zero, abs=0.005)
    assert found["derivative"]["1"] == pytest.approx(at_one, abs=5e-4)
    t = 0.1 * 100**progress
    assert found["t"] == pytest.approx(t, rel=1e-12)
    assert found["k"] == pytest.approx(max(1 / t, 1), rel=1e-12)
    assert found["derivative"]["1"] == pytest.approx(max(1 / t, 1) * t / math.cosh(t) ** 2, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("estimator", "slopes"), [("straight_through", [1, 1]), ("clipped", [1, 1]), ("tanh", [1, 1 / math.cosh(1) ** 2])]
)
def test_the_others_do_not_change_with_the_progress(estimator: str, slopes: list[float]) -> None:
    for progress in (0.0, 1.0):
        found = result("binary", estimator=estimator, progress=progress, **UNTRAINED).numbers["derivative"]
        assert [found["0"], found["1"]] == pytest.approx(slopes, rel=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("t", [0.1, 1.0, 3.0])
def test_the_slope_is_the_derivative_of_its_function(estimator: Estimator, t: float) -> None:
    x = torch.linspace(-2.05, 2.05, 42, dtype=torch.float64, requires_grad=True)  # none at ±1
    (expected,) = torch.autograd.grad(surrogate(estimator, x, t).sum(), x)
    torch.testing.assert_close(slope(estimator, x.detach(), t), expected)


def test_clipped_passes_within_one() -> None:
    x = torch.tensor([-1.001, -1.0, 0.0, 1.0, 1.001])
    assert slope("clipped", x, 1.0).tolist() == [0, 1, 1, 1, 0]


def test_the_sign_is_a_sign_with_the_slope_of_each_row() -> None:
    x = torch.randn(4, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    upstream = torch.randn(4, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    out = sign(x, [("clipped", 1), ("ede", 3)], 2.0)
    assert out.tolist() == [[1 if value >= 0 else -1 for value in row] for row in x.tolist()]
    (found,) = torch.autograd.grad(out, x, upstream)
    torch.testing.assert_close(found[:1], upstream[:1] * (x[:1].abs() <= 1))
    torch.testing.assert_close(found[1:], upstream[1:] * 2 / torch.cosh(2 * x[1:].detach()) ** 2)


def test_distance_from_sign_is_the_integral() -> None:
    """E|g(x) − sign(x)| of a normal x, by quadrature."""
    x = torch.linspace(-9, 9, 180_001, dtype=torch.float64)
    density = torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    found = result("binary", progress=0.5, **UNTRAINED).numbers["distance"]
    for estimator in ESTIMATORS:
        apart = (surrogate(estimator, x, 1.0) - signs(x)).abs()
        assert found[estimator] == pytest.approx(float(torch.trapezoid(apart * density, x)), rel=2e-3)


# Networks


def by_hand(weights: list[torch.Tensor], group: Group, batches: list[Samples], times: list[float], rate: float) -> Any:
    """One network, its gradients by PyTorch's own layers: sign in front, the estimator's function behind."""

    def passed(x: torch.Tensor, t: float) -> torch.Tensor:
        soft = surrogate(group.estimator, x, t)
        return (soft - soft.detach()) + torch.where(x >= 0, 1.0, -1.0).double()  # exactly −1 or 1

    leaves = [weight.clone().requires_grad_() for weight in weights]
    rule = torch.optim.Adam(leaves, lr=rate)
    for batch, t in zip(batches, times, strict=True):
        units = batch.inputs.T
        for layer, leaf in enumerate(leaves):
            w = leaf
            if group.balanced:
                w = (w - w.mean(1, keepdim=True)) / w.std(1, keepdim=True, correction=0)
            size = w.detach().abs().mean(1, keepdim=True)
            if group.balanced:
                size = 2 ** torch.round(torch.log2(size))
            sums = units @ (passed(w, t) * size).T
            sums = (sums - sums.mean(0)) / (sums.var(0, correction=0) + 1e-5).sqrt()
            units = 2 * sums if layer == 2 else passed(sums, t)
        rule.zero_grad()
        F.cross_entropy(units, batch.classes).backward()
        rule.step()
    return leaves


@pytest.mark.parametrize("estimator", ["clipped", "tanh", "ede"])
@pytest.mark.parametrize("balanced", [True, False])
def test_all_networks_at_once_learn_as_each_alone(estimator: Estimator, balanced: bool) -> None:
    """In float64, from a seed without a sum of exactly 0, whose sign would be that of the rounding."""
    parameters = BinaryParameters(estimator=estimator, balanced=balanced, seeds=3)
    generator = torch.Generator().manual_seed(6)
    latent = [one.double() for one in latent_weights(3, 0.3, generator)]
    given, _ = problem(3, generator)
    given = Samples(given.inputs.double(), given.classes)
    groups = groups_of(parameters)
    networks = Ensemble(parameters, groups, latent)
    batches = [given.chosen(torch.randint(1024, (64,), generator=generator)) for _ in range(3)]
    times = [0.1, 1.0, 10.0]
    for batch, t in zip(batches, times, strict=True):
        networks.learn(batch.repeated(len(groups)), t)
    for place in (ESTIMATORS.index(estimator), len(ESTIMATORS)):
        alone = by_hand(
            [one[2] for one in latent], groups[place],
            [Samples(batch.inputs[2], batch.classes[2]) for batch in batches], times, parameters.rate,
        )  # fmt: skip
        for layer, expected in enumerate(alone):
            torch.testing.assert_close(networks.weights[layer][3 * place + 2], expected, rtol=1e-6, atol=1e-8)


def test_balanced_weights_have_mean_0_and_variance_1() -> None:
    weight = torch.randn(2, 5, 48, generator=torch.Generator().manual_seed(0)) * 3 + 2
    found = standardised(weight)
    torch.testing.assert_close(found.mean(-1), torch.zeros(2, 5), atol=1e-6, rtol=0)
    torch.testing.assert_close(found.var(-1, correction=0), torch.ones(2, 5))


def test_entropy_and_error_in_closed_form() -> None:
    bits = entropy(torch.tensor([[[1.0, 1, 1, -1], [1, -1, 1, -1]], [[1, 1, 1, 1], [2, 3, 4, 5]]]))
    quarter = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert bits.tolist() == pytest.approx([(quarter + 1) / 2, 0.0], rel=1e-6)
    many = torch.randn(1, 4, 200_000, generator=torch.Generator().manual_seed(0))
    assert float(quantisation_error(many, False)) == pytest.approx(1 - 2 / math.pi, rel=0.01)
    assert float(quantisation_error(many, True)) == pytest.approx(2 - 2 * math.sqrt(2 / math.pi), rel=0.01)  # scale 1


def test_weights_off_centre_carry_fewer_bits() -> None:
    p = 0.5 * (1 + math.erf(1 / math.sqrt(2)))  # of a normal weight with mean 1
    expected = -(p * math.log2(p) + (1 - p) * math.log2(1 - p))
    found = result("binary", offset=1.0, balanced=False, train_steps=0, seeds=20).numbers
    assert found["entropy"] == pytest.approx(expected, abs=0.02)
    assert found["entropy"] == found["start_entropy"]
    assert found["entropy_other"] > 0.98


def test_classes_are_about_as_frequent() -> None:
    given, tested = problem(10, torch.Generator().manual_seed(0))
    assert given.inputs.shape == (10, 16, 1024)
    assert tested.inputs.shape == (10, 16, 512)
    share = F.one_hot(given.classes, 4).float().mean((0, 1))
    assert float(share.min()) > 0.2


# Flips


def test_a_flip_changes_the_loss_by_what_is_measured() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = [signs(one) * 0.5 for one in latent_weights(2, 0.0, generator)]
    given, _ = problem(2, generator)
    flips = flip(weights, given, generator)
    looked_at = given.chosen(torch.arange(LOOKED_AT))

    def loss(changed: list[torch.Tensor]) -> torch.Tensor:
        return losses(outputs(changed, looked_at.inputs, [("tanh", 2)], 1.0), looked_at.classes)

    for layer, (units, inputs) in flips.places.items():
        assert len(set(zip(units.tolist(), inputs.tolist(), strict=True))) == WEIGHTS
        for number in (0, WEIGHTS - 1):
            changed = [one.clone() for one in weights]
            changed[layer][:, units[number], inputs[number]] *= -1
            torch.testing.assert_close(flips.changes[:, layer * WEIGHTS + number], loss(changed) - loss(weights))


def test_the_agreement_is_a_correlation_and_its_gradient_that_of_the_binary_weights() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = [signs(one) * 0.5 for one in latent_weights(2, 0.0, generator)]
    flips = flip(weights, problem(2, generator)[0], generator)
    told = flips.told("ede", 2.0)
    expected = [float(torch.corrcoef(torch.stack([told[one], flips.changes[one]]))[0, 1]) for one in range(2)]
    assert flips.agreement("ede", 2.0).tolist() == pytest.approx(expected, rel=1e-4)
    assert flips.agreement("ede", 0.01).tolist() == pytest.approx(
        flips.agreement("straight_through", 1.0).tolist(), abs=1e-3
    )
    units, inputs = flips.places[1]
    leaf = weights[1].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(
        losses(outputs([weights[0], leaf, weights[2]], flips.samples.inputs, [("ede", 2)], 2.0),
               flips.samples.classes).sum(), leaf)  # fmt: skip
    torch.testing.assert_close(told[:, WEIGHTS:], (-2 * weights[1] * gradient)[:, units, inputs])


# The run


def test_the_estimators_come_first_and_the_progress_trains_nothing_again() -> None:
    first, *_, last = updates("binary", **SMALL)
    assert {one.id for one in first.figures} == {"forward", "slopes"}
    assert "derivative" in first.numbers
    assert verdicts(first) == {"derivative": "fails"}
    assert last.done == last.total == 10
    moved = updates("binary", progress=1.0, **SMALL)
    assert len(moved) == 3  # the estimators, what was known, the end
    assert moved[-1].numbers["accuracy"] == last.numbers["accuracy"]
    assert moved[-1].numbers["derivative"]["0"] == pytest.approx(10)
    assert moved[-1].numbers["agreement"]["clipped"] == last.numbers["agreement"]["clipped"]
    assert figure(moved[-1], "slopes").series[3].y != figure(last, "slopes").series[3].y


def test_the_agreement_at_a_progress_is_a_point_of_its_curve() -> None:
    found = result("binary", progress=0.25, **SMALL)
    curve = figure(found, "agreement").series[3]
    assert curve.id == "ede"
    assert found.numbers["agreement"]["ede"] == pytest.approx(curve.y[curve.x.index(0.25)], rel=1e-6)


def test_findings_are_paired_over_the_seeds() -> None:
    parameters = BinaryParameters(estimator="tanh", balanced=False, **SMALL)
    *_, (_, training) = train(parameters, 0)
    found = {one.id: one for one in result("binary", estimator="tanh", balanced=False, **SMALL).findings}
    apart = interval(training.accuracy[3] - training.accuracy[0])
    assert found["trains"].numbers["gain"] == pytest.approx(apart.mean)
    assert found["trains"].verdict == apart.verdict
    balanced, plain = training.entropies[-1][4], training.entropies[-1][2]  # asked for without balance
    assert found["information"].numbers["balanced"] == pytest.approx(float(balanced.mean()))
    assert found["information"].verdict == interval(balanced - plain).verdict
    assert found["error"].numbers["gain"] == pytest.approx(
        float((training.errors[-1][2] - training.errors[-1][4]).mean()), rel=1e-5
    )


def test_a_finding_on_reach_counts_slopes() -> None:
    straight = result("binary", estimator="straight_through", **UNTRAINED)
    assert verdicts(straight)["reached"] == "holds"
    assert straight.numbers["silent"] == 0
    steep = result("binary", estimator="ede", progress=1.0, **UNTRAINED)
    assert verdicts(steep)["reached"] == "fails"
    # 10 / cosh²(10 x) < 0.01 where |x| > acosh(√1000)/10, of a normal x
    edge = math.acosh(math.sqrt(1000)) / 10
    assert steep.numbers["silent"] == pytest.approx(1 - math.erf(edge / math.sqrt(2)), abs=0.02)


def test_without_training_there_is_no_accuracy() -> None:
    found = result("binary", **UNTRAINED)
    assert "accuracy" not in found.numbers
    assert {one.id for one in found.figures} == {"forward", "slopes", "agreement", "weights", "table"}
    assert "trains" not in verdicts(found)


def test_training_learns() -> None:
    found = result("binary", train_steps=60, seeds=3)
    curves = figure(found, "accuracy").series
    for curve in curves:
        assert curve.y[-1] > max(0.55, curve.y[0])
    assert found.numbers["accuracy"] == found.numbers["accuracies"]["ede"]
    assert (curves[0].x[0], curves[0].x[-1]) == (4, 60)


@pytest.mark.slow
def test_with_the_defaults_ede_gains_on_straight_through() -> None:
    found = {one.id: one for one in result("binary").findings}
    assert found["trains"].verdict == "holds"
    assert found["trains"].numbers["gain_low"] > 0
    assert found["information"].verdict == "holds"
    assert found["truer"].numbers["best"] > max(found["truer"].numbers["start"], found["truer"].numbers["end"])


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"estimator": "sign"}, "estimator"), ({"progress": 1.1}, "progress"), ({"t_min": 0.0}, "t_min"),
     ({"t_min": 2.0, "t_max": 1.0}, "t_max"), ({"seeds": 2}, "seeds"), ({"train_steps": -1}, "train_steps")],
)  # fmt: skip
def test_bad_parameters_are_refused(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        BinaryParameters(**wrong)
    assert refused.value.errors()[0]["loc"] == (field,)


def test_the_share_of_flipped_weights_and_what_it_was_good_for() -> None:
    parameters = BinaryParameters(estimator="clipped", balanced=False, train_steps=40, seeds=5)
    *_, (_, training) = train(parameters, 0)
    found = result("binary", estimator="clipped", balanced=False, train_steps=40, seeds=5)
    flipped = ((training.first >= 0) != (training.last >= 0)).double().mean()
    assert found.numbers["flipped"] == pytest.approx(float(flipped))
    said = next(one for one in found.findings if one.id == "learned")
    gain = interval(training.accuracy[1] - training.accuracies[0][1])
    assert said.verdict == ("fails" if gain.low > 0 else "depends")
    assert said.numbers["accuracy"] == pytest.approx(float(training.accuracy[1].mean()))
    assert "learned" not in verdicts(result("binary", **UNTRAINED))
