"""What registers itself: methods and metrics, each a module of its package."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from .errors import UnknownName


class Named(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=Named)


class Registry(Generic[T]):
    """Things of a kind by their ids, in an order; those of `package` are there once they are asked for.

    `word` is what one is called, `also` what may be said beside their ids.
    """

    def __init__(self, package: str, word: str, order: Callable[[T], Any], also: str = "") -> None:
        self._package, self._word, self._order, self._also = package, word, order, also
        self._known: dict[str, T] = {}
        self._whole = False

    def register(self, kind: type[T]) -> None:
        """Make one of a class, which may be had from now on. Raises `ValueError` where its id is taken."""
        made = kind()
        if made.id in self._known:
            raise ValueError(f"two {self._word}s call themselves {made.id}")
        self._known[made.id] = made

    def drop(self, id: str) -> None:
        """Forget one, where it is there."""
        self._known.pop(id, None)

    def all(self) -> dict[str, T]:
        """Every one by its id, in order."""
        if not self._whole:
            for module in pkgutil.iter_modules(importlib.import_module(self._package).__path__):
                importlib.import_module(f"{self._package}.{module.name}")
            self._whole = True
        return {thing.id: thing for thing in sorted(self._known.values(), key=self._order)}

    def find(self, id: str) -> T:
        """The one of that id. Raises `UnknownName` where there is none."""
        known = self.all()
        if id not in known:
            listed = f"{', '.join(known)}{self._also}"
            raise UnknownName(f"There is no {self._word} «{id[:80]}». There are: {listed}.", self._word)
        return known[id]
