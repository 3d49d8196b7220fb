"""Gradients in depth against closed forms, finite differences and a network of torch.nn."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from gradoscope.lab.experiments.depth import DepthParameters
from gradoscope.lab.experiments.depth.network import (
    CLASSES,
    NETWORKS,
    SAMPLES,
    flow,
    hidden_weights,
    steepest,
    theory,
    weight_variance,
)
from pydantic import ValidationError
from torch import nn

from tests.support.lab import figure, result, verdicts


def test_ten_sigmoids_multiply_their_steepest_slope_to_a_millionth() -> None:
    numbers = result("depth", activation="sigmoid", initialisation="xavier", depth=10).numbers
    assert numbers["steepest"] == pytest.approx(0.25, rel=1e-12)
    assert numbers["slope_bound"] == pytest.approx(9.5367431640625e-7, rel=1e-9)
    assert numbers["gradient_ratio"] < 1e-4


@pytest.mark.parametrize(("activation", "expected"), [("tanh", 1), ("relu", 1), ("linear", 1), ("leaky_relu", 1)])
def test_steepest_slopes(activation: Any, expected: float) -> None:
    assert steepest(activation) == pytest.approx(expected, rel=1e-12)


def test_relu_halves_with_variance_one_over_n_and_keeps_with_two_over_n() -> None:
    lecun, he = (theory(DepthParameters(initialisation=one, depth=20)) for one in ("lecun", "he"))
    assert lecun.forward == pytest.approx([0.5**layer for layer in range(1, 21)], rel=1e-6)
    assert he.forward == pytest.approx([1.0] * 20, rel=1e-6)
    assert lecun.backward == pytest.approx([0.5 ** ((20 - layer) / 2) for layer in range(1, 21)], rel=1e-6)
    numbers = result("depth", initialisation="lecun", width=256).numbers
    assert 2**-22 < numbers["forward_variance"][-1] < 2**-18
    assert 0.2 < result("depth", initialisation="he", width=256).numbers["forward_variance"][-1] < 5


def test_the_theory_of_a_linear_network_is_the_power_of_its_gain() -> None:
    predicted = theory(DepthParameters(activation="linear", initialisation="normal", sigma=0.2, width=100, depth=5))
    assert predicted.forward == pytest.approx([4.0**layer for layer in range(1, 6)], rel=1e-9)
    assert predicted.backward == pytest.approx([2.0 ** (5 - layer) for layer in range(1, 6)], rel=1e-9)


def test_the_theory_of_tanh_is_a_gaussian_integral() -> None:
    predicted = theory(DepthParameters(activation="tanh", initialisation="xavier", depth=2))
    z = torch.randn(2_000_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    first = float((torch.tanh(z) ** 2).mean())
    second = float((torch.tanh(first**0.5 * z) ** 2).mean())
    assert predicted.forward == pytest.approx([first, second], rel=0.005)
    slope = float(((1 - torch.tanh(first**0.5 * z) ** 2) ** 2).mean())
    assert predicted.backward[0] == pytest.approx(slope**0.5, rel=0.005)


@pytest.mark.parametrize(
    ("initialisation", "expected"),
    [("normal", 0.01), ("xavier", 2 / 128), ("he", 2 / 64), ("lecun", 1 / 64), ("orthogonal", 1 / 64), ("zeros", 0)],
)
def test_weights_have_the_variance_of_their_initialisation(initialisation: Any, expected: float) -> None:
    parameters = DepthParameters(initialisation=initialisation, width=64, depth=4)
    assert weight_variance(parameters) == pytest.approx(expected, rel=1e-12)
    drawn = torch.stack(hidden_weights(parameters, torch.Generator().manual_seed(0)))
    assert float(drawn.var()) == pytest.approx(expected, rel=0.05)
    if initialisation == "orthogonal":
        torch.testing.assert_close(drawn @ drawn.mT, torch.eye(64).double().expand_as(drawn), rtol=0, atol=1e-12)


@pytest.mark.parametrize("normalisation", ["none", "batch", "layer"])
@pytest.mark.parametrize("residual", [False, True])
def test_the_flow_is_that_of_a_network_of_torch_nn(normalisation: Any, residual: bool) -> None:
    parameters = DepthParameters(depth=3, width=8, activation="tanh", normalisation=normalisation, residual=residual)
    seen = flow(parameters, torch.Generator().manual_seed(4))
    generator = torch.Generator().manual_seed(4)
    weights = hidden_weights(parameters, generator)
    h = torch.randn(NETWORKS, SAMPLES, 8, generator=generator, dtype=torch.float64)[1]
    readout = torch.randn(NETWORKS, 8, CLASSES, generator=generator, dtype=torch.float64)[1] / 8**0.5
    targets = torch.randint(CLASSES, (NETWORKS, SAMPLES), generator=generator)[1]
    outputs = []
    for weight in weights:
        u = nn.functional.linear(h, weight[1])
        if normalisation == "batch":
            u = nn.functional.batch_norm(u, None, None, training=True)
        elif normalisation == "layer":
            u = nn.functional.layer_norm(u, (8,))
        h = torch.tanh(u) + (h if residual else 0)
        h.requires_grad_()
        outputs.append(h)
    loss = nn.CrossEntropyLoss(reduction="sum")(h @ readout, targets)
    for layer, gradient in enumerate(torch.autograd.grad(loss, outputs)):
        rms = float((gradient**2).sum(1).mean().sqrt())
        assert float(seen.backward[1, layer]) == pytest.approx(rms, rel=1e-9)
        assert float(seen.forward[1, layer]) == pytest.approx(float((outputs[layer].detach() ** 2).mean()), rel=1e-9)


def test_gradients_are_what_finite_differences_say() -> None:
    parameters = DepthParameters(depth=3, width=4, activation="gelu", loss="squared")
    seen = flow(parameters, torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(1)
    weights = [one[0] for one in hidden_weights(parameters, generator)]
    x = torch.randn(NETWORKS, SAMPLES, 4, generator=generator, dtype=torch.float64)[0]
    readout = torch.randn(NETWORKS, 4, CLASSES, generator=generator, dtype=torch.float64)[0] / 2
    targets = nn.functional.one_hot(torch.randint(CLASSES, (NETWORKS, SAMPLES), generator=generator)[0], CLASSES)

    def loss(first: torch.Tensor) -> float:
        h = x
        for weight in (first, *weights[1:]):
            h = nn.functional.gelu(h @ weight.T)
        return float(((h @ readout - targets) ** 2).sum(1).mean()) / 2

    slopes = torch.zeros(4, 4).double()
    for row in range(4):
        for column in range(4):
            moved = torch.zeros(4, 4).double()
            moved[row, column] = 1e-5
            slopes[row, column] = (loss(weights[0] + moved) - loss(weights[0] - moved)) / 2e-5
    assert float(seen.weights[0, 0]) == pytest.approx(float(slopes.norm()), rel=1e-7)


def test_zeros_learn_nothing() -> None:
    found = result("depth", initialisation="zeros", depth=4, width=8)
    assert found.numbers["weight_gradient_norm"] == [0.0] * 4
    assert verdicts(found)["zeros"] == "fails"
    assert found.numbers["gradient_ratio"] is None


def test_an_orthogonal_linear_network_keeps_everything() -> None:
    numbers = result("depth", activation="linear", initialisation="orthogonal", depth=30, width=32).numbers
    assert numbers["backward_norm"] == pytest.approx([numbers["backward_norm"][0]] * 30, rel=1e-9)
    assert numbers["forward_variance"] == pytest.approx([numbers["forward_variance"][0]] * 30, rel=1e-9)
    assert numbers["saturated"] == [0.0] * 30


def test_findings_follow_the_numbers() -> None:
    assert verdicts(result("depth"))["through"] == "holds"
    vanishing = result("depth", activation="sigmoid", initialisation="xavier", depth=10)
    assert verdicts(vanishing)["through"] == "fails"
    assert verdicts(vanishing)["slope"] == "holds"
    saturating = result("depth", activation="tanh", initialisation="normal", sigma=1.0, depth=10)
    assert verdicts(saturating)["asleep"] == "holds"
    assert saturating.numbers["gradient_ratio"] > 100
    assert "theory" not in verdicts(result("depth", residual=True, depth=3))


def test_dead_units_are_zero_for_every_sample() -> None:
    parameters = DepthParameters(depth=20, width=16, initialisation="he")
    seen = flow(parameters, torch.Generator().manual_seed(0))
    dead = torch.stack([(one == 0).all(1).double().mean(1) for one in seen.outputs], 1)
    torch.testing.assert_close(seen.saturated, dead)
    assert float(dead.max()) > 0


def test_the_histogram_counts_every_output() -> None:
    drawn = figure(result("depth", depth=5, width=16), "outputs")
    assert [sum(one.y) for one in drawn.series] == [SAMPLES * 16] * 3
    assert len(drawn.edges) == 41


def test_every_figure_spans_the_layers() -> None:
    found = result("depth", depth=7, width=8)
    for name in ("forward", "backward", "saturated"):
        assert figure(found, name).series[0].x == list(range(1, 8))
    assert math.isfinite(found.numbers["factor_per_layer"])
    assert len(figure(found, "forward").series) == 2


def test_the_norms_of_another_network_stand_beside_and_meet_at_the_last_layer() -> None:
    found = result("depth", depth=5, width=16, measured=[8.0, 0.0, 4.0, 1.0, 2.0])
    _, _, theirs = figure(found, "backward").series
    assert (theirs.id, theirs.style) == ("measured", "points")
    assert theirs.x == [1, 2, 3, 4, 5]
    last = found.numbers["backward_norm"][-1]
    assert theirs.y == [pytest.approx(4 * last), None, pytest.approx(2 * last), pytest.approx(last / 2), last]
    assert found.numbers["measured_ratio"] == 4
    plain = result("depth", depth=5, width=16)
    assert found.numbers["backward_norm"] == plain.numbers["backward_norm"]
    assert "measured_ratio" not in plain.numbers
    assert len(figure(plain, "backward").series) == 2
    spread = result("depth", depth=5, width=16, measured=[1.0, 1.0, 2.0])
    assert figure(spread, "backward").series[2].x == [1, 3, 5]


@pytest.mark.parametrize(("first", "verdict"), [(9.0, "holds"), (11.0, "fails"), (0.11, "holds"), (0.0, "fails")])
def test_the_same_order_is_within_a_power_of_ten(first: float, verdict: str) -> None:
    ratio = result("depth", depth=5).numbers["gradient_ratio"]
    found = result("depth", depth=5, measured=[first * ratio, 1.0])
    assert verdicts(found)["measured"] == verdict


def test_a_last_norm_of_zero_gives_no_ratio() -> None:
    found = result("depth", depth=5, width=8, measured=[1.0, 0.0])
    assert "measured_ratio" not in found.numbers
    assert "measured" not in verdicts(found)


@pytest.mark.parametrize(
    "wrong", [{"measured": 3}, {"depth": 0}, {"depth": 51}, {"width": 1}, {"sigma": -1.0}, {"activation": "step"}]
)
def test_bad_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        DepthParameters(**wrong)
    assert refused.value.errors()[0]["loc"] == (next(iter(wrong)),)


def test_each_initialisation_is_a_network_of_its_own_with_the_other_settings_as_they_are() -> None:
    found = result("depth", activation="tanh", initialisation="normal", sigma=0.12, depth=12, width=64)
    rows = {row[0]: row[1:] for row in figure(found, "initialisations").rows}
    assert list(rows) == ["normal", "xavier", "he", "lecun", "orthogonal", "zeros"]
    for name, gain in {"normal": 0.12**2 * 64, "xavier": 1, "he": 2, "lecun": 1}.items():
        generator = torch.Generator().manual_seed(0)
        weights = [
            torch.randn(64, 64, generator=generator, dtype=torch.float64) * (gain / 64) ** 0.5 for _ in range(12)
        ]
        h = torch.randn(SAMPLES, 64, generator=generator, dtype=torch.float64)
        readout = torch.randn(64, CLASSES, generator=generator, dtype=torch.float64) / 8
        targets = torch.randint(CLASSES, (1, SAMPLES), generator=generator)[0]
        outputs = []
        for weight in weights:
            h = torch.tanh(h @ weight.requires_grad_().T)
            outputs.append(h)
        first, last = torch.autograd.grad(
            nn.functional.cross_entropy(h @ readout, targets, reduction="sum"), [outputs[0], outputs[-1]]
        )
        ratio = float(first.norm() / last.norm())
        assert rows[name][:2] == pytest.approx([ratio, ratio ** (1 / 11)], rel=1e-9)
        assert rows[name][2] == pytest.approx(float((h.detach() ** 2).mean()), rel=1e-9)
        assert found.numbers["initialisations"][name] == rows[name][0]
    assert rows["zeros"][:3] == [None, None, 0]


@pytest.mark.parametrize(
    ("expected", "settings"),
    [
        ("holds", {}),  # of a ReLU only He gets through 20 layers
        ("fails", {"depth": 2}),
        ("depends", {"activation": "sigmoid", "depth": 10}),
    ],
)
def test_whether_the_initialisation_decides(expected: str, settings: dict[str, Any]) -> None:
    found = result("depth", **settings)
    through = {name: 0.01 <= ratio <= 100 for name, ratio in found.numbers["initialisations"].items() if ratio}
    assert len(through) == 5
    assert verdicts(found)["decides"] == expected
    assert {"holds": len(set(through.values())) == 2, "fails": all(through.values()),
            "depends": not any(through.values())}[expected]  # fmt: skip
