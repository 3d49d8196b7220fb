"""Weight decay against torch.optim's own, update rules written out, and the closed forms of ridge and lasso."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from gradoscope.lab.experiments.weight_decay import WeightDecayParameters
from gradoscope.lab.experiments.weight_decay.descent import (
    KINDS,
    MINIMUM,
    START,
    UNUSED,
    bowl,
    descend,
    paths,
    soft,
)
from gradoscope.lab.experiments.weight_decay.fit import BATCH, DECAYS, SEEDS, errors, fits, task
from pydantic import ValidationError

from tests.support.lab import figure, result, updates, verdicts


def path(kind: str, **parameters: Any) -> torch.Tensor:
    return paths(WeightDecayParameters(**parameters), 0)[kind]


def by_pytorch(rule: Any, steps: int, **settings: Any) -> torch.Tensor:
    """A descent of one optimiser with its own decay, its gradients by autograd."""
    w = torch.tensor([*START, UNUSED], dtype=torch.float64, requires_grad=True)
    optimiser = rule([w], **settings)
    points = [w.detach().clone()]
    for _ in range(steps):
        optimiser.zero_grad()
        loss = ((w[0] - MINIMUM[0]) ** 2 + 10 * (w[1] - MINIMUM[1]) ** 2) / 2 + 0 * w[2]
        torch.autograd.backward(loss)
        optimiser.step()
        points.append(w.detach().clone())
    return torch.stack(points)


@pytest.mark.parametrize(
    ("kind", "rule", "settings", "parameters"),
    [
        ("l2", torch.optim.SGD, {}, {"optimiser": "sgd"}),
        ("l2", torch.optim.SGD, {"momentum": 0.9}, {"optimiser": "sgd", "momentum": 0.9}),
        ("l2", torch.optim.Adam, {}, {}),
        ("decoupled", torch.optim.AdamW, {}, {}),
        ("decoupled", torch.optim.SGD, {}, {"optimiser": "sgd"}),
    ],
)
def test_each_is_what_pytorch_has(kind: str, rule: Any, settings: Any, parameters: Any) -> None:
    expected = by_pytorch(rule, 100, lr=0.03, weight_decay=0.7, **settings)
    found = path(kind, rate=0.03, decay=0.7, steps=100, **parameters)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_is_its_update_rule(kind: str, optimiser: str) -> None:
    """Weight by weight, in plain numbers."""
    rate, decay, w = 0.04, 0.6, [*START, UNUSED]
    m, v, found = [0.0] * 3, [0.0] * 3, [[*START, UNUSED]]
    for t in range(1, 61):
        gradients = [w[0] - MINIMUM[0], 10 * (w[1] - MINIMUM[1]), 0.0]
        for i, g in enumerate(gradients):
            if kind == "l2":
                g += decay * w[i]
            if kind == "l1":
                g += decay * ((w[i] > 0) - (w[i] < 0))
            if kind == "decoupled":
                w[i] *= 1 - rate * decay
            m[i], v[i] = 0.9 * m[i] + 0.1 * g, 0.999 * v[i] + 0.001 * g * g
            adam = m[i] / (1 - 0.9**t) / (math.sqrt(v[i] / (1 - 0.999**t)) + 1e-8)
            w[i] -= rate * (g if optimiser == "sgd" else adam)
            if kind == "proximal":
                w[i] = math.copysign(max(abs(w[i]) - rate * decay, 0), w[i])
        found.append(list(w))
    torch.testing.assert_close(
        path(kind, optimiser=optimiser, rate=rate, decay=decay, steps=60),
        torch.tensor(found, dtype=torch.float64),
        rtol=1e-7,
        atol=1e-9,
    )


@pytest.mark.parametrize(("rate", "decay"), [(0.05, 0.5), (0.01, 10.0), (0.15, 0.001)])
def test_for_plain_gradient_descent_they_are_the_same(rate: float, decay: float) -> None:
    found = result("weight_decay", optimiser="sgd", rate=rate, decay=decay, steps=200)
    assert found.numbers["difference_from_decoupled"] <= 1e-12
    assert verdicts(found)["same"] == "holds"
    assert verdicts(found)["shrinks"] == "holds"
    unused = found.numbers["unused"]
    assert unused == pytest.approx([3 * (1 - rate * decay) ** step for step in range(201)], rel=1e-10)


@pytest.mark.parametrize("parameters", [{"optimiser": "adam"}, {"optimiser": "sgd", "momentum": 0.9}])
def test_for_adam_and_with_momentum_they_are_not(parameters: dict[str, Any]) -> None:
    found = result("weight_decay", **parameters)
    assert found.numbers["difference_from_decoupled"] > 0.1
    assert verdicts(found)["same"] == verdicts(found)["shrinks"] == "fails"
    decoupled = result("weight_decay", kind="decoupled", **parameters)
    assert decoupled.numbers["difference_from_decoupled"] == 0
    assert decoupled.numbers["l2_from_decoupled"] == found.numbers["difference_from_decoupled"]
    assert decoupled.numbers["unused"] == pytest.approx([3 * 0.975**step for step in range(301)], rel=1e-10)
    assert verdicts(decoupled)["shrinks"] == "holds"


def test_under_adam_a_tiny_l2_still_takes_a_whole_step() -> None:
    """Of λw alone Adam makes a first step of α, whatever λ is."""
    for decay in (1e-3, 0.5, 5.0):
        unused = path("l2", decay=decay, steps=1)[:, 2]
        assert float(unused[0] - unused[1]) == pytest.approx(0.05, rel=1e-4)
    assert abs(float(path("l2", decay=1e-3)[-1, 2])) < 1e-3
    assert float(path("decoupled", decay=1e-3)[-1, 2]) == pytest.approx(3 * (1 - 5e-5) ** 300)


def test_without_decay_all_are_the_same() -> None:
    found = paths(WeightDecayParameters(decay=0.0, steps=50), 0)
    for one in found.values():
        torch.testing.assert_close(one, found["none"], rtol=0, atol=0)
    assert "ends" not in verdicts(result("weight_decay", decay=0.0, steps=50))


@pytest.mark.parametrize("kind", ["l1", "proximal", "l2", "decoupled"])
@pytest.mark.parametrize("decay", [0.2, 0.5, 20.0])
def test_the_lowest_point_is_lowest(kind: Any, decay: float) -> None:
    """Of loss and penalty, on a fine grid."""
    surface = bowl(WeightDecayParameters())
    line = torch.linspace(-0.5, 2, 1001, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1)
    size = (grid**2).sum(-1) / 2 if kind in ("l2", "decoupled") else grid.abs().sum(-1)
    place = grid.view(-1, 2)[(surface.height(grid) + decay * size).argmin()]
    torch.testing.assert_close(surface.lowest(kind, decay), place, rtol=0, atol=2.5e-3)


def test_gradient_descent_ends_there() -> None:
    for kind in KINDS:
        found = result("weight_decay", kind=kind, optimiser="sgd", steps=600)
        if kind == "l1":  # it swings by up to α(λ + |c·m|) around 0
            assert found.numbers["distance"] <= 0.05 * (0.5 + 0.4)
        else:
            assert found.numbers["distance"] < 1e-9
            assert verdicts(found)["ends"] == "holds"
    adamw = result("weight_decay", kind="decoupled")
    assert adamw.numbers["distance"] > 0.1
    assert verdicts(adamw)["ends"] == "fails"


def test_the_subgradient_swings_around_zero_and_the_proximal_step_stops_there() -> None:
    plain = path("l1", optimiser="sgd", rate=0.05, decay=0.5, steps=400)[200:, 0]
    assert float(plain.abs().max()) <= 0.05 * 0.5 + 0.05 * 0.4
    assert not (plain == 0).any()
    proximal = path("proximal", optimiser="sgd", rate=0.05, decay=0.5, steps=400)[200:, 0]
    assert (proximal == 0).all()
    found = result("weight_decay")
    assert found.numbers["exact_zeros"]["l1"] == 0
    assert found.numbers["exact_zeros"]["proximal"] > 20
    assert verdicts(found)["zeros"] == "depends"


def test_soft_is_the_shrinkage_of_the_lasso() -> None:
    values = torch.tensor([-3.0, -0.5, 0.0, 0.5, 2.0])
    assert soft(values, 1.0).tolist() == [-2, 0, 0, 0, 1]


def test_noise_is_the_same_for_all_kinds() -> None:
    found = paths(WeightDecayParameters(noise=2.0, optimiser="sgd", steps=100), 3)
    torch.testing.assert_close(found["l2"], found["decoupled"], rtol=1e-10, atol=1e-12)
    assert not torch.equal(found["l2"], paths(WeightDecayParameters(optimiser="sgd", steps=100), 3)["l2"])


# Fits


def fitted(**parameters: Any) -> tuple[Any, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    data = task(generator)
    *_, last = fits(WeightDecayParameters(**parameters), data, generator)
    return data, last


@pytest.mark.parametrize(
    ("kind", "rule"), [("l2", torch.optim.Adam), ("decoupled", torch.optim.AdamW), ("l2", torch.optim.SGD)]
)
def test_all_fits_at_once_are_those_of_one_alone(kind: Any, rule: Any) -> None:
    name: Any = "sgd" if rule is torch.optim.SGD else "adam"
    data, weights = fitted(optimiser=name, steps=40)
    chosen, decay = 4, 10
    generator = torch.Generator().manual_seed(1)
    task(generator)
    w = torch.zeros(20, dtype=torch.float64, requires_grad=True)
    optimiser = rule([w], lr=0.05, weight_decay=DECAYS[decay])
    for _ in range(40):
        batch = torch.randint(40, (SEEDS, BATCH), generator=generator)[chosen]
        optimiser.zero_grad()
        torch.autograd.backward(((data.x[chosen, batch] @ w - data.y[chosen, batch]) ** 2).mean() / 2)
        optimiser.step()
    torch.testing.assert_close(weights[KINDS.index(kind), chosen, decay], w.detach(), rtol=1e-8, atol=1e-10)


def test_gradient_descent_on_all_samples_ends_at_ridge() -> None:
    """(XᵀX/n + λI)⁻¹Xᵀy/n, with the whole data as the batch."""
    data = task(torch.Generator().manual_seed(0))
    x, y, decay = data.x[0], data.y[0], 0.3
    ridge = torch.linalg.solve(x.T @ x / 40 + decay * torch.eye(20, dtype=torch.float64), x.T @ y / 40)
    parameters = WeightDecayParameters(optimiser="sgd", rate=0.05, steps=1000)
    decays = torch.tensor([decay], dtype=torch.float64)
    *_, last = descend(parameters, torch.zeros(20, dtype=torch.float64), decays, lambda w, step: (w @ x.T - y) @ x / 40)
    for kind in ("l2", "decoupled"):
        torch.testing.assert_close(last[KINDS.index(kind)], ridge, rtol=1e-5, atol=1e-6)


def test_errors_are_mean_squares() -> None:
    data, weights = fitted(steps=3)
    found = errors(weights, data.held_x, data.held_y)
    assert found.shape == (len(KINDS), SEEDS, len(DECAYS))
    alone = ((data.held_x[7] @ weights[2, 7, 5] - data.held_y[7]) ** 2).mean()
    assert float(found[2, 7, 5]) == pytest.approx(float(alone), rel=1e-12)


def test_the_best_decay_is_the_lowest_and_helps() -> None:
    found = result("weight_decay", optimiser="sgd", kind="l1")
    numbers = found.numbers
    assert numbers["best_error"]["l1"] == min(numbers["held_error"]) < numbers["error_without"]
    assert numbers["best_decay"]["l1"] == DECAYS[numbers["held_error"].index(min(numbers["held_error"]))]
    assert numbers["best_error"]["l2"] == pytest.approx(numbers["best_error"]["decoupled"], rel=1e-10)
    assert numbers["train_error"][0] < numbers["train_error"][-1]
    assert verdicts(found)["helps"] == "holds"
    assert verdicts(found)["better_same"] == "fails"


def test_what_leaves_all_bounds_is_none() -> None:
    found = result("weight_decay", optimiser="sgd", rate=1.0, decay=10.0, steps=1000)
    assert found.numbers["trajectory"][-1] == [None, None]
    assert found.numbers["difference_from_decoupled"] is None
    assert found.numbers["held_error"][-1] is None
    assert "better" not in verdicts(found)


def test_the_bowl_comes_first_then_the_fits() -> None:
    found = updates("weight_decay", steps=120)
    assert [update.done for update in found] == [1, 51, 101, 121]
    assert [one.id for one in found[0].figures] == ["paths", "unused", "apart"]
    contour = figure(found[0], "paths")
    assert contour.start == "start"
    assert [one.id for one in contour.paths] == [*KINDS, "none"]
    assert [len(one.x) for one in contour.paths] == [121] * 5
    height = contour.values[10][20]
    x, y = contour.columns[20], contour.rows[10]
    assert height == pytest.approx(((x - 0.4) ** 2 + 10 * (y - 1.5) ** 2) / 2)
    assert [one.id for one in figure(found[-1], "kinds").series] == [*KINDS, "none"]


def test_a_start_is_where_it_begins() -> None:
    found = result("weight_decay", start=[1.0, 2.5], steps=1)
    assert found.numbers["trajectory"][0] == [1.0, 2.5]


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "l3"}, {"optimiser": "lion"}, {"decay": -0.1}, {"decay": 11.0}, {"rate": 0.0}, {"rate": 1.5},
     {"steps": 0}, {"momentum": 1.0}, {"condition": 0.5}, {"noise": -1.0}, {"start": [1.0]}, {"start": [5.0, 0.0]}],
)  # fmt: skip
def test_bad_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        WeightDecayParameters(**wrong)
    assert refused.value.errors()[0]["loc"][0] == next(iter(wrong))
