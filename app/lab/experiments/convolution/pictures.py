"""The grids of a convolution: its windows, and the turned kernel going over what arrives."""

from __future__ import annotations

from torch import Tensor

from ....contract.experiments import Cells, Grid, GridGroup, GridsData, GridStep
from ...experiment import Figure
from ...wording import number_text
from .passes import Convolved, Gradients, Window

MOST_TERMS = 9
"""Products that a sentence lists."""


def windows_figure(convolved: Convolved, windows: list[Window], output: Tensor, gradients: Gradients) -> Figure:
    """Forward, and what each window adds to the gradients."""
    edge = convolved.padding
    forward = [
        Grid(id="input", values=convolved.input.tolist(), parameter="input", border=edge, outside="0"),
        Grid(id="kernel", values=convolved.kernel.tolist(), parameter="kernel"),
        Grid(id="output", values=output.tolist()),
    ]
    backward = [
        Grid(id="upstream", values=convolved.upstream.tolist(), parameter="upstream"),
        Grid(id="input_gradient", values=gradients.input.tolist(), sums=True),
        Grid(id="kernel_gradient", values=gradients.kernel.tolist(), sums=True),
        Grid(id="bias_gradient", values=[[float(gradients.bias)]], sums=True),
    ]
    steps = [GridStep(id="start", numbers={"windows": len(windows)})]
    for number, window in enumerate(windows, 1):
        steps.append(_step(convolved, window, number, len(windows), float(output[window.row, window.column])))
    groups = [GridGroup(id="forward", grids=forward), GridGroup(id="backward", grids=backward)]
    return Figure("windows", GridsData(groups=groups, steps=steps))


def _step(convolved: Convolved, window: Window, number: int, total: int, output: float) -> GridStep:
    rows, columns = convolved.input.shape
    down = [place for place, row in enumerate(window.rows) if 0 <= row < rows]
    across = [place for place, column in enumerate(window.columns) if 0 <= column < columns]
    sent = window.to_input(convolved.kernel)[down][:, across].tolist()
    one = {"rows": [window.row], "columns": [window.column]}
    whole = {"rows": list(range(len(window.rows))), "columns": list(range(len(window.columns)))}
    cells = [
        Cells(grid="input", rows=window.rows, columns=window.columns),
        Cells(grid="kernel", **whole),
        Cells(grid="output", **one),
        Cells(grid="upstream", **one),
        Cells(grid="kernel_gradient", **whole, added=window.to_kernel().tolist()),
        Cells(grid="bias_gradient", rows=[0], columns=[0], added=[[window.upstream]]),
    ]
    if down and across:  # a window may lie in the padding alone
        inside = {
            "rows": [window.rows[place] for place in down],
            "columns": [window.columns[place] for place in across],
        }
        cells.append(Cells(grid="input_gradient", **inside, added=sent))
    numbers: dict[str, float | int | str | None] = {
        "number": number, "windows": total, "row": window.row + 1, "column": window.column + 1, "output": output,
        "terms": products(convolved.kernel, window.reads), "bias": float(convolved.bias), "upstream": window.upstream,
    }  # fmt: skip
    return GridStep(id="window" if not convolved.bias else "window_bias", numbers=numbers, cells=cells)


def backward_figure(convolved: Convolved) -> Figure:
    """The turned kernel over ∂L/∂Y with zeros between and around, once for each input."""
    spaced, turned = convolved.spaced(), convolved.turned
    (height, width), (down, across) = convolved.input.shape, spaced.shape
    reach = [convolved.dilation * (side - 1) - convolved.padding for side in turned.shape]
    ends = [height + convolved.padding - down, width + convolved.padding - across]
    border = max(0, *reach, *ends)
    grids = [
        Grid(id="spaced", values=spaced.tolist(), border=border, outside="0"),
        Grid(id="turned_kernel", values=turned.tolist()),
        Grid(id="turned_gradient", values=convolved.by_kernel(turned).tolist(), sums=True),
    ]
    steps = [GridStep(id="turned_start", numbers={"zeros": convolved.stride - 1, "inputs": height * width})]
    for row in range(height):
        for column in range(width):
            steps.append(_turned_step(convolved, spaced, row, column))
    return Figure("backward", GridsData(groups=[GridGroup(id="turned", grids=grids)], steps=steps))


def _turned_step(convolved: Convolved, spaced: Tensor, row: int, column: int) -> GridStep:
    turned, dilation = convolved.turned, convolved.dilation
    (height, width), (down, across) = turned.shape, spaced.shape
    rows = [row + convolved.padding + dilation * (u - height + 1) for u in range(height)]
    columns = [column + convolved.padding + dilation * (v - width + 1) for v in range(width)]
    reads = turned.new_zeros(height, width)
    for u, at in enumerate(rows):
        for v, along in enumerate(columns):
            if 0 <= at < down and 0 <= along < across:
                reads[u, v] = spaced[at, along]
    value = float((turned * reads).sum())
    cells = [
        Cells(grid="spaced", rows=rows, columns=columns),
        Cells(grid="turned_kernel", rows=list(range(height)), columns=list(range(width))),
        Cells(grid="turned_gradient", rows=[row], columns=[column], added=[[value]]),
    ]
    numbers: dict[str, float | int | str | None] = {
        "row": row + 1, "column": column + 1, "terms": products(turned, reads), "value": value,
    }  # fmt: skip
    return GridStep(id="turned_window", numbers=numbers, cells=cells)


def products(weights: Tensor, values: Tensor) -> str:
    """w·x + …, without those where the second factor is 0; «0» where there are none."""
    pairs = zip(weights.flatten().tolist(), values.flatten().tolist(), strict=True)
    terms = [f"{_factor(weight)}·{_factor(value)}" for weight, value in pairs if value]
    listed = terms[:MOST_TERMS] + (["…"] if len(terms) > MOST_TERMS else [])
    return " + ".join(listed) or "0"


def _factor(value: float) -> str:
    text = number_text(value)
    return f"({text})" if value < 0 else text
