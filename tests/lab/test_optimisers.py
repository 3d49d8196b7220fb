"""Ten optimisers against their update rules written out, closed forms and PyTorch's own schedules."""

from __future__ import annotations

import itertools
import math
from typing import Any, get_args

import pytest
import torch
from gradoscope.lab.experiments.optimisers import Optimiser, OptimisersParameters, Schedule, Surface
from gradoscope.lab.experiments.optimisers.descent import DEFAULTS, OPTIMISERS, descend
from gradoscope.lab.experiments.optimisers.schedules import factor
from gradoscope.lab.experiments.optimisers.surfaces import gradients, place
from gradoscope.lab.registry import experiments
from gradoscope.lab.wording import worded_finding
from pydantic import ValidationError
from torch.optim import lr_scheduler

from tests.support.lab import figure, result, updates, verdicts


def path(name: Optimiser, rate: float, **parameters: Any) -> torch.Tensor:
    return descend(OptimisersParameters(optimiser=name, **parameters), name, [rate], 0).points[0]


def bowl(w: list[float]) -> list[float]:
    return [w[0], 100 * w[1]]


def by_hand(name: str, rate: float, steps: int) -> list[list[float]]:
    """The update rules as their papers have them, coordinate by coordinate, on the bowl."""
    w, found = [-4.0, 1.5], [[-4.0, 1.5]]
    m, s, u = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    for t in range(1, steps + 1):
        g = bowl(w)
        for i in range(2):
            if name == "sgd":
                step = rate * g[i]
            elif name in ("momentum", "nesterov"):
                m[i] = 0.9 * m[i] + g[i] if t > 1 else g[i]
                step = rate * (m[i] if name == "momentum" else g[i] + 0.9 * m[i])
            elif name == "adagrad":
                s[i] += g[i] ** 2
                step = rate * g[i] / (math.sqrt(s[i]) + 1e-10)
            elif name == "rmsprop":
                s[i] = 0.99 * s[i] + 0.01 * g[i] ** 2
                step = rate * g[i] / (math.sqrt(s[i]) + 1e-8)
            elif name == "adadelta":
                s[i] = 0.95 * s[i] + 0.05 * g[i] ** 2
                change = math.sqrt(u[i] + 1e-6) / math.sqrt(s[i] + 1e-6) * g[i]
                u[i] = 0.95 * u[i] + 0.05 * change**2
                step = rate * change
            elif name == "adamax":
                m[i] = 0.9 * m[i] + 0.1 * g[i]
                u[i] = max(0.999 * u[i], abs(g[i]) + 1e-8)
                step = rate / (1 - 0.9**t) * m[i] / u[i]
            else:
                m[i], s[i] = 0.9 * m[i] + 0.1 * g[i], 0.999 * s[i] + 0.001 * g[i] ** 2
                u[i] = max(u[i], s[i])
                second = u[i] if name == "amsgrad" else s[i]
                step = rate * m[i] / (1 - 0.9**t) / (math.sqrt(second / (1 - 0.999**t)) + 1e-8)
            w[i] -= step
        found.append(list(w))
    return found


@pytest.mark.parametrize("name", [one for one in OPTIMISERS if one != "nadam"])
def test_each_is_its_update_rule(name: Optimiser) -> None:
    rate = 0.001 if name in ("sgd", "momentum", "nesterov") else 0.1
    expected = torch.tensor(by_hand(name, rate, 30), dtype=torch.float64)
    torch.testing.assert_close(path(name, rate, steps=30), expected, rtol=1e-7, atol=1e-9)


def test_nadam_looks_ahead_with_its_momentum() -> None:
    points = path("nadam", 0.1, steps=1)
    first, second = 0.9 * (1 - 0.5 * 0.96**0.004), 0.9 * (1 - 0.5 * 0.96**0.008)
    step = 0.1 * ((1 - first) / (1 - first) + second * 0.1 / (1 - first * second))
    assert (points[0] - points[1]).abs().tolist() == pytest.approx([step, step], rel=1e-6)


