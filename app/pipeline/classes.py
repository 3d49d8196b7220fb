"""The classes that a request names, by index or by label, as indices of a model."""

from __future__ import annotations

from collections.abc import Iterable

from ..contract.arrays import ScoreKind
from ..contract.jobs import ClassName
from ..contract.problems import Unprocessable
from ..zoo.labels import classes_named, similar_classes

MAX_LABEL = 200  # characters that are looked for


def class_index(wanted: ClassName | None, model: str, labels: tuple[str, ...], field: str) -> int | None:
    """The index of a class of `model`; None if none is named. Raises `Unprocessable` if no class, or more than one, has
    the label that was given."""
    if wanted is None or isinstance(wanted, int):
        return wanted
    name = wanted[:MAX_LABEL]
    found = classes_named(labels, name)
    if len(found) == 1:
        return found[0]
    said = f"{field}: {model} has no class «{name[:80]}»."
    if found:
        said = f"{field}: {model} has {len(found)} classes «{name[:80]}»; name one by its index."
    near = [(index, labels[index]) for index in found] or similar_classes(labels, name)
    listed = ", ".join(f"{index} ({label[:80]})" for index, label in near)
    hint = f" There are: {listed}." if found else f" Near it: {listed}." if listed else " Give an index, or a label."
    problem = Unprocessable(said + hint, field=field)
    raise problem.coded("class_ambiguous" if found else "class_unknown", model=model, name=name[:80], near=listed)


def known_indices(wanted: Iterable[ClassName | None], labels: tuple[str, ...]) -> list[int]:
    """The indices of those classes that a model has. None, which stands for the top class, and unknown or ambiguous
    labels are left out."""
    found = []
    for name in wanted:
        if isinstance(name, int):
            found.append(name)
        elif name is not None and len(matches := classes_named(labels, name[:MAX_LABEL])) == 1:
            found.append(matches[0])
    return list(dict.fromkeys(found))


def class_problem(
    model: str, target: int | None, against: int | None, score: ScoreKind, classes: int
) -> Unprocessable | None:
    """Why these classes are not possible for a model, or not with this score; None if they are."""
    for name, index in (("target", target), ("against", against)):
        if index is not None and not 0 <= index < classes:
            return Unprocessable(f"{name}: class {index} is outside 0 … {classes - 1} of {model}.", field=name)
    if against is not None and score != "logit":
        return Unprocessable(f"against goes with score = logit, not with {score}.", field="against")
    if against is not None and against == target:
        return Unprocessable(f"against: class {against} is the target itself; take another class.", field="against")
    return None
