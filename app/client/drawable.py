"""What figures and notebook pages need of an explanation and its panels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from PIL import Image

from ..contract.arrays import Reduction
from ..contract.records import InputBody
from ..images.map_grid import MapCell


class Panel(Protocol):
    """One map; `cell` is what is written beside it: title, class, status, seconds, diagnostics."""

    @property
    def id(self) -> str: ...

    @property
    def cell(self) -> MapCell: ...

    @property
    def title(self) -> str: ...

    def reduce(self, how: Reduction = "abs") -> np.ndarray: ...


class Explanation(Protocol):
    """Panels, and what each model saw of the picture."""

    @property
    def panels(self) -> Sequence[Panel]: ...

    def __iter__(self) -> Iterator[Panel]: ...

    @property
    def inputs(self) -> list[InputBody]: ...

    @property
    def url(self) -> str | None: ...

    @property
    def status(self) -> str: ...

    @property
    def score(self) -> str: ...

    @property
    def seed(self) -> int: ...

    @property
    def seconds(self) -> float: ...

    def seen(self, model: str) -> Image.Image: ...