@pytest.mark.parametrize("start", [[-4.0, 1.5], [0.01, -0.02], [9.0, 9.0]])
def test_first_steps_do_not_depend_on_the_gradient(start: list[float]) -> None:
    found = result("optimisers", start=start, rate=0.02, steps=1).numbers
    for name in ("adam", "amsgrad", "adamax", "adagrad"):
        assert found["first_step"][name] == pytest.approx(0.02, rel=1e-4)
    assert found["first_step"]["rmsprop"] == pytest.approx(0.2, rel=1e-4)
    assert found["first_step"]["sgd"] == pytest.approx(0.02 * max(abs(start[0]), 100 * abs(start[1])), rel=1e-9)
    alone = result("optimisers", optimiser="adadelta", start=start, rate=1.0, steps=1).numbers
    assert alone["first_step"]["adadelta"] == pytest.approx(4.47e-3, rel=0.01)


def test_the_bowls_best_factors() -> None:
    numbers = result("optimisers", optimiser="sgd", rate=2 / 101, steps=50).numbers
    assert numbers["best_factor"] == pytest.approx(0.980198, rel=1e-5)
    assert numbers["best_factor_momentum"] == pytest.approx(0.818182, rel=1e-5)
    assert numbers["best_alpha"] == pytest.approx(0.0330579, rel=1e-5)
    assert numbers["best_beta"] == pytest.approx(0.669421, rel=1e-5)
    far = [math.dist(point, (0, 0)) for point in numbers["trajectory"]["sgd"]]
    assert [b / a for a, b in itertools.pairwise(far)] == pytest.approx([99 / 101] * 50, rel=1e-9)
    points = path("momentum", 4 / 121, steps=400, momentum=81 / 121)
    decay = (float(points[400].norm()) / float(points[200].norm())) ** (1 / 200)
    assert decay == pytest.approx(9 / 11, rel=0.01)


def test_reddis_example_leads_adam_astray() -> None:
    found = result("optimisers", surface="reddi", rate=0.5, steps=1000)
    assert found.numbers["trajectory"]["adam"][-1][0] > 0.9
    assert found.numbers["trajectory"]["amsgrad"][-1][0] < -0.9
    assert verdicts(found)["converges"] == "fails"


@pytest.mark.parametrize("name", get_args(Surface))
def test_surfaces_are_lowest_where_they_say(name: Surface) -> None:
    parameters = OptimisersParameters(surface=name)
    for x, y in place(parameters).minima:
        point = torch.tensor([[x, y]], dtype=torch.float64)
        if name != "reddi":
            assert float(gradients(parameters, point, 0).abs().max()) < 1e-3
            around = point + 0.05 * torch.randn(200, 2, generator=torch.Generator().manual_seed(0)).double()
            heights = place(parameters).height(around[:, 0], around[:, 1])
            assert float(heights.min()) >= float(place(parameters).height(point[:, 0], point[:, 1])) - 1e-9


def test_rosenbrock_is_the_known_one() -> None:
    height = place(OptimisersParameters(surface="rosenbrock")).height
    assert float(height(torch.tensor(-1.2), torch.tensor(1.0))) == pytest.approx(24.2, rel=1e-5)
    found = gradients(OptimisersParameters(surface="rosenbrock"), torch.tensor([[-1.2, 1.0]], dtype=torch.float64), 0)
    assert found[0].tolist() == pytest.approx([-215.6, -88.0], rel=1e-9)


