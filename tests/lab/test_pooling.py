"""Pooling against formulas written out by hand, PyTorch's own functions, differences and known values."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from typing import Any

import pytest
import torch
from gradoscope.contract.problems import Unprocessable
from gradoscope.lab.arguments import checked_parameters
from gradoscope.lab.registry import experiments
from torch.nn.functional import avg_pool2d, lp_pool2d, max_pool2d

from tests.support.grids import shown_after
from tests.support.lab import figure, result, updates, verdicts

FOUR = [[1, 2], [3, 4]]
KINDS = ("max", "average", "lp", "soft", "stochastic", "global")


def drawn(rows: int, columns: int, seed: int, low: float = -3) -> list[list[float]]:
    generator = random.Random(seed)
    return [[round(generator.uniform(low, 3), 3) for _ in range(columns)] for _ in range(rows)]


def flat(grid: list[list[float]]) -> list[float]:
    return [value for row in grid for value in row]


# Known values


@pytest.mark.parametrize("input", [FOUR, [1, 2, 3, 4], [[1, 2, 3, 4]]])
def test_softpool_on_four_numbers(input: Any) -> None:
    found = result("pooling", kind="soft", input=input, kernel=2 if input is FOUR else 4)
    numbers = found.numbers
    assert flat(numbers["output"]) == pytest.approx([3.49265], abs=5e-6)
    assert flat(numbers["input_gradient"]) == pytest.approx([-0.0479, -0.0429, 0.1202, 0.9706], abs=5e-5)
    assert flat(numbers["shortcut_gradient"]) == pytest.approx([0.032, 0.087, 0.237, 0.644], abs=5e-4)
    assert sum(flat(numbers["input_gradient"])) == pytest.approx(1, abs=1e-12)
    assert numbers["autograd_difference"] < 1e-12
    assert numbers["quotient_difference"] < 1e-8
    assert numbers["shortcut_difference"] == pytest.approx(0.9706 - 0.6439, abs=1e-4)
    assert verdicts(found)["shortcut"] == "fails"


def test_the_shortcut_is_right_where_all_are_equal() -> None:
    assert verdicts(result("pooling", kind="soft", input=[[2, 2], [2, 2]]))["shortcut"] == "holds"


def test_average_and_global_share_evenly() -> None:
    input = drawn(6, 6, 0)
    average = result("pooling", kind="average", input=input, kernel=3).numbers
    assert flat(average["input_gradient"]) == pytest.approx([1 / 9] * 36)
    whole = result("pooling", kind="global", input=input, kernel=16, padding=8).numbers
    assert flat(whole["input_gradient"]) == pytest.approx([1 / 36] * 36)
    assert whole["output"] == [[pytest.approx(sum(flat(input)) / 36)]]


def test_max_sends_all_to_the_first_of_equals() -> None:
    found = result("pooling", kind="max", input=[[5, 5, 1, 2], [5, 0, 2, 2], [1, 3, 4, 4], [3, 3, 0, 4]])
    assert found.numbers["input_gradient"] == [[1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert found.numbers["autograd_difference"] == 0
    assert verdicts(found)["ties"] == "fails"
    (ties,) = (finding for finding in found.findings if finding.id == "ties")
    assert ties.numbers["ties"] == 4
    assert verdicts(result("pooling", kind="max", input=FOUR))["ties"] == "depends"


def test_max_leaves_padding_out() -> None:
    found = result("pooling", kind="max", input=[[-5, -2], [-3, -4]], kernel=2, stride=1, padding=1)
    assert found.numbers["output"] == [[-5, -2, -2], [-3, -2, -2], [-3, -3, -4]]


# Against other computations

SETTINGS = [
    (kernel, stride, padding)
    for kernel, stride, padding in itertools.product((1, 2, 3), (1, 2, 3, "kernel"), (0, 1))
    if padding <= kernel // 2
]


@pytest.mark.parametrize("kind", ["max", "average", "lp"])
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_outputs_and_gradients_are_pytorchs(kind: str, setting: Any) -> None:
    kernel, stride, padding = setting
    input = drawn(5, 6, 4)
    x = torch.tensor(input, dtype=torch.float64, requires_grad=True)
    step = kernel if stride == "kernel" else stride
    if kind == "lp":  # even p, as PyTorch's is a power of the sum of xᵖ
        around = torch.nn.functional.pad(x, (padding,) * 4)[None, None]
        y = lp_pool2d(around, 4, kernel, step)[0, 0]
    else:
        y = (max_pool2d if kind == "max" else avg_pool2d)(x[None, None], kernel, step, padding)[0, 0]
    g = drawn(*y.shape, 5)
    (expected,) = torch.autograd.grad((torch.tensor(g, dtype=torch.float64) * y).sum(), x)
    found = result("pooling", kind=kind, input=input, kernel=kernel, stride=stride, padding=padding, p=4.0,
                   upstream=g).numbers  # fmt: skip
    assert flat(found["output"]) == pytest.approx(y.flatten().tolist(), abs=1e-12)
    assert flat(found["input_gradient"]) == pytest.approx(expected.flatten().tolist(), abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("setting", [(2, 1, 0), (3, 2, 1), (2, "kernel", 1)], ids=str)
def test_the_formula_passes_a_gradient_check(kind: str, setting: Any) -> None:
    """Against central differences of an output that is written out here, window by window."""
    kernel, stride, padding = setting
    input = drawn(5, 5, 6, low=0.1)
    found = result("pooling", kind=kind, input=input, kernel=kernel, stride=stride, padding=padding, p=3.0, seed=2)
    chosen = {}  # of a stochastic pooling: where each window's number stands
    if kind == "stochastic":
        where = {value: place for place, value in enumerate(flat(input))}
        chosen = {place: where[value] for place, value in enumerate(flat(found.numbers["output"]))}

    def loss(grid: list[list[float]]) -> float:
        if kind == "global":
            return sum(flat(grid)) / 25
        step = kernel if stride == "kernel" else stride
        outputs = (5 + 2 * padding - kernel) // step + 1
        total = 0.0
        for place, (i, j) in enumerate(itertools.product(range(outputs), repeat=2)):
            a = [
                grid[m][n]
                for m in range(i * step - padding, i * step - padding + kernel)
                for n in range(j * step - padding, j * step - padding + kernel)
                if 0 <= m < 5 and 0 <= n < 5
            ]
            if kind == "max":
                total += max(a)
            elif kind == "average":
                total += sum(a) / kernel**2
            elif kind == "lp":
                total += sum(abs(one) ** 3 for one in a) ** (1 / 3)
            elif kind == "soft":
                total += sum(one * math.exp(one) for one in a) / sum(map(math.exp, a))
            else:
                total += flat(grid)[chosen[place]]
        return total

    for row, column in itertools.product(range(5), repeat=2):
        ends = []
        for sign in (1, -1):
            moved = [list(one) for one in input]
            moved[row][column] += sign * 1e-5
            ends.append(loss(moved))
        expected = (ends[0] - ends[1]) / 2e-5
        assert found.numbers["input_gradient"][row][column] == pytest.approx(expected, abs=1e-7)
    assert found.numbers["autograd_difference"] < 1e-12
    assert found.numbers["quotient_difference"] < 1e-7


def test_lp_goes_from_the_sum_to_the_largest() -> None:
    one = result("pooling", kind="lp", input=FOUR, p=1.0).numbers
    assert one["output"] == [[pytest.approx(10)]]
    assert flat(one["input_gradient"]) == pytest.approx([1] * 4)
    many = result("pooling", kind="lp", input=FOUR, p=100.0).numbers
    assert many["output"] == [[pytest.approx(4, abs=1e-9)]]
    assert flat(many["input_gradient"]) == pytest.approx([0, 0, 0, 1], abs=1e-9)
    signs = result("pooling", kind="lp", input=[[-3, 0], [0, 4]], p=2.0).numbers
    assert flat(signs["input_gradient"]) == pytest.approx([-0.6, 0, 0, 0.8])
    nothing = result("pooling", kind="lp", input=[[0, 0], [0, 0]], p=3.0).numbers
    assert flat(nothing["input_gradient"]) == [0] * 4
    assert nothing["autograd_difference"] == 0


def test_large_numbers_overflow_nowhere() -> None:
    input = [[10_000, -10_000], [9_999, 3]]
    for kind in KINDS:
        found = result("pooling", kind=kind, input=input, p=100.0).numbers
        assert all(math.isfinite(value) for value in flat(found["output"]) + flat(found["input_gradient"]))
        assert found["autograd_difference"] < 1e-9, kind


# Chance


def test_stochastic_pooling_draws_from_the_seed_by_the_values() -> None:
    def draw(seed: int, input: Any = FOUR) -> float:
        value: float = result("pooling", kind="stochastic", input=input, seed=seed).numbers["output"][0][0]
        return value

    assert [draw(seed) for seed in range(20)] == [draw(seed) for seed in range(20)]
    counts = Counter(draw(seed) for seed in range(600))
    for value in (1, 2, 3, 4):  # four standard deviations
        share = value / 10
        assert counts[value] / 600 == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 600))
    assert {draw(seed, [[0, -3], [2, -1]]) for seed in range(30)} == {2}
    assert {draw(seed, [[0, -3], [-2, -1]]) for seed in range(60)} == {0, -3, -2, -1}, "evenly where none is above 0"


def test_the_mean_gradient_over_the_draws_is_not_that_of_the_mean_output() -> None:
    found = result("pooling", kind="stochastic", input=FOUR)
    assert found.numbers["expected_output"] == [[pytest.approx(3)]]  # (1 + 4 + 9 + 16) / 10
    assert flat(found.numbers["mean_gradient"]) == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert flat(found.numbers["expected_gradient"]) == pytest.approx([(2 * a - 3) / 10 for a in (1, 2, 3, 4)])
    assert verdicts(found)["expected"] == "fails"


# Findings


@pytest.mark.parametrize(
    ("kind", "verdict", "kept"),
    [("max", "holds", "holds"), ("average", "fails", "holds"), ("soft", "fails", "holds"), ("lp", "fails", "fails")],
)
def test_who_gets_the_gradient_and_whether_all_of_it(kind: str, verdict: str, kept: str) -> None:
    found = verdicts(result("pooling", kind=kind, input=drawn(4, 4, 1)))
    assert (found["largest"], found["kept"]) == (verdict, kept)


def test_padding_takes_its_part_of_an_average() -> None:
    found = result("pooling", kind="average", input=drawn(4, 4, 1), kernel=2, padding=1)
    assert verdicts(found)["kept"] == "fails"
    assert found.numbers["gradient_sum"] == pytest.approx(4)  # 9 windows, 16 inputs, a quarter each
    assert found.numbers["upstream_sum"] == 9


def test_windows_that_overlap_add() -> None:
    asked: dict[str, Any] = {"input": [[1, 0, 2, 1, 0], [2, 3, 1, 0, 2], [0, 1, 9, 2, 1], [1, 2, 0, 3, 1],
                                       [2, 0, 1, 1, 4]], "kernel": 3, "stride": 1}  # fmt: skip
    found = result("pooling", kind="max", **asked)
    assert found.numbers["input_gradient"][2][2] == 9
    (added,) = (finding for finding in found.findings if finding.id == "added")
    assert (added.verdict, added.numbers["uses"], added.numbers["sum"]) == ("holds", 9, 9)
    assert verdicts(found)["averaged"] == "fails"
    apart = result("pooling", kind="max", input=drawn(4, 4, 0))
    assert "added" not in verdicts(apart)


# Figures


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_windows_add_sums_up_to_the_gradient(kind: str) -> None:
    found = result("pooling", kind=kind, input=drawn(5, 4, 2), kernel=2, stride=1, padding=1)
    data = figure(found, "windows")
    shown = shown_after(data, "input_gradient", len(data.steps) - 1)
    assert shown == [pytest.approx(row, abs=1e-12) for row in found.numbers["input_gradient"]]


def test_all_kinds_stand_beside_each_other() -> None:
    table = figure(result("pooling", input=FOUR), "kinds")
    rows = {row[0]: row[1:] for row in table.rows}
    assert set(rows) == set(KINDS)
    assert rows["max"] == [4, 1, 1, 1]
    assert rows["average"] == rows["global"] == [2.5, 4, 0.25, 1]
    assert rows["soft"][0] == pytest.approx(3.49265, abs=5e-6)


def test_the_first_update_has_the_windows() -> None:
    first, last = updates("pooling")
    assert [one.id for one in first.figures] == ["windows"]
    assert [one.id for one in last.figures] == ["windows", "kinds", "check"]


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ({"kernel": 3}, "parameters.kernel", "a window of 3 is larger than the input; its shorter side has 2"),
        ({"input": [[1, 2, 3], [1, 2, 3]], "kernel": 3}, "parameters.kernel", "its shorter side has 2"),
        ({"input": [[1]]}, "parameters.kernel", "its shorter side has 1"),
        ({"kernel": 17}, "parameters.kernel", "16"),
        ({"padding": 2}, "parameters.padding", "at most half the kernel, 1"),
        ({"stride": 0}, "parameters.stride", "1"),
        ({"stride": "none"}, "parameters.stride", "kernel"),
        ({"p": 0.5}, "parameters.p", "greater than or equal to 1"),
        ({"upstream": [[1, 1]]}, "parameters.upstream", "the output has 1 × 1 numbers, got 1 × 2"),
        ({"input": [[1], [1, 2]]}, "parameters.input", "as many numbers"),
        ({"kind": "mean"}, "parameters.kind", "'max'"),
    ],
)
def test_what_does_not_fit_is_refused(asked: Any, field: str, words: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        checked_parameters(experiments()["pooling"], asked)
    assert any(fault["field"].startswith(field) for fault in refused.value.errors)
    assert words in refused.value.detail


def test_a_feature_map_of_sixteen_by_sixteen_is_answered() -> None:
    for kind in KINDS:
        found = result("pooling", kind=kind, input=drawn(16, 16, 9), kernel=3, stride=2, padding=1)
        assert len(found.numbers["input_gradient"]) == 16
        assert sum(len(one.data.model_dump_json()) for one in found.figures) < 2**20
