"""Translates a tape to a graph of OpenVINO operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import (  # noqa: F401 (they fill the table)
    translated_convolutions,
    translated_pointwise,
    translated_shapes,
    translated_windows,
)
from .runtime import op, ov
from .simplification import simplified
from .tape import Tape, TapeOperation, Unsupported, Value
from .translation import TRANSLATORS, collected_weights, is_broadcast

ELEMENTWISE = ("Add", "Subtract", "Multiply", "Divide", "Select")


def graph_of(tape: Tape) -> tuple[ov.Model, list[np.ndarray]]:
    """The OpenVINO model of a tape, and the weights that follow the tape's inputs as inputs of the model: they are read
    in place, so none must be written to. Raises `Unsupported` for an unknown operation or an unknown form of one."""
    tape = simplified(tape)
    parameters = [op.parameter(list(value.shape), np.float32) for value in tape.inputs]
    nodes: dict[int, Any] = {v.number: p.output(0) for v, p in zip(tape.inputs, parameters, strict=True)}
    with collected_weights() as weights:
        for operation in tape.operations:
            results = _translate(operation, nodes)
            for value, result in zip(operation.results, results, strict=False):
                if value is not None:
                    nodes[value.number] = result.output(0) if isinstance(result, ov.Node) else result
                    _name(nodes[value.number], operation, value)
    outputs = [op.result(nodes[value.number]) for value in tape.outputs]
    model = ov.Model(outputs, [*parameters, *(parameter for parameter, _ in weights.in_place)], "gradient")
    _broadcast_late(model)
    return model, [values for _, values in weights.in_place]


def _broadcast_late(model: ov.Model) -> None:
    """Elementwise operations read what a broadcast repeats: they repeat it by themselves, and no copies are written."""
    for repeated in model.get_ordered_ops():
        if not is_broadcast(repeated.output(0)) or len(repeated.input_value(0).get_shape()) != len(repeated.shape):
            continue
        for reader in repeated.output(0).get_target_inputs():
            operation = reader.get_node()
            others = [i for i in range(operation.get_input_size()) if i != reader.get_index()]
            full = any(operation.input_value(i).get_shape() == repeated.shape for i in others)
            if operation.get_type_name() in ELEMENTWISE and full:
                reader.replace_source_output(repeated.input_value(0))


def _name(output: ov.Output | None, operation: TapeOperation, value: Value) -> None:
    """Name the node that makes a value; None is what inference has not, such as a batch's own mean."""
    if output is not None and " " not in output.get_node().get_friendly_name():  # else it only passes a value on
        output.get_node().set_friendly_name(name_of(operation, value))


def name_of(operation: TapeOperation, value: Value) -> str:
    """The name of the node that makes a value, such as `relu_.default 12`: the operation, and the value's number."""
    return f"{operation.name.removeprefix('aten.')} {value.number}"


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
