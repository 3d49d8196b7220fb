"""Translates a tape to a graph of OpenVINO operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import translated_pointwise, translated_shapes, translated_windows  # noqa: F401 (they fill the table)
from .runtime import op, ov
from .tape import Tape, TapeOperation, Unsupported, Value
from .translation import TRANSLATORS, collected_weights


def graph_of(tape: Tape) -> tuple[ov.Model, list[np.ndarray]]:
    """The OpenVINO model of a tape, and the weights that follow the tape's inputs as inputs of the model: they are read
    in place, so none must be written to. Raises `Unsupported` for an unknown operation or an unknown form of one."""
    parameters = [op.parameter(list(value.shape), np.float32) for value in tape.inputs]
    nodes: dict[int, Any] = {v.number: p.output(0) for v, p in zip(tape.inputs, parameters, strict=True)}
    with collected_weights() as weights:
        for operation in tape.operations:
            results = _translate(operation, nodes)
            for value, result in zip(operation.results, results, strict=False):
                if value is not None:  # a result may be None if inference has none, such as a batch's own mean
                    nodes[value.number] = result.output(0) if isinstance(result, ov.Node) else result
    outputs = [op.result(nodes[value.number]) for value in tape.outputs]
    model = ov.Model(outputs, [*parameters, *(parameter for parameter, _ in weights.in_place)], "gradient")
    return model, [values for _, values in weights.in_place]


def _translate(operation: TapeOperation, nodes: dict[int, Any]) -> tuple[Any, ...]:
    translator = TRANSLATORS.get(operation.name.removeprefix("aten."))
    if translator is None:
        raise Unsupported(f"no translation of {operation.name}")

    def node_of(argument: Any) -> Any:
        if isinstance(argument, Value):
            return nodes[argument.number]
        if isinstance(argument, (list, tuple)):
            return type(argument)(node_of(item) for item in argument)
        return argument

    given = {name: node_of(value) for name, value in operation.kwargs.items()}
    results = translator(*map(node_of, operation.args), **given)
    return results if isinstance(results, tuple) else (results,)
