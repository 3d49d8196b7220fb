"""Which part of a network's answer are the logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .answers import parts_of, shape_of
from .scalar_output import ScalarOutput

# A part of the answer by its name or place, or a function that takes the answer and returns the logits; or a score in
# place of logits.
Output = str | int | Callable[[Any], Any] | ScalarOutput


class NoLogits(ValueError):
    """A network's answer has no logits, (N, classes), in it, or not where it was said that they are."""


@dataclass(frozen=True)
class Logits:
    """Logits, (N, classes), and the name of the part that they are; None where the answer has one part only.

    `candidates` are the parts that could be logits too, each with its number of columns. It holds more than one only
    where neither the caller nor the part's name says which one is meant.
    """

    values: Tensor
    part: str | None = None
    candidates: tuple[tuple[str, int], ...] = ()


def logits_in(answer: object, count: int, output: Output | None = None) -> Logits:
    """The logits in what a network answers for `count` pictures.

    By `output` where it is given. Else the answer itself; or the part called `logits`; or the first part that has a row
    for each picture (of several outputs, as of detectors or networks with auxiliary heads). A network of one class may
    answer with (N,), and one that drops a batch of one with (classes,). A score in place of logits is (N, 1). Raises
    `NoLogits`, or `ScoreFailed` for such a score.
    """
    if isinstance(output, ScalarOutput):
        return Logits(output(answer, count), output.name)
    if output is not None:
        found = _chosen(answer, output)
        rows = rows_of(found, count)
        if rows is None:
            raise NoLogits(
                f"output: «{_name(output)}» is {shape_of(found)}, and no logits (N, classes) of {count} picture"
            )
        return Logits(rows, _name(output))
    parts = parts_of(answer)
    if parts is None:
        rows = rows_of(answer, count)
        if rows is None:
            raise NoLogits(f"the network must answer with logits of shape (N, classes), not {shape_of(answer)}")
        return Logits(rows)
    known = {name: rows for name, part in parts.items() if (rows := rows_of(part, count)) is not None}
    if "logits" in known:
        return Logits(known["logits"], "logits")
    # those of (N, classes) as they are, if there are any
    tables = {name: rows for name, rows in known.items() if getattr(parts[name], "ndim", 0) == 2} or known
    if not tables:
        shapes = ", ".join(f"{name}: {shape_of(part)}" for name, part in parts.items()) or "nothing"
        raise NoLogits(f"none of the network's outputs are logits of shape (N, classes): {shapes}")
    first = next(iter(tables))
    return Logits(tables[first], first, tuple((name, rows.shape[1]) for name, rows in tables.items()))


def rows_of(values: object, count: int) -> Tensor | None:
    """`values` as (count, classes), where they are floats with a row for each picture; else None. They may be
    (count, classes, 1, 1), as of a network without a last `flatten`."""
    if not isinstance(values, Tensor) or not values.is_floating_point():
        return None
    if values.ndim == 4 and values.shape[2:] == (1, 1):
        values = values.flatten(1)
    if values.ndim < 2 and count == 1:
        return values.reshape(1, -1) if values.numel() else None
    if values.ndim == 1:
        values = values[:, None]
    return values if values.ndim == 2 and len(values) == count and values.shape[1] else None


def _chosen(answer: object, output: str | int | Callable[[Any], Any]) -> object:
    """The part of an answer that `output` names. Raises `NoLogits`."""
    if callable(output):
        try:
            return output(answer)
        except (LookupError, TypeError, AttributeError) as error:
            raise NoLogits(
                f"output: «{_name(output)}» fails on the network's answer ({type(error).__name__}: {error})"
            ) from error
    parts = parts_of(answer) or {}
    if isinstance(output, int):
        names = list(parts)
        if -len(names) <= output < len(names):
            return parts[names[output]]
    elif output in parts:
        return parts[output]
    elif hasattr(answer, output):
        return getattr(answer, output)
    known = ", ".join(f"{name}: {shape_of(part)}" for name, part in parts.items()) or f"one alone, {shape_of(answer)}"
    raise NoLogits(f"output: the network has no output «{output}»; it has {known}")


def _name(output: str | int | Callable[[Any], Any]) -> str:
    return getattr(output, "__name__", "the function given") if callable(output) else str(output)
