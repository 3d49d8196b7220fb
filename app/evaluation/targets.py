"""The class that the maps of a picture explain: its model's top class, one class for all pictures, or the picture's
true class, which the name of its folder says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..contract.jobs import ClassName
from ..contract.parsing import parse_class, parse_target
from ..contract.problems import Problem, Unprocessable
from ..pipeline.classes import class_index, class_problem
from ..zoo.catalogue import Catalogue
from ..zoo.labels import classes_named, synsets

TOP = "top"
FOLDER = "folder"
MAX_NAMED = 5  # folders without a class that a refusal lists
SYNSET = re.compile(r"(n\d{8})(?:[-_ ].*)?")  # also as in n02123045-tabby


@dataclass(frozen=True)
class Targets:
    """What the maps explain. `wanted` is `top`, `folder`, or a class by its index or label.

    `classes` has the index of the class by model and by the name of the picture's folder; under the name None for every
    folder. Empty for the top class.
    """

    wanted: ClassName = TOP
    classes: Mapping[str, Mapping[str | None, int]] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)  # by picture

    @property
    def of_folders(self) -> bool:
        """Whether folders say the true class of each picture."""
        return self.wanted == FOLDER

    def index(self, model: str, picture: str) -> int | None:
        """The class of a picture's maps on a model; None for the top class."""
        if not self.classes:
            return None
        return self.classes[model][self.folders[picture] if self.of_folders else None]


def resolve(text: str | None, zoo: Catalogue, models: Iterable[str], folders: Mapping[str, str]) -> Targets:
    """The targets that `text` asks for; `folders` has the name of each picture's folder. Loads no model.

    Raises `Unprocessable` if a model has no class of a name, or several; it names the folders.
    """
    if text is not None and text.strip() == FOLDER:
        names = Counter(folders.values())
        return Targets(FOLDER, {model: _of_folders(names, model, zoo.labels(model)) for model in models}, folders)
    wanted = parse_target(text)
    if wanted is None:
        return Targets()
    return Targets(wanted, {model: {None: _one(wanted, model, zoo.labels(model))} for model in models})


def _of_folders(names: Counter[str], model: str, labels: tuple[str, ...]) -> dict[str | None, int]:
    found: dict[str | None, int] = {}
    faults: list[str] = []
    for name, count in names.items():
        try:
            found[name] = folder_class(name, model, labels)
        except Problem as problem:
            faults.append(f"{problem.detail} ({count} {'picture' if count == 1 else 'pictures'})")
    if faults:
        more = f" And {len(faults) - MAX_NAMED} more folders." if len(faults) > MAX_NAMED else ""
        raise Unprocessable(
            f"{' '.join(faults[:MAX_NAMED])}{more} With --target folder, each picture lies in a folder that is named "
            "by its class: an index, a label, or ImageNet's synset id.",
            field="target",
        )
    return found


def folder_class(name: str, model: str, labels: tuple[str, ...]) -> int:
    """The class that a folder's name says: by index, by label, also with _ for spaces, or by synset id.

    Raises `Unprocessable` if there is none, or more than one.
    """
    wanted = parse_class(name)
    by_label = classes_named(labels, name)
    if isinstance(wanted, int):
        if by_label and by_label != [wanted]:
            listed = ", ".join(f"{index} ({labels[index][:80]})" for index in by_label)
            raise Unprocessable(
                f"target: folder «{name[:80]}»: of {model} it may be class {wanted}, or by its label {listed}.",
                field="target",
            )
        return _one(wanted, model, labels)
    if (match := SYNSET.fullmatch(name)) and not by_label:
        same = [index for index, synset in enumerate(synsets(labels)) if synset == match[1]]
        if same:
            return same[0]
    spaced = name.replace("_", " ")
    return _one(name if by_label or not classes_named(labels, spaced) else spaced, model, labels)


def _one(wanted: ClassName, model: str, labels: tuple[str, ...]) -> int:
    index = class_index(wanted, model, labels, "target")
    assert index is not None  # a class was named
    if problem := class_problem(model, index, None, "logit", len(labels)):
        raise problem
    return index
