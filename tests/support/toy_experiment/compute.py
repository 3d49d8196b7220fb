"""What the toy computes, and what was closed."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gradoscope.contract.experiments import (
    Axis,
    BarsData,
    Cells,
    ContourData,
    ExperimentFinding,
    GraphData,
    Grid,
    GridGroup,
    GridsData,
    GridStep,
    HeatmapData,
    HistogramData,
    LinesData,
    MatrixData,
    Node,
    Series,
    TableData,
)
from gradoscope.lab.experiment import Figure, Update

from . import ToyParameters

closed: list[int] = []  # the steps at which runs have ended early


def run(parameters: ToyParameters, seed: int) -> Iterator[Update]:
    for step in range(1, parameters.steps + 1):
        if parameters.kind == "broken" and step == 2:
            raise RuntimeError("nothing works")
        line = Series(id="line", x=[1, 2], y=[float(seed), float(step)])
        try:
            yield Update(step, parameters.steps, (Figure("lines", _lines(line)),), {"step": step})
        except GeneratorExit:
            closed.append(step)
            raise
    bad = math.nan if parameters.kind == "not_finite" else 1.0
    finding = ExperimentFinding(id="seen", verdict="holds", numbers={"step": parameters.steps, "bad": bad})
    numbers = {"bad": bad, "list": [1.0, -bad * math.inf], "nested": {"bad": bad}}
    yield Update(parameters.steps, parameters.steps, others(bad), numbers, (finding,))


def _lines(line: Series) -> LinesData:
    return LinesData(x=Axis(id="step"), y=Axis(id="loss", scale="log"), series=[line])


def others(bad: float) -> tuple[Figure, ...]:
    """A figure of every other kind."""
    x, y = Axis(id="step"), Axis(id="loss")
    line = Series(id="line", x=[0, 1], y=[bad, 2.0], low=[0.5, 1.5], high=[1.5, 2.5])
    named = Series(id="other", title="As it was named", x=[0, 1], y=[1.0, 2.0], style="dashed")
    surface = {"columns": [0.0, 1.0], "rows": [0.0, 1.0, 2.0], "values": [[bad, 1.0], [2.0, 3.0], [4.0, 5.0]]}
    return (
        Figure("bars", BarsData(labels=["a", "line"], y=y, series=[line, named])),
        Figure("histogram", HistogramData(x=x, edges=[0, 1, 2], series=[Series(id="line", x=[], y=[3, 4])])),
        Figure("matrix", MatrixData(values=[[1, -2.5], [None, bad]], rows=["a", "b"], columns=["line", "d"])),
        Figure("heatmap", HeatmapData(x=x, y=y, signed=True, **surface)),
        Figure("contour", ContourData(x=x, y=y, scale="log", paths=[line], start="start", **surface)),
        Figure(
            "graph",
            GraphData(nodes=[Node(id="n0", title="x", value=bad), Node(id="n1", title="+", inputs=["n0"], shares=[1])]),
        ),
        Figure("table", TableData(columns=["line", "value"], rows=[["a", 1.0], ["b", None]])),
        Figure("grids", grids(bad)),
    )


def grids(bad: float) -> GridsData:
    """Two grids in a group, one in another, and two steps that add."""
    left, right = Grid(id="left", values=[[bad, 2.0]], border=1, outside="0"), Grid(id="right", values=[[3.0]])
    total = Grid(id="total", values=[[1.0, 2.0]], sums=True)
    steps = [
        GridStep(
            id="add", numbers={"value": value}, cells=[Cells(grid="total", rows=[0], columns=[at], added=[[value]])]
        )
        for at, value in enumerate((1.0, 2.0))
    ]
    return GridsData(
        groups=[GridGroup(id="first", grids=[left, right]), GridGroup(id="second", grids=[total])], steps=steps
    )
