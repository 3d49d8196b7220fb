"""The grids of a pooling: its windows, and its gradient in several ways."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ....contract.experiments import Cells, Grid, GridGroup, GridsData, GridStep
from ...experiment import Figure
from ...wording import number_text
from . import PoolingParameters
from .kinds import Formula, Pooled

LISTED = 9
"""Numbers of a window that a sentence lists."""


def windows_figure(
    parameters: PoolingParameters, pooled: Pooled, said: Formula, upstream: Tensor, gradient: Tensor
) -> Figure:
    """Forward, and what each window sends back."""
    border = max(pooled.windows.padding)
    counted = parameters.kind in ("average", "lp")
    forward = [
        Grid(
            id="input", values=[list(row) for row in parameters.input], parameter="input", border=border,
            outside="0" if counted else "",
        ),
        Grid(id="output", values=pooled.grid(said.output).tolist()),
    ]  # fmt: skip
    backward = [
        Grid(id="upstream", values=upstream.tolist(), parameter="upstream"),
        Grid(id="input_gradient", values=gradient.tolist(), sums=True),
    ]
    steps = [GridStep(id="start", numbers={"windows": len(said.output)})]
    steps += [_step(parameters, pooled, said, upstream, index) for index in range(len(said.output))]
    groups = [GridGroup(id="forward", grids=forward), GridGroup(id="backward", grids=backward)]
    return Figure("windows", GridsData(groups=groups, steps=steps))


def _step(parameters: PoolingParameters, pooled: Pooled, said: Formula, upstream: Tensor, index: int) -> GridStep:
    row, column = divmod(index, pooled.windows.output[1])
    rows, columns = pooled.rows[index], pooled.columns[index]
    inside, arrives = pooled.inside[index], float(upstream[row, column])
    slopes = said.slopes[index]
    shape = len(rows), len(columns)
    down = [place for place, at in enumerate(rows) if 0 <= at < pooled.size[0]]
    across = [place for place, at in enumerate(columns) if 0 <= at < pooled.size[1]]
    added = (arrives * slopes).reshape(shape)[down][:, across].tolist()
    one = {"rows": [row], "columns": [column]}
    cells = [
        Cells(grid="input", rows=rows, columns=columns),
        Cells(grid="output", **one),
        Cells(grid="upstream", **one),
        Cells(
            grid="input_gradient", rows=[rows[place] for place in down], columns=[columns[place] for place in across],
            added=added,
        ),
    ]  # fmt: skip
    numbers: dict[str, float | int | str | None] = {
        "number": index + 1, "windows": len(said.output), "output": float(said.output[index]), "upstream": arrives,
        "values": _listed(pooled.values[index][inside]), "shares": _listed(arrives * slopes[inside]),
    }  # fmt: skip
    if said.weights is not None:
        numbers["weights"] = _listed(said.weights[index][inside])
    return GridStep(id=f"window_{parameters.kind}", numbers=numbers, cells=cells)


def _listed(values: Tensor) -> str:
    """Three digits each, as far as they fit into a sentence."""
    texts = [number_text(float(f"{value:.3g}")) for value in values.tolist()[:LISTED]]
    return ", ".join(texts) + (", …" if values.numel() > LISTED else "")


def check_figure(gradient: Tensor, checked: dict[str, Any]) -> Figure:
    """The formula's gradient beside autograd's and the central differences; for SoftPool the shortcut too."""
    grids = [
        Grid(id="formula", values=gradient.tolist()),
        Grid(id="autograd", values=checked["autograd_gradient"]),
        Grid(id="quotient", values=checked["quotient"]),
    ]
    if "shortcut_gradient" in checked:
        grids.append(Grid(id="shortcut", values=checked["shortcut_gradient"]))
    if "expected_gradient" in checked:
        grids += [
            Grid(id="mean", values=checked["mean_gradient"]), Grid(id="expected", values=checked["expected_gradient"])
        ]  # fmt: skip
    return Figure("check", GridsData(groups=[GridGroup(id="check", grids=grids)]))
