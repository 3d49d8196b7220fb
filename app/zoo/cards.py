"""A model is one TOML card: where its weights come from, architecture, input, licence, labels."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import NotFound, Problem


class CardError(Problem):
    """A card cannot be read; the detail names the file, the field and what is wrong with it."""

    status = 503
    title = "Model card invalid"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Embedded(_Strict):
    """Weights inside an installed Python package that has a class with `get_model_file_path()`."""

    kind: Literal["embedded"]
    module: str
    file_class: str


Side = Annotated[int, Field(ge=8, le=2048)]
Triple = tuple[float, float, float]


class Input(_Strict):
    """What the network takes: size is (height, width); mean and std are of RGB in [0, 1]."""

    size: tuple[Side, Side]
    mean: Triple = (0.485, 0.456, 0.406)
    std: Triple = (0.229, 0.224, 0.225)
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    crop_fraction: float = Field(0.875, gt=0, le=1)


class Card(_Strict):
    id: str
    title: str
    architecture: str
    licence: str
    url: str = ""
    labels: str = "imagenet-1k"
    classes: int = Field(ge=1, le=100_000)
    source: Embedded
    input: Input


def read_card(path: Path) -> Card:
    """The card in `path`; its id is the file's name. Raises `CardError`."""
    try:
        return Card.model_validate({"id": path.stem, **tomllib.loads(path.read_text("utf-8"))})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise CardError(f"{path.name}: {faults}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise CardError(f"{path.name}: {error}") from error


def read_cards(folder: Path) -> dict[str, Card]:
    """All cards of a folder by id, in the order of their names."""
    return {path.stem: read_card(path) for path in sorted(folder.glob("*.toml"))}


def find_card(cards: dict[str, Card], model: str) -> Card:
    if model not in cards:
        raise NotFound(f"There is no model «{model[:80]}». There are: {', '.join(cards)}.", field="model")
    return cards[model]
