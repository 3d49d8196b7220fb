"""What is to be known of a network before its maps are read, in plain words: how it answers, and what was taken."""

from __future__ import annotations

from collections.abc import Iterator

from ..attribution.behaviour import Behaviour
from ..contract.notes import Note
from ..contract.wire import JsonObject
from .presentation import FALLBACK
from .texts import NAME, texts


def notes_of(behaviour: Behaviour) -> list[Note]:
    """The notes on a network, those that make maps doubtful first."""
    return [_note(code, values) for code, values in _codes(behaviour)]


def _codes(behaviour: Behaviour) -> Iterator[tuple[str, JsonObject]]:
    if behaviour.random:
        yield "random", {"percent": _percent(behaviour.spread)}
    elif behaviour.change is None:
        yield "one_by_one", {}
    elif behaviour.batch_dependent:
        yield "batch_dependent", {"percent": _percent(behaviour.change)}
    if behaviour.ending != "logits":
        yield behaviour.ending, {}
    if behaviour.candidates:
        outputs = ", ".join(f"{name} ({count})" for name, count in behaviour.candidates)
        yield "several_outputs", {"outputs": outputs, "taken": behaviour.part}


def _note(code: str, values: JsonObject) -> Note:
    sentence = texts(FALLBACK)[f"note.{code}"]
    return Note(code=code, detail=NAME.sub(lambda name: str(values[name[1]]), sentence), values=values)


def _percent(share: float) -> float:
    """A share in percent, with two digits."""
    return float(f"{100 * share:.2g}")
