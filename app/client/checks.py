"""Checks the arguments of calls: integers of NumPy and torch become ints, and what is wrong is named by its field."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, cast

from ..contract.parsing import MAX_SEED, SURROGATE, TOP, did_you_mean, one_of
from ..contract.problems import Unprocessable
from ..contract.wire import JsonObject

if TYPE_CHECKING:
    from ..attribution.activation import Activation
    from ..attribution.outputs import Output

MAX_QUOTED = 80  # characters of a wrong value that a message quotes


class UnknownArgument(Unprocessable, TypeError):
    """A call has an argument that does not exist; a `TypeError` too, as Python itself raises then."""

    title = "Unknown argument"


def check_names(
    given: Iterable[str], known: Iterable[str], hints: Mapping[str, str], elsewhere: Iterable[str] = ()
) -> None:
    """Raise `UnknownArgument` if an argument does not exist; `hints` say what to write instead of some. Names that are
    known `elsewhere` may be meant by a misspelt one."""
    names = tuple(known)
    for name in given:
        if name not in names:
            near = did_you_mean(name, (*names, *elsewhere)).strip()
            hint = hints.get(name) or near or f"There are: {', '.join(names)}."
            raise UnknownArgument(f"{name}: there is no such argument. {hint}", field=name)


def integer(value: object) -> int | None:
    """An int, or an integer scalar of NumPy or torch, as an int; None for anything else, also for a bool."""
    if isinstance(value, bool) or "bool" in str(getattr(value, "dtype", "")):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def elements(value: object) -> list[Any]:
    """None, one value, or several in a sequence, an array or the like, as a list; a string is one value."""
    if value is None:
        return []
    if isinstance(value, (str, bytes, Mapping)) or integer(value) is not None:
        return [value]
    try:
        return list(cast("Iterable[Any]", value))
    except TypeError:  # not iterable, or a 0-dimensional array
        return [value]


def class_index_or_label(field: str, value: object, also: str = "") -> int | str:
    """A class by its index or its label. `also` names further choices in the message. Raises `Unprocessable`."""
    index = integer(value)
    if index is not None:
        return index
    if isinstance(value, str) and value.strip() and not SURROGATE.search(value):
        return str(value)
    raise invalid_argument(field, value, f"is neither the index of a class nor a label{also}")


def target_classes(field: str, value: object) -> tuple[int | str, ...]:
    """Classes by index or label, `"top"` among them. Raises `Unprocessable`."""
    also = f", nor «{TOP}», nor a list of these"
    return tuple(TOP if one is None else class_index_or_label(field, one, also) for one in elements(value))


def seed(value: object) -> int:
    """Raises `Unprocessable`."""
    number = integer(value)
    if number is None or not 0 <= number <= MAX_SEED:
        raise invalid_argument("seed", value, "is no integer from 0 to 2**63 − 1")
    return number


def ids(field: str, value: object) -> tuple[str, ...]:
    """One id, or several. Raises `Unprocessable`."""
    found = elements(value)
    for one in found:
        if not isinstance(one, str):
            raise invalid_argument(field, one, "is no id. Give an id, or a list of ids")
    return tuple(map(str, found))


def size(value: object) -> int | tuple[int, int] | None:
    """A side, or (height, width). Raises `Unprocessable`."""
    if value is None:
        return None
    sides = [integer(side) for side in elements(value)]
    if len(sides) not in (1, 2) or None in sides:
        raise invalid_argument("size", value, "is neither a side in pixels nor (height, width)")
    return sides[0] if len(sides) == 1 else (sides[0], sides[1])  # type: ignore[return-value]


def options(value: object) -> dict[str, JsonObject]:
    """Parameters by method or metric, with plain numbers. Raises `Unprocessable`."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise invalid_argument("options", value, 'is no mapping of methods, e.g. {"smooth_grad": {"samples": 100}}')
    for name, parameters in value.items():
        if not isinstance(name, str) or not isinstance(parameters, Mapping):
            raise invalid_argument(f"options.{name}", parameters, 'is no mapping of parameters, e.g. {"samples": 100}')
    return plain_json("options", value)


def plain_json(field: str, value: Mapping[Any, Any]) -> JsonObject:
    """A mapping with plain numbers and lists, as JSON has it. Raises `Unprocessable`."""
    try:
        plain: JsonObject = json.loads(json.dumps(dict(value), allow_nan=False, default=_plain))
    except (TypeError, ValueError, RecursionError) as error:
        raise Unprocessable(f"{field}: {str(error)[:200]}.", field=field) from error
    return plain


def labels(value: Sequence[str] | Mapping[Any, Any] | None) -> tuple[str, ...] | None:
    """The labels of classes in order: from a list, or from a mapping by index or to it, as of `id2label` and
    `class_to_idx`. Raises `Unprocessable`."""
    if value is None:
        return None
    if isinstance(value, (str, bytes)):
        raise invalid_argument("labels", value, "is one string. Give a list with a label for each class")
    if isinstance(value, Set):
        raise invalid_argument("labels", value, "has no order. Give a list with a label for each class")
    if isinstance(value, Mapping):
        by_index = {_index(key): label for key, label in value.items()}
        if all(isinstance(key, str) and integer(index) is not None for key, index in value.items()):
            by_index = {integer(index): key for key, index in value.items()}
        missing = [index for index in range(len(value)) if index not in by_index]
        if missing:
            raise Unprocessable(
                f"labels: a mapping names every class by its index from 0; class {missing[0]} is missing.",
                field="labels",
            )
        value = [by_index[index] for index in range(len(value))]
    found = tuple(elements(value))
    if not found:
        raise Unprocessable("labels: there is none. Give a label for each class.", field="labels")
    for label in found:
        if not isinstance(label, str) and integer(label) is None:
            raise invalid_argument("labels", label, "is no label. Give a list of strings, one for each class")
        if isinstance(label, str) and SURROGATE.search(label):
            raise invalid_argument("labels", label, "holds half of a surrogate pair, which is no text")
    return tuple(map(str, found))


def _index(key: object) -> int | None:
    """The index that a key of a mapping is; also in digits, as JSON writes it."""
    return int(key) if isinstance(key, str) and key.isdecimal() else integer(key)


def output(value: object) -> Output | None:
    """Which output the logits are: its name, its place, or a function. Raises `Unprocessable`."""
    place = integer(value)
    if place is not None:
        return place
    if value is None or callable(value) or (isinstance(value, str) and value.strip()):
        return cast("Output | None", value)
    raise invalid_argument("output", value, "is neither the name of an output, nor its place, nor a function")


def activation(value: object) -> Activation | None:
    """What the network ends in. Raises `Unprocessable`."""
    return None if value is None else cast("Activation", one_of("activation", value, ("softmax", "sigmoid")))


def invalid_argument(field: str, value: object, why: str) -> Unprocessable:
    """The problem of an argument that is not what it should be."""
    try:
        quoted = repr(value).replace("\n", " ")
    except Exception:
        quoted = "?"
    if len(quoted) > MAX_QUOTED:
        quoted = f"{quoted[:MAX_QUOTED]}…"
    return Unprocessable(f"{field}: {quoted} ({type(value).__name__}) {why}.", field=field)


def _plain(value: Any) -> Any:
    """Numbers and arrays of NumPy and torch as JSON has them."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is nothing that JSON knows")
