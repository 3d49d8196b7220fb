"""Convolution against loops written by hand, PyTorch's own gradients and known values."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
import torch
from gradoscope.contract.experiments import GridsData
from gradoscope.contract.problems import Unprocessable
from gradoscope.lab.arguments import checked_parameters
from gradoscope.lab.experiments.convolution import ConvolutionParameters
from gradoscope.lab.registry import experiments

from tests.support.grids import shown_after
from tests.support.lab import figure, result, updates, verdicts

Grid = list[list[float]]


def drawn(rows: int, columns: int, seed: int) -> Grid:
    generator = random.Random(seed)
    return [[round(generator.uniform(-3, 3), 2) for _ in range(columns)] for _ in range(rows)]


def by_hand(x: Grid, w: Grid, stride: int, padding: int, dilation: int, bias: float, g: Any) -> tuple[Any, ...]:
    """Output and gradients, one product after the other; `g(i, j)` is what arrives at an output."""
    rows = (len(x) + 2 * padding - dilation * (len(w) - 1) - 1) // stride + 1
    columns = (len(x[0]) + 2 * padding - dilation * (len(w[0]) - 1) - 1) // stride + 1
    y = [[bias] * columns for _ in range(rows)]
    dx = [[0.0] * len(x[0]) for _ in x]
    dw = [[0.0] * len(w[0]) for _ in w]
    for i, j, u, v in itertools.product(range(rows), range(columns), range(len(w)), range(len(w[0]))):
        m, n = i * stride + u * dilation - padding, j * stride + v * dilation - padding
        if 0 <= m < len(x) and 0 <= n < len(x[0]):
            y[i][j] += w[u][v] * x[m][n]
            dx[m][n] += g(i, j) * w[u][v]
            dw[u][v] += g(i, j) * x[m][n]
    return y, dx, dw, sum(g(i, j) for i in range(rows) for j in range(columns))


SETTINGS = [
    (size, kernel, stride, padding, dilation)
    for size, kernel, stride, padding, dilation in itertools.product(
        ((5, 5), (7, 4), (1, 6)), ((1, 1), (2, 2), (3, 2), (1, 3)), (1, 2, 3), (0, 1, 3), (1, 2)
    )
    if all(n + 2 * padding >= dilation * (k - 1) + 1 for n, k in zip(size, kernel, strict=True))
]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_every_setting_is_what_loops_and_autograd_give(setting: Any) -> None:
    (rows, columns), (height, width), stride, padding, dilation = setting
    x, w = drawn(rows, columns, 1), drawn(height, width, 2)
    settings = {"stride": stride, "padding": padding, "dilation": dilation}
    down, across = ConvolutionParameters(input=x, kernel=w, **settings).output_size
    g = drawn(down, across, 3)
    found = result("convolution", input=x, kernel=w, bias=0.25, upstream=g, **settings).numbers
    y, dx, dw, db = by_hand(x, w, stride, padding, dilation, 0.25, lambda i, j: g[i][j])
    for name, expected in (("output", y), ("input_gradient", dx), ("kernel_gradient", dw)):
        assert found[name] == [pytest.approx(row, abs=1e-12) for row in expected], name
    assert found["bias_gradient"] == pytest.approx(db, abs=1e-12)
    for name in ("autograd_difference", "turned_difference", "kernel_by_input_difference"):
        assert found[name] < 1e-12, name


def test_the_known_values() -> None:
    found = result("convolution").numbers
    assert found["input_gradient"] == [[1, 3, 2], [4, 10, 6], [3, 7, 4]]
    assert found["bias_gradient"] == 4
    assert found["uses"] == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    other = result("convolution", input=[[7, -1, 0.5], [2, 2, 2], [0, 1, 9]], kernel=[[1, 2], [3, 4]],
                   upstream=[[1, 1], [1, 1]]).numbers  # fmt: skip
    assert other["input_gradient"] == found["input_gradient"], "it does not depend on the input"


def test_the_turned_kernel_with_a_stride_only_after_zeros() -> None:
    one = result("convolution")
    assert verdicts(one)["turned"] == "holds"
    assert one.numbers["unturned_difference"] == pytest.approx(4 / 10)  # [[4, 7, 3], [6, 10, 4], [2, 3, 1]] instead
    two = result("convolution", input=drawn(5, 5, 0), stride=2)
    assert verdicts(two)["turned"] == "depends"
    (said,) = (finding for finding in two.findings if finding.id == "turned")
    assert (said.numbers["zeros"], said.numbers["rows"], said.numbers["height"]) == (1, 3, 5)
    assert verdicts(result("convolution", stride=2))["turned"] == "holds", "one output has nothing between"
    even = result("convolution", kernel=[[1, 1], [1, 1]])
    assert even.numbers["unturned_difference"] == 0


def test_what_comes_back_is_added_not_averaged() -> None:
    found = result("convolution")
    assert verdicts(found)["added"] == "holds"
    assert verdicts(found)["averaged"] == "fails"
    (added,) = (finding for finding in found.findings if finding.id == "added")
    assert (added.numbers["uses"], added.numbers["sum"]) == (4, 10)
    apart = result("convolution", input=drawn(4, 4, 0), stride=2)
    assert "added" not in verdicts(apart), "no value is used twice"


@pytest.mark.parametrize("asked", [{}, {"padding": 2}, {"stride": 2, "padding": 1, "input": drawn(4, 5, 0)},
                                   {"dilation": 2, "kernel": drawn(2, 2, 1)}], ids=str)  # fmt: skip
def test_what_the_windows_add_sums_up_to_the_gradients(asked: Any) -> None:
    found = result("convolution", **asked)
    numbers, data = found.numbers, figure(found, "windows")
    assert isinstance(data, GridsData)
    assert len(data.steps) == 1 + numbers["windows"]
    for name in ("input_gradient", "kernel_gradient"):
        shown = shown_after(data, name, len(data.steps) - 1)
        assert shown == [pytest.approx(row, abs=1e-12) for row in numbers[name]], name
        assert all(value == 0 for row in shown_after(data, name, 0) for value in row)
    assert shown_after(data, "bias_gradient", len(data.steps) - 1) == [[numbers["bias_gradient"]]]
    backward = figure(found, "backward")
    shown = shown_after(backward, "turned_gradient", len(backward.steps) - 1)
    assert shown == [pytest.approx(row, abs=1e-12) for row in numbers["input_gradient"]]


def test_a_window_marks_what_it_reads() -> None:
    data = figure(result("convolution", padding=1, dilation=2, input=drawn(4, 4, 0), kernel=drawn(2, 2, 1)), "windows")
    cells = {one.grid: one for one in data.steps[1].cells}
    assert (cells["input"].rows, cells["input"].columns) == ([-1, 1], [-1, 1])
    assert (cells["input_gradient"].rows, cells["input_gradient"].columns) == ([1], [1])
    grid = data.groups[0].grids[0]
    assert (grid.border, grid.outside, grid.parameter) == (1, "0", "input")


def test_the_zeros_between_are_shown() -> None:
    grids = figure(result("convolution", input=drawn(5, 5, 0), stride=2), "backward").groups[0].grids
    assert grids[0].values == [[1, 0, 1], [0, 0, 0], [1, 0, 1]]
    assert grids[1].values == [[4, 3], [2, 1]]


def test_sentences_list_their_products() -> None:
    data = figure(result("convolution"), "windows")
    assert data.steps[1].numbers["terms"] == "1·1 + 2·2 + 4·1"  # the product with 0 is left out
    assert data.steps[1].numbers["output"] == 9
    backward = figure(result("convolution"), "backward")
    assert backward.steps[5].numbers["terms"] == "4·1 + 3·1 + 2·1 + 1·1"
    assert backward.steps[5].numbers["value"] == 10


def test_the_first_update_has_the_windows() -> None:
    first, last = updates("convolution")
    assert [one.id for one in first.figures] == ["windows"]
    assert [one.id for one in last.figures] == ["windows", "backward", "check"]


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ({"kernel": [[1] * 8]}, "parameters.kernel.0", "at most 7"),
        ({"input": [[1] * 17]}, "parameters.input.0", "at most 16"),
        ({"input": [[1, 2], [3]]}, "parameters.input", "rows of 1 and of 2"),
        ({"input": []}, "parameters.input", "at least 1"),
        ({"input": [[1]], "kernel": [[1, 2]]}, "parameters.dilation", "the kernel spans 2 columns"),
        ({"dilation": 4}, "parameters.dilation", "the kernel spans 5 rows, the input with its padding has 3"),
        ({"upstream": [[1, 2, 3]]}, "parameters.upstream", "the output has 2 × 2 numbers, got 1 × 3"),
        ({"input": [["x"]]}, "parameters.input.0.0", "number"),
        ({"stride": 0}, "parameters.stride", "greater than or equal to 1"),
    ],
)
def test_what_does_not_fit_is_refused(asked: Any, field: str, words: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        checked_parameters(experiments()["convolution"], asked)
    assert field in [fault["field"] for fault in refused.value.errors]
    assert words in refused.value.detail


def test_a_plain_list_is_one_row() -> None:
    found = result("convolution", input=[1, 2, 3, 4], kernel=[1, -1]).numbers
    assert found["output"] == [[-1, -1, -1]]
    assert found["input_gradient"] == [[1, 0, 0, -1]]


def test_the_largest_grids_are_quick_to_send() -> None:
    """2 MiB of JSON at most, also with as many windows as there can be."""
    asked: dict[str, Any] = {"input": drawn(16, 16, 0), "kernel": drawn(7, 7, 1), "padding": 6}
    found = result("convolution", **asked)
    size = sum(len(one.data.model_dump_json()) for one in found.figures)
    assert size < 2 * 2**20
    assert torch.tensor(found.numbers["input_gradient"]).shape == (16, 16)
