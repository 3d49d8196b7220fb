"""What a reader of a map should know, in words: of the map itself, and of the network that it explains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..attribution.behaviour import Behaviour
from ..attribution.methods.base import Method, Parameters
from ..contract.arrays import ScoreKind, Statistics
from ..contract.notes import NoteBody
from ..contract.wire import JsonObject
from .presentation import FALLBACK
from .texts import PLACEHOLDER, texts


def notes(method: Method[Any], parameters: Parameters, score: ScoreKind, statistics: Statistics) -> list[NoteBody]:
    """The notes of a finished map. Only a map that is zero everywhere has any: what this means, and what to do."""
    if statistics.min or statistics.max:
        return []
    codes = ["zero_probability"] if score != "logit" else []
    code = method.zero_note(parameters)
    if code != "zero" or not codes:  # "zero" is the general note; it adds nothing to the one about the probability
        codes.append(code)
    return [_note(code, {}) for code in codes]


def network_notes(behaviour: Behaviour) -> list[NoteBody]:
    """The notes of a network; those that make its maps doubtful come first."""
    return [_note(code, values) for code, values in _network_codes(behaviour)]


def _network_codes(behaviour: Behaviour) -> Iterator[tuple[str, JsonObject]]:
    if behaviour.random:
        yield "random", {"percent": _percent(behaviour.spread)}
    elif behaviour.change is None:  # it takes one picture at a time only
        yield "one_by_one", {}
    elif behaviour.batch_dependent:
        yield "batch_dependent", {"percent": _percent(behaviour.change)}
    if behaviour.ending != "logits":
        yield behaviour.ending, {}
    if behaviour.candidates:
        outputs = ", ".join(f"{name} ({count})" for name, count in behaviour.candidates)
        yield "several_outputs", {"outputs": outputs, "taken": behaviour.part}


def _note(code: str, values: JsonObject) -> NoteBody:
    sentence = texts(FALLBACK)[f"note.{code}"]
    detail = PLACEHOLDER.sub(lambda name: str(values[name[1]]), sentence)
    return NoteBody(code=code, detail=detail, values=values)


def _percent(share: float) -> float:
    """A share in percent, with two digits."""
    return float(f"{100 * share:.2g}")