@pytest.mark.parametrize(
    ("schedule", "make"),
    [
        ("step", lambda rule: lr_scheduler.StepLR(rule, 10, 0.5)),
        ("multistep", lambda rule: lr_scheduler.MultiStepLR(rule, [20, 30], 0.1)),
        ("exponential", lambda rule: lr_scheduler.ExponentialLR(rule, 0.01 ** (1 / 40))),
        ("polynomial", lambda rule: lr_scheduler.PolynomialLR(rule, 40, 2)),
        ("cosine", lambda rule: lr_scheduler.CosineAnnealingLR(rule, 40)),
        ("warmup", lambda rule: lr_scheduler.LinearLR(rule, 0.25, 1.0, 3)),
        ("fixed", lambda rule: lr_scheduler.ConstantLR(rule, 1.0)),
    ],
)
def test_schedules_are_those_of_pytorch(schedule: Schedule, make: Any) -> None:
    rule = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(rule)
    for step in range(40):
        assert factor(schedule, step, 40) == pytest.approx(rule.param_groups[0]["lr"], rel=1e-6, abs=1e-12)
        rule.step()
        scheduler.step()
    assert factor("inverse", 20, 40) == 1 / 5.5


def test_the_best_rate_ends_lowest() -> None:
    best = result("optimisers", optimiser="momentum", steps=60)
    rate, final = best.numbers["rates"]["momentum"], best.numbers["final"]["momentum"]
    for other in (rate / 10**0.25, rate * 10**0.25, 1e-3):
        tried = result("optimisers", optimiser="momentum", rate=other, steps=60).numbers["final"]["momentum"]
        assert tried is None or tried >= final
    default = result("optimisers", rate="default", steps=2).numbers["rates"]
    assert default == DEFAULTS
    for name in OPTIMISERS:
        assert best.numbers["final_at_default"].get(name) is None or name == "momentum"


def test_defaults_are_those_of_torch_optim() -> None:
    classes = {
        "sgd": "SGD", "momentum": "SGD", "nesterov": "SGD", "adagrad": "Adagrad", "rmsprop": "RMSprop",
        "adadelta": "Adadelta", "adam": "Adam", "adamax": "Adamax", "nadam": "NAdam", "amsgrad": "Adam",
    }  # fmt: skip
    for name, rate in DEFAULTS.items():
        rule = getattr(torch.optim, classes[name])([torch.zeros(1, requires_grad=True)])
        assert rule.param_groups[0]["lr"] == rate


