"""Texts of forms, command lines and calls that stand for values: read the same everywhere."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from .problems import FieldFault, Unprocessable

if TYPE_CHECKING:  # a process that decodes pictures has no room for pydantic
    from pydantic import ValidationError

SIDES = range(32, 1025)  # that a model input may have, in pixels
MAX_SEED = 2**63 - 1
TOP = "top"  # as a target: each model's top class
T = TypeVar("T", bound=str)
MAX_FAULTS = 20  # faulty fields that an answer lists: a request may have thousands
MAX_NESTING = 32  # levels of lists and objects: what is deeper breaks whatever walks over it by recursion
SURROGATE = re.compile("[\ud800-\udfff]")
TOO_DEEP = f"is nested more than {MAX_NESTING} levels deep"


def parse_json(text: str) -> Any:
    """A JSON value. Raises `ValueError`, also for NaN and Infinity, a name that an object holds twice, deep
    nesting, and text that is no valid Unicode."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=unique_names)
    except RecursionError as error:
        raise ValueError(f"it {TOO_DEEP}") from error
    if fault := value_fault(value):
        raise ValueError(f"it {fault}")
    return value


def value_fault(value: object) -> str | None:
    """Why a value made of lists, objects and scalars may not be used: it is nested too deep, or a text in it holds half
    of a surrogate pair, which no encoding can write. None if it may. Walks without recursion."""
    level: list[object] = [value]
    for depth in range(MAX_NESTING + 1):
        if any(isinstance(item, str) and SURROGATE.search(item) for item in level):
            return "holds text that is no valid Unicode"
        containers = [item for item in level if isinstance(item, (dict, list, tuple))]
        if not containers:
            return None
        if depth == MAX_NESTING:
            break
        level = [inner for container in containers for inner in _content(container)]
    return TOO_DEEP


def _content(container: dict[object, object] | list[object] | tuple[object, ...]) -> Iterable[object]:
    """What a list or an object holds, its keys included."""
    return (*container.keys(), *container.values()) if isinstance(container, dict) else container


def unique_names(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A dict of these pairs, for `json.loads(object_pairs_hook=…)` too. Of two values under one name one would be lost.

    Raises:
        ValueError: where a name stands twice.
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"an object holds «{name[:80]}» twice")
        found[name] = value
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number that JSON knows")


def parse_size(text: str | None) -> tuple[int, int] | None:
    """`"320"` → (320, 320), `"240x320"` → (240, 320). Raises `Unprocessable`."""
    if text is None:
        return None
    given = re.fullmatch(r"(\d{1,5})(?:[x×](\d{1,5}))?", text.strip())
    if given is None:
        raise Unprocessable(
            f"size: «{text[:40]}» is no size. Write a side in pixels, e.g. 320, or height x width, e.g. 240x320.",
            field="size",
        ).coded("size_form", text=text[:40])
    sides = [int(side) for side in given.groups() if side]
    if not all(side in SIDES for side in sides):
        raise Unprocessable(
            f"size: {text} is out of bounds. A side is {SIDES.start} … {SIDES.stop - 1} pixels.", field="size"
        ).coded("size_bounds", text=text[:40], low=SIDES.start, high=SIDES.stop - 1)
    return sides[0], sides[-1]


def parse_class(text: str | None) -> int | str | None:
    """A class: `"282"` → 282, `"tiger cat"` → "tiger cat"; nothing at all → None."""
    stripped = (text or "").strip()
    if not stripped:
        return None
    return int(stripped) if re.fullmatch(r"[+-]?\d{1,18}", stripped) else stripped


def parse_target(text: str | None) -> int | str | None:
    """A class to explain: as `parse_class`, and `"top"` → None, each model's top class."""
    return None if text is not None and text.strip() == TOP else parse_class(text)


def one_of(field: str, text: object, choices: Iterable[T]) -> T:
    """`text`, if it is one of `choices`. Raises `Unprocessable`."""
    known = tuple(choices)
    if text not in known:
        said = str(text)[:80]
        raise Unprocessable(f"{field}: «{said}» is none of {', '.join(known)}.{did_you_mean(said, known)}", field=field)
    return next(choice for choice in known if choice == text)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """«Did you mean …?» after a space, where a known name is much like `word`; else nothing."""
    similar = difflib.get_close_matches(word[:80], known, 1)
    return f" Did you mean `{similar[0]}`?" if similar else ""


def invalid_fields(
    invalid: ValidationError, place: str, known: Iterable[str], word: str = "parameter"
) -> Unprocessable:
    """The refusal of values that pydantic refuses: each fault with its field and bounds, and the name that was meant.

    `place` is what the names of the fields begin with, `known` are the names that there are, `word` is what one of them
    is called.
    """
    names, errors = tuple(known), []
    for fault in invalid.errors(include_url=False)[:MAX_FAULTS]:
        name = ".".join((*filter(None, (place,)), *(str(part)[:80] for part in fault["loc"]))) or word
        reason = fault["msg"].removeprefix("Value error, ").rstrip(".")
        if fault["type"] == "extra_forbidden":
            similar = did_you_mean(str(fault["loc"][-1]), names)
            reason = f"there is no such {word}.{similar} There are: {', '.join(names) or 'none'}"
        elif fault["type"] == "literal_error" and isinstance(fault["input"], str):
            choices = re.findall("'([^']*)'", fault["ctx"]["expected"])
            reason += f".{similar}" if (similar := did_you_mean(fault["input"], choices)) else ""
        errors.append(FieldFault(field=name, detail=f"{name}: {reason}" + ("" if reason.endswith("?") else ".")))
    return Unprocessable(" ".join(error["detail"] for error in errors), errors=errors)
