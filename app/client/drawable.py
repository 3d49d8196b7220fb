"""What figures and notebook pages need of an explanation and its panels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from PIL import Image

from ..contract.arrays import Reduction
from ..contract.problems import Problem
from ..contract.schemas import ClassBody, InputBody


class Panel(Protocol):
    """One map with what is told of it."""

    @property
    def model(self) -> str: ...

    @property
    def method(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def target(self) -> ClassBody | None: ...

    @property
    def against(self) -> ClassBody | None: ...

    @property
    def status(self) -> str: ...

    @property
    def problem(self) -> Problem | None: ...

    @property
    def completeness_error(self) -> float | None: ...

    def reduce(self, how: Reduction = "abs") -> np.ndarray: ...

    def picture(self) -> Image.Image: ...


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
