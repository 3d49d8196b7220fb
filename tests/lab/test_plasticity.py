"""The problem by hand, steps against torch.optim and autograd, utilities step by step, measures in closed form."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from gradoscope.lab.experiments.plasticity import Algorithm, PlasticityParameters
from gradoscope.lab.experiments.plasticity.findings import MARGIN, _keeps, fifths
from gradoscope.lab.experiments.plasticity.learners import ALGORITHMS, Learners
from gradoscope.lab.experiments.plasticity.measures import Record, effective_rank, weight_size
from gradoscope.lab.experiments.plasticity.problem import BITS, FLIPPING, UNITS, Problem
from gradoscope.lab.experiments.plasticity.utility import BLOCK, INNER_BOUND, Replacement, recursion
from pydantic import ValidationError

from tests.support.lab import figure, result, updates, verdicts

SMALL: dict[str, Any] = {"tasks": 6, "steps_per_task": 100, "seeds": 3}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# The problem


def test_the_target_is_that_of_threshold_units() -> None:
    problem = Problem(2, generator())
    task = problem.task(4, first=True)
    assert task.inputs.shape == (4, 2, BITS + 1)
    assert set(problem.weights.unique().tolist()) == set(problem.outputs.unique().tolist()) == {-1, 1}
    for seed in range(2):
        for step in range(4):
            x, total = task.inputs[step, seed].tolist(), 0.0
            for unit in range(UNITS):
                w = problem.weights[seed, unit].tolist()
                threshold = 0.7 * 21 - sum(one < 0 for one in w)
                if sum(a * b for a, b in zip(w, x, strict=True)) >= threshold:
                    total += float(problem.outputs[seed, unit])
            assert float(task.targets[step, seed]) == total


def test_a_new_task_flips_one_of_15_bits() -> None:
    problem = Problem(5, generator())
    before = problem.task(50, first=True).inputs
    assert (before[:, :, :FLIPPING] == before[0, :, :FLIPPING]).all()
    assert (before[:, :, -1] == 1).all()
    assert 0.3 < float(before[:, :, FLIPPING:BITS].mean()) < 0.7
    after = problem.task(50, first=False).inputs
    changed = (after[0] != before[0])[:, :FLIPPING].sum(1)
    assert changed.tolist() == [1] * 5


def test_every_input_of_a_task() -> None:
    problem = Problem(2, generator())
    every = problem.every_input
    assert every.shape == (32, 2, BITS + 1)
    assert len({tuple(row) for row in every[:, 1].tolist()}) == 32
    drawn = {tuple(row) for row in problem.inputs(500)[:, 1].tolist()}
    assert drawn == {tuple(row) for row in every[:, 1].tolist()}


# Learning


def alone(learners: Learners, row: int) -> torch.nn.Sequential:
    """A network of PyTorch's own layers with the weights of a row."""
    hidden = learners.parameters.hidden
    network = torch.nn.Sequential(torch.nn.Linear(BITS, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 1))
    inner, outer = learners.inner[row], learners.outer[row]
    values = (inner[:, :BITS], inner[:, BITS], outer[:, :hidden], outer[:, hidden])
    with torch.no_grad():
        for one, value in zip(network.parameters(), values, strict=True):
            one.copy_(value)
    return network


