"""Forward values, then gradients edge by edge, in float64; checked against autograd and against differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from ....contract.experiments import Axis, ExperimentFinding, GraphData, LinesData, Node, Series, TableData, finite
from ...experiment import Figure, Update
from . import GraphParameters
from .expression import Operation, Parsed, parse

STEP = 1e-6  # of central differences, relative to the value where that is above 1
INPUTS = tuple(2**power for power in range(11))  # of the figure of costs
ENOUGH = 1e-9  # relative difference from autograd, in float64

FORWARD: dict[str, Callable[..., Tensor]] = {
    "+": torch.add,
    "-": torch.sub,
    "*": torch.mul,
    "/": torch.div,
    "**": torch.pow,
    "negative": torch.neg,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "max": torch.maximum,
    "min": torch.minimum,
}
# ∂result/∂input of each operation, for inputs `a`, `b` and the result `r`; of equals, max and min give half to each
LOCAL: dict[str, Callable[..., tuple[Tensor, ...]]] = {
    "+": lambda a, b, r: (torch.ones_like(r), torch.ones_like(r)),
    "-": lambda a, b, r: (torch.ones_like(r), -torch.ones_like(r)),
    "*": lambda a, b, r: (b, a),
    "/": lambda a, b, r: (1 / b, -a / b**2),
    "**": lambda a, b, r: (torch.where(b == 0, 0 * b, b * a ** (b - 1)), torch.where(a == 0, 0 * a, r * a.log())),
    "negative": lambda a, r: (-torch.ones_like(r),),
    "exp": lambda a, r: (r,),
    "log": lambda a, r: (1 / a,),
    "sqrt": lambda a, r: (0.5 / r,),
    "sin": lambda a, r: (a.cos(),),
    "cos": lambda a, r: (-a.sin(),),
    "tanh": lambda a, r: (1 - r**2,),
    "sigmoid": lambda a, r: (r * (1 - r),),
    "relu": lambda a, r: ((a > 0).to(a.dtype),),
    "max": lambda a, b, r: _shares_of_extremum(a, b, a > b),
    "min": lambda a, b, r: _shares_of_extremum(a, b, a < b),
}


def _shares_of_extremum(a: Tensor, b: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
    share = torch.where(a == b, torch.full_like(a, 0.5), first.to(a.dtype))
    return share, 1 - share


def run(parameters: GraphParameters, seed: int) -> Iterator[Update]:
    """One update has all. Nothing is drawn: the seed changes nothing."""
    parsed = parse(parameters.expression)
    given = {name: parameters.values[name] for name in parsed.names}
    values = forward(parsed, [torch.tensor(value, dtype=torch.float64) for value in given.values()])
    shares = local_derivatives(parsed, values)
    received, sent = backward(parsed, shares)
    paths = {name: list(_paths(parsed, shares, place)) for name, place in parsed.place_of_name.items()}
    gradients = {name: received[place] for name, place in parsed.place_of_name.items()}
    reference = autograd(parsed, list(given.values()))
    quotients = {name: difference_quotient(parsed, list(given.values()), number) for number, name in enumerate(given)}
    scale = max(1.0, *(abs(value) for value in reference)) if reference else 1.0
    gap = max((abs(a - b) for a, b in zip(gradients.values(), reference, strict=True)), default=0.0) / scale
    unused = dict.fromkeys((name for name in parameters.values if name not in given), 0.0)
    yield Update(
        1,
        1,
        figures=(
            Figure("graph", _graph(parsed, values, received, sent)),
            Figure("gradients", _gradients(given, gradients, reference, quotients)),
            Figure("paths", _path_table(paths)),
            Figure("cost", costs()),
        ),
        numbers={
            "value": finite(float(values[-1])),
            "gradients": {name: finite(value) for name, value in gradients.items()} | unused,
            "operations": parsed.operations,
            "paths": {name: [finite(product) for _, product in found] for name, found in paths.items()},
            "difference_quotients": {name: finite(value) for name, value in quotients.items()},
            "autograd_difference": finite(gap),
        },
        findings=tuple(_findings(float(values[-1]), gap, gradients, paths, quotients)),
    )


def forward(parsed: Parsed, given: Sequence[Tensor]) -> list[Tensor]:
    """The value of each step; `given` are those of the names, in their order."""
    values: list[Tensor] = []
    for step in parsed.steps:
        if step.kind == "name":
            values.append(given[parsed.place_of_name[step.text]])
        elif step.kind == "number":
            values.append(torch.tensor(step.number, dtype=torch.float64))
        else:
            values.append(FORWARD[step.kind](*(values[place] for place in step.inputs)))
    return values


def local_derivatives(parsed: Parsed, values: Sequence[Tensor]) -> list[tuple[float | None, ...]]:
    """Of each step, its derivative by each input; None for an input that is a number: nothing is sent back to it."""
    found: list[tuple[float | None, ...]] = []
    for step, result in zip(parsed.steps, values, strict=True):
        derivatives = LOCAL[step.kind](*(values[place] for place in step.inputs), result) if step.inputs else ()
        found.append(
            tuple(
                None if parsed.steps[place].kind == "number" else float(value)
                for place, value in zip(step.inputs, derivatives, strict=True)
            )
        )
    return found


def backward(
    parsed: Parsed, derivatives: Sequence[tuple[float | None, ...]]
) -> tuple[list[float], list[list[float | None]]]:
    """What arrives at each step, and what each sends to each of its inputs. What arrives at one from several is
    **added**."""
    received = [0.0] * len(parsed.steps)
    received[-1] = 1.0
    sent: list[list[float | None]] = [[] for _ in parsed.steps]
    for place in range(len(parsed.steps) - 1, -1, -1):
        for number, derivative in zip(parsed.steps[place].inputs, derivatives[place], strict=True):
            share = None if derivative is None else received[place] * derivative
            sent[place].append(share)
            received[number] += share or 0.0
    return received, sent


def _paths(
    parsed: Parsed, derivatives: Sequence[tuple[float | None, ...]], target: int
) -> Iterator[tuple[tuple[Operation, ...], float]]:
    """Every way from the result back to a step, with the product of the derivatives along it. Only names are used more
    than once, so there are as many as the name stands in the text."""
    waiting: list[tuple[int, tuple[Operation, ...], float]] = [(len(parsed.steps) - 1, (), 1.0)]
    while waiting:
        place, way, product = waiting.pop()
        step = parsed.steps[place]
        if place == target:
            yield (step, *way), product
        for number, derivative in reversed(list(zip(step.inputs, derivatives[place], strict=True))):
            if derivative is not None:
                waiting.append((number, (step, *way), product * derivative))


def autograd(parsed: Parsed, given: Sequence[float]) -> list[float]:
    """The same gradients, by PyTorch."""
    leaves = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in given]
    if not leaves:
        return []
    found = torch.autograd.grad(forward(parsed, leaves)[-1], leaves)
    return [float(one) for one in found]


def difference_quotient(parsed: Parsed, given: Sequence[float], number: int) -> float:
    """(f(x + h) − f(x − h)) / 2h of one name."""
    h = STEP * max(1.0, abs(given[number]))
    ends = []
    for sign in (1, -1):
        moved = [value + (sign * h if place == number else 0.0) for place, value in enumerate(given)]
        ends.append(float(forward(parsed, [torch.tensor(value, dtype=torch.float64) for value in moved])[-1]))
    return (ends[0] - ends[1]) / (2 * h)


def _graph(
    parsed: Parsed, values: Sequence[Tensor], received: Sequence[float], sent: Sequence[Sequence[float | None]]
) -> GraphData:
    return GraphData(
        nodes=[
            Node(
                id=f"n{place}",
                title=step.text if not step.inputs else _sign(step),
                value=float(values[place]),
                gradient=None if step.kind == "number" else received[place],
                inputs=[f"n{number}" for number in step.inputs],
                shares=list(sent[place]),
            )
            for place, step in enumerate(parsed.steps)
        ]
    )


def _sign(step: Operation) -> str:
    return {"*": "×", "/": "÷", "-": "−", "negative": "−", "**": "^"}.get(step.kind, step.kind)


def _gradients(
    given: dict[str, float], gradients: dict[str, float], reference: Sequence[float], quotients: dict[str, float]
) -> TableData:
    return TableData(
        columns=["name", "value", "gradient", "autograd", "quotient"],
        rows=[
            [name, value, finite(gradients[name]), finite(exact), finite(quotients[name])]
            for (name, value), exact in zip(given.items(), reference, strict=True)
        ],
    )


def _path_table(paths: dict[str, list[tuple[tuple[Operation, ...], float]]]) -> TableData:
    return TableData(
        columns=["name", "path", "product"],
        rows=[
            [name, " → ".join(step.text for step in way), finite(product)]
            for name, found in paths.items()
            for way, product in found
        ],
    )


def costs() -> LinesData:
    """Operations for all n derivatives of tanh(w₁x₁) + … + tanh(wₙxₙ), in evaluations of the function, by counting: one
    for each step forward, one for each edge that a derivative goes along."""
    counted = {"reverse": [], "forward": [], "differences": []}  # type: dict[str, list[float | int | None]]
    for n in INPUTS:
        # n products with weights, n tanh, n - 1 sums; the weights are numbers, to which nothing is sent back
        steps, edges = 3 * n - 1, n + n + 2 * (n - 1)
        counted["reverse"].append((steps + edges) / steps)
        counted["forward"].append((steps + n * edges) / steps)
        counted["differences"].append(2 * n)
    return LinesData(
        x=Axis(id="inputs", scale="log"),
        y=Axis(id="evaluations", scale="log"),
        series=[Series(id=id, x=list(INPUTS), y=found) for id, found in counted.items()],
    )


def _findings(
    value: float,
    gap: float,
    gradients: dict[str, float],
    paths: dict[str, list[tuple[tuple[Operation, ...], float]]],
    quotients: dict[str, float],
) -> Iterator[ExperimentFinding]:
    if finite(value) is None or any(finite(one) is None for one in gradients.values()):
        yield ExperimentFinding(id="finite", verdict="fails", numbers={"value": finite(value)})
        return
    if gradients:
        yield ExperimentFinding(
            id="autograd", verdict="holds" if gap <= ENOUGH else "fails", numbers={"difference": gap}
        )
    name, found = max(paths.items(), key=lambda item: len(item[1]), default=("", []))
    if len(found) < 2:
        return
    total, mean = gradients[name], gradients[name] / len(found)
    numbers = {"name": name, "paths": len(found), "sum": total, "mean": mean, "quotient": quotients[name]}
    added = abs(total - sum(product for _, product in found)) <= ENOUGH * max(1.0, abs(total))
    yield ExperimentFinding(id="added", verdict="holds" if added else "fails", numbers=numbers)
    averaged = abs(quotients[name] - mean) < abs(quotients[name] - total)
    verdict = "depends" if total == 0 else "holds" if averaged else "fails"
    yield ExperimentFinding(id="averaged", verdict=verdict, numbers=numbers)
