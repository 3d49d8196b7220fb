"""What a reader of a map should know, in words."""

from __future__ import annotations

from typing import Any

from ..attribution.methods.base import Method, Parameters
from ..contract.arrays import ScoreKind, Statistics
from ..contract.records import NoteBody
from .presentation import FALLBACK
from .texts import texts


def notes(method: Method[Any], parameters: Parameters, score: ScoreKind, statistics: Statistics) -> list[NoteBody]:
    """What is to be said of a finished map: nothing, but of one that is zero everywhere what this means, and what to
    do."""
    if statistics.min or statistics.max:
        return []
    codes = ["zero_probability"] if score != "logit" else []
    code = method.zero_note(parameters)
    if code != "zero" or not codes:
        codes.append(code)
    return [NoteBody(code=code, detail=texts(FALLBACK)[f"note.{code}"]) for code in codes]
