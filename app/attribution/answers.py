"""What a network answers with: its parts, and their shapes in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from torch import Tensor

MAX_TOLD = 8  # parts of an answer that a message lists
DEPTH = 2  # how deep parts in parts are listed


def parts_of(answer: object) -> dict[str, object] | None:
    """The parts of an answer by name, or by place where they have none; None where it is a tensor."""
    if isinstance(answer, Mapping):
        return {str(name): part for name, part in answer.items()}
    if isinstance(answer, tuple) and hasattr(answer, "_asdict"):
        return dict(answer._asdict())
    if isinstance(answer, (tuple, list)):
        return {str(place): part for place, part in enumerate(answer)}
    if dataclasses.is_dataclass(answer) and not isinstance(answer, type):
        return {field.name: getattr(answer, field.name) for field in dataclasses.fields(answer)}
    if not isinstance(answer, Tensor) and isinstance(getattr(answer, "logits", None), Tensor):
        return {"logits": answer.logits}  # type: ignore[attr-defined]
    return None


def shape_of(values: object) -> str:
    """The shape of a tensor, with its kind where it is none of floats; else the type."""
    if not isinstance(values, Tensor):
        return type(values).__name__
    kind = "" if values.is_floating_point() else f"{str(values.dtype).removeprefix('torch.')} "
    return f"{kind}{tuple(values.shape)}"


def described(answer: object, depth: int = DEPTH) -> str:
    """An answer in words, with the parts of its parts: `0: {boxes: (5, 4), labels: int64 (5,)}`."""
    parts = parts_of(answer) if depth else None
    if parts is None:
        return shape_of(answer)
    told = [f"{name}: {_in_braces(part, depth - 1)}" for name, part in list(parts.items())[:MAX_TOLD]]
    return ", ".join(told + ["…"] * (len(parts) > MAX_TOLD)) or "nothing"


def _in_braces(part: object, depth: int) -> str:
    told = described(part, depth)
    return told if isinstance(part, Tensor) or parts_of(part) is None or not depth else f"{{{told}}}"