def test_noise_is_the_same_for_all_and_drawn_from_the_seed() -> None:
    quiet, noisy = (path("sgd", 0.001, steps=20, noise=one) for one in (0.0, 1.0))
    assert not torch.equal(quiet, noisy)
    assert torch.equal(noisy, path("sgd", 0.001, steps=20, noise=1.0))
    drawn = torch.randn(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    first = noisy[0] - 0.001 * (torch.tensor([-4.0, 150.0]).double() + drawn[0])
    torch.testing.assert_close(noisy[1], first)


def test_a_descent_that_leaves_all_bounds_is_none() -> None:
    found = result("optimisers", optimiser="sgd", rate=1000.0, steps=400)
    assert found.numbers["losses"]["sgd"][-1] is None
    assert verdicts(found)["arrived_one"] == "fails"


def test_the_surface_comes_first_then_one_optimiser_after_the_other() -> None:
    found = updates("optimisers", steps=2, rate="default")
    assert [len(update.numbers.get("rates", {})) for update in found] == list(range(11))
    contour = figure(found[0], "paths")
    assert contour.paths == []
    assert contour.start == "start"
    assert [one.id for one in figure(found[-1], "paths").paths] == list(OPTIMISERS)
    assert (contour.columns[0], contour.rows[0], contour.rows[-1]) == (-5, -3, 3)
    for row, y in zip(contour.values, contour.rows, strict=True):
        assert row == pytest.approx([(x**2 + 100 * y**2) / 2 for x in contour.columns])


def test_the_state_is_what_the_optimiser_keeps() -> None:
    drawn = figure(result("optimisers", optimiser="adam", rate=0.1, steps=3), "state")
    assert [one.id for one in drawn.series] == ["length", "velocity", "second_moment"]
    first = [0.1 * abs(g) for g in (-4.0, 150.0)]
    assert drawn.series[1].y[0] == pytest.approx(math.hypot(*first), rel=1e-6)


def test_fairness_is_judged_over_all_ten() -> None:
    found = result("optimisers", surface="rosenbrock", steps=30)
    assert set(found.numbers["final_at_default"]) == set(OPTIMISERS)
    finals = found.numbers["final"]
    for name, one in found.numbers["final_at_default"].items():
        assert finals[name] <= one
    fair = next(one for one in found.findings if one.id == "fair")
    assert fair.numbers["at_best_series"] == min(finals, key=lambda name: finals[name])


def test_who_arrives_when_is_counted_from_the_points() -> None:
    found = result("optimisers")
    for name, points in found.numbers["trajectory"].items():
        away = [math.hypot(x, y) for x, y in points]
        step = next((t for t in range(len(away)) if max(away[t:]) < 0.1), None)
        assert found.numbers["arrival"][name] == step
        assert found.numbers["distance"][name] == pytest.approx(away[-1], rel=1e-12)
    said = next(one for one in found.findings if one.id == "arrived")
    when = {name: step for name, step in found.numbers["arrival"].items() if step is not None}
    assert said.numbers["missing_series"] == ", ".join(name for name in OPTIMISERS if name not in when)
    assert said.numbers["first_step"] == min(when.values()) == when[said.numbers["first_series"]]
    text = worded_finding(experiments()["optimisers"], said).text
    assert "RMSprop is the first" in text
    assert "Not there: SGD." in text
    table = figure(found, "end")
    assert [row[0] for row in table.rows] == list(OPTIMISERS)
    assert {row[0]: row[2] for row in table.rows} == found.numbers["arrival"]


@pytest.mark.parametrize(("rate", "verdict"), [("default", "holds"), ("best", "depends"), (1.0, "fails")])
def test_adagrad_stalls_at_a_small_rate_alone(rate: Any, verdict: str) -> None:
    found = result("optimisers", optimiser="adagrad", rate=rate)
    said = next(one for one in found.findings if one.id == "stalls")
    assert said.verdict == verdict
    points, w = found.numbers["trajectory"]["adagrad"], [-4.0, 1.5]
    assert said.numbers["first"] == pytest.approx(math.dist(points[0], points[1]), rel=1e-9)
    assert said.numbers["last"] == pytest.approx(math.dist(points[-2], points[-1]), rel=1e-9)
    assert said.numbers["start"] == pytest.approx(math.hypot(*w))
    squares = [sum(bowl(point)[i] ** 2 for point in points[:-1]) for i in range(2)]
    grown = math.sqrt(math.hypot(*squares) / math.hypot(*(g**2 for g in bowl(w))))
    assert said.numbers["grown"] == pytest.approx(grown, rel=1e-6)
    plain = by_hand("adagrad", 0.01, 200)
    if verdict == "depends":
        assert said.numbers["plain_left"] == pytest.approx(math.hypot(*plain[-1]), rel=1e-9)
    else:
        assert said.numbers["left"] == pytest.approx(math.hypot(*points[-1]), rel=1e-9)


def test_a_run_of_one_says_where_it_is() -> None:
    found = result("optimisers", optimiser="sgd", rate=0.001)
    said = next(one for one in found.findings if one.id == "arrived_one")
    assert (said.verdict, said.numbers["step"]) == ("fails", None)
    assert said.numbers["left"] == pytest.approx(4 * 0.999**200, rel=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [{"optimiser": "lion"}, {"surface": "plane"}, {"start": [1.0]}, {"start": [11.0, 0.0]}, {"rate": 0.0},
     {"rate": "fast"}, {"steps": 0}, {"momentum": 1.0}, {"condition": 0.5}],
)  # fmt: skip
def test_bad_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        OptimisersParameters(**wrong)
    assert refused.value.errors()[0]["loc"][0] == next(iter(wrong))