@pytest.mark.parametrize(
    ("algorithm", "make"),
    [
        ("backprop", lambda weights: torch.optim.SGD(weights, lr=0.02)),
        ("l2", lambda weights: torch.optim.SGD(weights, lr=0.02, weight_decay=0.05)),
        ("adam", lambda weights: torch.optim.Adam(weights, lr=0.005)),
    ],
)
def test_each_learns_as_torch_optim_does(algorithm: Algorithm, make: Any) -> None:
    parameters = PlasticityParameters(rate=0.02, adam_rate=0.005, decay=0.05, seeds=3)
    learners = Learners(parameters, ALGORITHMS, generator(1))
    row = 3 * ALGORITHMS.index(algorithm) + 1
    network = alone(learners, row)
    rule = make(network.parameters())
    task = Problem(3, generator()).task(60, first=True)
    errors = []
    for x, y in zip(task.inputs[:, 1, :BITS], task.targets[:, 1], strict=True):
        apart = network(x) - y
        errors.append(float(apart.detach()))
        rule.zero_grad()
        torch.autograd.backward((apart**2 / 2).sum())
        rule.step()
    found = learners.learn(task.inputs, task.targets)
    assert found.shape == (60, 12)
    assert found[:, row].tolist() == pytest.approx(errors, rel=1e-3, abs=1e-4)
    for one, other in zip(alone(learners, row).parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_all_begin_with_the_same_weights() -> None:
    learners = Learners(PlasticityParameters(seeds=3), ALGORITHMS, generator())
    assert learners.weights.view(4, 3, -1).std(0).max() == 0
    assert float(learners.inner.abs().max()) <= INNER_BOUND
    assert (learners.inner[:, :, BITS] == 0).all()


# Utilities and replacement


def test_the_recursion_is_the_one_step_by_step() -> None:
    values, before = torch.rand(7, 3, generator=generator()).double(), torch.rand(3).double()
    found, expected = recursion(values, before, 0.9), before
    for step in range(7):
        expected = 0.9 * expected + 0.1 * values[step]
        torch.testing.assert_close(found[step], expected)


@pytest.mark.parametrize("corrected", [True, False])
def test_utilities_are_those_of_the_paper_step_by_step(corrected: bool) -> None:
    parameters = PlasticityParameters(
        seeds=3, replacement_rate=0.0, utility_decay=0.9, algorithm="continual", bias_correction=corrected
    )
    learners = Learners(parameters, ("continual",), generator(1))
    assert learners.replacement
    task = Problem(3, generator()).task(3 * BLOCK, first=True)
    mean = utility = torch.zeros(3, 5)
    for step in range(3 * BLOCK):
        x = task.inputs[step : step + 1]
        h = torch.relu((learners.inner @ x[0][..., None])[..., 0])
        learners.learn(x, task.targets[step : step + 1])
        mean = 0.9 * mean + 0.1 * h
        correction = 1 - 0.9 ** (step + 1) if corrected else 1.0
        weights = learners.outer[:, 0, :-1].abs() / learners.inner.abs().sum(2)
        utility = 0.9 * utility + 0.1 * (h - mean / correction).abs() * weights
    torch.testing.assert_close(learners.replacement.mean, mean, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(learners.replacement.utility, utility, rtol=1e-4, atol=1e-6)
    assert (learners.replacement.age == 3 * BLOCK).all()


def replacement(**parameters: Any) -> Replacement:
    """Two networks of three units, old enough, the second unit of each worth least."""
    asked = PlasticityParameters(hidden=3, seeds=3, **parameters)
    made = Replacement(asked, torch.ones(2, 3, BITS + 1), torch.ones(2, 1, 4), generator())
    made.age += 200
    made.mean += 0.5 * (1 - 0.99**200)
    made.utility += torch.tensor([3.0, 1.0, 2.0])
    return made


def test_the_unit_that_is_worth_least_starts_anew() -> None:
    made = replacement()
    made.counter += torch.tensor([1.0, 0.0])
    made._replace()
    assert made.outer[0, 0].tolist() == pytest.approx([1, 0, 1, 1 + 0.5])  # what it gave on average is in the bias
    assert (made.outer[1] == 1).all()
    assert (made.inner[0, [0, 2]] == 1).all()
    assert made.inner[0, 1, BITS] == 0
    assert 0 < float(made.inner[0, 1].abs().max()) <= INNER_BOUND
    assert made.age[0].tolist() == [200, 0, 200]
    assert made.utility[0, 1] == made.mean[0, 1] == 0
    assert (made.replaced, made.median_age) == (1, 200)


def test_young_units_are_left_alone_and_the_rate_counts_the_old_ones() -> None:
    made = replacement(maturity=150, replacement_rate=0.002)
    made.age[:, 1] = 100
    made._replace()
    assert made.counter.tolist() == pytest.approx([BLOCK * 0.002 * 2] * 2)
    made.counter += 1
    made._replace()
    assert (made.age[:, 2] == 0).all()  # the second lowest, for the lowest is too young
    assert (made.age[:, 1] == 100).all()


def test_without_the_correction_the_young_seem_worth_less() -> None:
    for corrected, chosen in ((True, 0), (False, 1)):
        made = replacement(bias_correction=corrected)
        made.age[:, 1] = 101
        made.utility[:] = torch.tensor([0.9 * (1 - 0.99**200), 1 - 0.99**101, 2.0])  # worth 0.9, 1 and 2
        made.counter += 1
        made._replace()
        assert (made.age[:, chosen] == 0).all()


def test_a_unit_of_age_100_counts_0634() -> None:
    found = result("plasticity", maturity=100, utility_decay=0.99, **SMALL)
    assert found.numbers["uncorrected"] == pytest.approx(0.634, abs=5e-4)
    assert found.numbers["uncorrected"] == pytest.approx(1 - 0.99**100, rel=1e-9)
    counted, corrected, point = figure(found, "correction").series
    assert (point.x, point.y) == ([100], [pytest.approx(0.634, abs=5e-4)])
    assert corrected.y == pytest.approx([1] * 500)
    assert counted.y[0] == pytest.approx(0.01)
    assert verdicts(found)["correction"] == "fails"
    assert verdicts(result("plasticity", maturity=1000, **SMALL))["correction"] == "holds"


def test_without_replacement_continual_backprop_is_backprop() -> None:
    found = result("plasticity", replacement_rate=0.0, **SMALL).numbers
    assert found["error_by_task"]["continual"] == found["error_by_task"]["backprop"]
    assert (found["replaced"], found["replaced_age"]) == (0, None)


def test_units_are_replaced_at_the_rate_that_is_asked() -> None:
    """ρ · units · steps of each network, less what waits for the maturity."""
    found = result("plasticity", algorithm="continual", replacement_rate=0.002, maturity=20, tasks=10,
                   steps_per_task=200, seeds=3).numbers  # fmt: skip
    assert found["replaced"] == pytest.approx(0.002 * 5 * 2000, rel=0.2)


# Measures


def test_effective_rank_in_closed_form() -> None:
    matrices = torch.stack(
        [torch.eye(4), torch.ones(4, 4), torch.zeros(4, 4), torch.diag(torch.tensor([3.0, 1, 0, 0]))]
    )
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert effective_rank(matrices).tolist() == pytest.approx([4, 1, 0, math.exp(entropy)])


def test_dead_units_sizes_and_errors_are_counted() -> None:
    learners = Learners(PlasticityParameters(seeds=3), ("backprop", "adam"), generator())
    problem = Problem(3, generator())
    learners.inner[4, :2, :BITS], learners.inner[4, :2, BITS] = 0.0, -1.0
    learners.inner[4, 2:, BITS] = 100.0
    record = Record(("backprop", "adam"))
    apart = torch.arange(12.0).view(2, 6)
    record.add(learners, problem, apart, torch.tensor([[0.0, 0, 1], [2.0, 0, 5]]))
    assert float(record.dead[0][1, 1]) == pytest.approx(0.4)  # of the second algorithm, the second seed
    assert record.errors[0][1].tolist() == [(9 + 81) / 2, (16 + 100) / 2, (25 + 121) / 2]
    assert record.variances[0].tolist() == [2, 0, 8]
    assert float(record.relative(0, 1)[1, 2]) == pytest.approx((25 + 121) / 2 / 8)
    by_hand = sum(float(one.abs().sum()) for one in (learners.inner[0, :, :BITS], learners.outer[0, 0, :5])) / 105
    assert float(weight_size(learners)[0]) == pytest.approx(by_hand, rel=1e-5)


def test_early_and_late_are_a_fifth_of_the_tasks() -> None:
    record = Record(("backprop",))
    for task in range(10):
        record.errors.append(torch.full((1, 2), float(task)))
        record.variances.append(torch.tensor([1.0, 2.0]))
    early, late = fifths(record)
    assert early.tolist() == [[0.5, 0.25]]
    assert late.tolist() == [[8.5, 4.25]]


# The run


def test_the_run_streams_and_its_numbers_are_by_task() -> None:
    found = updates("plasticity", **SMALL)
    assert [one.id for one in found[0].figures] == ["correction"]
    assert sum(bool(update.figures) for update in found) == 8
    last = found[-1]
    for name in ("error_by_task", "dead_units", "weight_size", "effective_rank"):
        assert set(last.numbers[name]) == set(ALGORITHMS)
        assert all(len(values) == 6 for values in last.numbers[name].values())
    assert last.numbers["first_errors"] == last.numbers["error_by_task"]["backprop"]
    curve = figure(last, "error").series[2]
    assert curve.id == "continual"
    assert curve.x == [1, 2, 3, 4, 5, 6]
    assert curve.y == pytest.approx(last.numbers["error_by_task"]["continual"])
    assert all(low <= mean <= high for low, mean, high in zip(curve.low, curve.y, curve.high, strict=True))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_one_alone_learns_as_among_all(algorithm: Algorithm) -> None:
    every = result("plasticity", maturity=10, replacement_rate=0.002, **SMALL).numbers
    one = result("plasticity", algorithm=algorithm, maturity=10, replacement_rate=0.002, **SMALL).numbers
    assert set(one["error_by_task"]) == {algorithm}
    assert one["error_by_task"][algorithm] == pytest.approx(every["error_by_task"][algorithm], rel=1e-3)


def test_points_are_means_of_several_tasks() -> None:
    found = result("plasticity", tasks=85, steps_per_task=50, seeds=3, algorithm="backprop")
    curve = figure(found, "dead").series[0]
    assert curve.x == list(range(4, 85, 4))
    every = found.numbers["dead_units"]["backprop"]
    assert curve.y == pytest.approx([sum(every[end - 4 : end]) / 4 for end in curve.x])


@pytest.mark.slow
def test_with_the_defaults_backprop_forgets_and_continual_backprop_does_not() -> None:
    found = {one.id: one for one in result("plasticity").findings}
    assert found["keeps_backprop"].verdict == "fails"
    assert found["keeps_continual"].verdict == "holds"
    assert found["gains_continual"].verdict == "holds"
    assert found["dead"].verdict == "holds"


@pytest.mark.parametrize(
    "wrong",
    [{"algorithm": "sgd"}, {"rate": 0.0}, {"tasks": 1}, {"steps_per_task": 49}, {"seeds": 2}, {"maturity": 0},
     {"replacement_rate": 0.01}, {"utility_decay": 1.0}],
)  # fmt: skip
def test_bad_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        PlasticityParameters(**wrong)
    assert refused.value.errors()[0]["loc"] == (next(iter(wrong)),)


@pytest.mark.parametrize(
    ("rise", "spread", "verdict"),
    [(0.2, 0.01, "fails"), (0.0, 0.01, "holds"), (0.02, 0.01, "fails"), (-0.2, 0.01, "holds"), (0.03, 0.2, "depends"),
     (0.0, 0.2, "depends")],
)  # fmt: skip
def test_no_proven_rise_is_no_proof_that_there_is_none(rise: float, spread: float, verdict: str) -> None:
    late = torch.tensor([[rise - spread, rise, rise, rise + spread]])
    found = _keeps("backprop", 0, torch.zeros(1, 4), late)
    low, high = (float(found.numbers[f"change_{end}"]) for end in ("low", "high"))  # type: ignore[arg-type]
    assert found.verdict == verdict
    assert verdict == ("fails" if low > 0 else "holds" if high < MARGIN else "depends")
