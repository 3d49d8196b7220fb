"""Model cards: a TOML file a model, with the source of its weights, architecture, input, licence and labels."""

from __future__ import annotations

import difflib
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..contract.parsing import SURROGATE, TOO_DEEP, value_fault
from ..contract.problems import Problem
from ..images.input_spec import Input
from .paths import short_path


class CardError(Problem):
    """A card cannot be used; the detail names the card, what is wrong with it, and how to fix it."""

    status = 503
    title = "Model card invalid"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Embedded(_Strict):
    """Weights inside an installed Python package that has a class with `get_model_file_path()`."""

    kind: Literal["embedded"]
    module: str
    file_class: str


class Torchvision(_Strict):
    """A member of a torchvision weights enum, which knows its file, transforms, categories and accuracy."""

    kind: Literal["torchvision"]
    weights: str = "DEFAULT"


class Timm(_Strict):
    """A timm model on the Hugging Face hub, at one commit of its repository.

    Without `revision` and `sha256`, the commit and hash at the first download are saved and used from then on.
    """

    kind: Literal["timm"]
    revision: Annotated[str, Field(pattern="^[0-9a-f]{40}$")] | None = None
    sha256: Sha256 | None = None


class File(_Strict):
    """A file beside the card: `.safetensors`, or `.pth`/`.pt`/`.bin`/`.ckpt`/`.pth.tar`, read with `weights_only=True`.

    `key` names the part of the checkpoint that holds the tensors, `prefix` the beginning of their names; both are
    found automatically if there is only one possibility.
    """

    kind: Literal["file"]
    file: Path
    key: str | None = None
    prefix: str | None = None
    sha256: Sha256 | None = None


Source = Annotated[Embedded | Torchvision | Timm | File, Field(discriminator="kind")]


# an address that a page may link to: no javascript: or data:
WebAddress = Annotated[str, Field(pattern=r"^(https?://\S+)?$", max_length=2000)]


class Paper(_Strict):
    title: str
    url: WebAddress


class Card(_Strict):
    """A card as in its file. For None, the source's library has the value, or a default applies."""

    id: str
    title: str
    architecture: str
    source: Source
    licence: str = "not stated"
    url: WebAddress = ""
    paper: Paper | None = None
    accuracy: float | None = Field(None, ge=0, le=100)  # top-1 on its own data set, in percent
    labels: str | tuple[str, ...] | None = None
    classes: int | None = Field(None, ge=1, le=100_000)
    outputs: Literal["softmax", "sigmoid"] = "softmax"
    output: str | int | None = None  # where the logits are among several: name, index, or «module:function»
    activation: Literal["softmax", "sigmoid"] | None = None  # that the network ends in already
    arguments: dict[str, Any] = {}  # for the function that builds the network
    input: Input | None = None
    folder: Path = Path()

    @model_validator(mode="after")
    def _one_kind_of_probability(self) -> Self:
        if self.outputs == "sigmoid" and self.activation == "softmax":
            raise ValueError(
                'activation: "softmax" has classes that sum to 1, and outputs = "sigmoid" says each is alone'
            )
        return self

    @property
    def file(self) -> str:
        return f"{self.id}.toml"


@dataclass(frozen=True)
class FaultyCard:
    """A card that could not be read, and why."""

    card: str
    detail: str


def read_card(path: Path) -> Card:
    """Read the card at `path`; its id is the file's name. Raises `CardError`."""
    try:
        given = tomllib.loads(path.read_text("utf-8-sig"))
        if fault := value_fault(given):
            raise CardError(f"{path.name}: it {fault}.")
        return Card.model_validate({**given, "id": path.stem, "folder": path.resolve().parent})
    except ValidationError as error:
        raise CardError(f"{path.name}: {'; '.join(map(_describe, error.errors()))}") from error
    except RecursionError as error:
        raise CardError(f"{path.name}: it {TOO_DEEP}.") from error
    except OSError as error:
        raise CardError(f"{path.name}: cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CardError(f"{path.name}: {error}") from error


TABLES: dict[str, type[BaseModel]] = {"input": Input, "paper": Paper}
SOURCES: dict[str, type[BaseModel]] = {"embedded": Embedded, "torchvision": Torchvision, "timm": Timm, "file": File}


def _describe(fault: Any) -> str:
    """A validation error of pydantic in words for the author of a card."""
    path = [str(part) for part in fault["loc"]]
    table: type[BaseModel] = Card
    if path[0] == "source" and len(path) > 1:
        table = SOURCES[path.pop(1)]  # pydantic's path contains the kind, which is not in the card
    elif len(path) > 1:
        table = TABLES.get(path[0], Card)
    name, field = path[-1], ".".join(path)
    if fault["type"] == "missing":
        return f"{field}: is missing"
    if fault["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return f"source.kind: must be one of {', '.join(SOURCES)}"
    if fault["type"] == "extra_forbidden":
        if table is not Card and name in Card.model_fields:
            return f"{field}: belongs to the top of the card: write `{name}` above [{path[0]}]"
        similar = difflib.get_close_matches(name, table.model_fields, 1)
        return f"{field}: there is no such field" + (f"; did you mean `{similar[0]}`?" if similar else "")
    if name == "url" and fault["type"] == "string_pattern_mismatch":
        return f"{field}: must be an address that begins with http:// or https://"
    return f"{field}: {fault['msg'].removeprefix('Value error, ')}"


def _folder_fault(folder: Path) -> str | None:
    """Why no card can be read from a folder; None if they can."""
    if not folder.is_dir():
        return f"There is no folder {short_path(folder)}"
    try:
        os.listdir(folder)  # `glob` on a folder that cannot be read returns nothing and raises no error
    except OSError as error:
        return f"The folder {short_path(folder)} cannot be read ({error.strerror})"
    return None


def read_cards(*folders: Path) -> tuple[dict[str, Card], list[FaultyCard]]:
    """All cards of the folders by id, sorted, and those that cannot be read.

    A card replaces one with the same name in an earlier folder.
    """
    cards: dict[str, Card] = {}
    faults: dict[str, FaultyCard] = {}
    for folder in folders:
        if fault := _folder_fault(folder):
            faults[str(folder)] = FaultyCard(folder.name, f"{fault}: no card is read from there.")
        for path in sorted(folder.glob("*.toml")):
            if SURROGATE.search(path.name):
                name = path.name.encode("utf-8", "replace").decode()
                faults[name] = FaultyCard(name, f"{name}: the file's name is no UTF-8, so it cannot be the model's id.")
                continue
            try:
                cards[path.stem] = read_card(path)
                faults.pop(path.stem, None)
            except CardError as error:
                cards.pop(path.stem, None)
                faults[path.stem] = FaultyCard(path.name, error.detail)
    return dict(sorted(cards.items())), list(faults.values())
