"""What registers itself: methods and metrics, those that ship and those of other distributions."""

from __future__ import annotations

import difflib
import importlib
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import RLock
from typing import Any, Generic, Protocol, TypeVar

from .errors import UnknownName
from .plugins import BUILT_IN, Plugin

log = logging.getLogger(__name__)


class Named(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=Named)


@dataclass(frozen=True)
class PluginFault:
    """A plug-in that is left out, and why."""

    plugin: Plugin
    reason: str


class Registry(Generic[T]):
    """Things of a kind by their ids, in an order; those of `plugins` are there once they are asked for.

    `word` is what one is called in messages, `also` what messages offer beside the ids, `declared` the attributes that
    a class must have. A plug-in of another distribution that cannot be loaded is left out: see `faults`.
    """

    def __init__(
        self,
        plugins: Callable[[], Iterable[Plugin]],
        word: str,
        order: Callable[[T], Any],
        also: str = "",
        declared: Iterable[str] = (),
    ) -> None:
        self._plugins, self._word, self._order, self._also = plugins, word, order, also
        self._declared = tuple(declared)
        self._known: dict[str, T] = {}
        self._faults: list[PluginFault] = []
        self._loaded = False
        self._lock = RLock()

    def register(self, kind: type[T]) -> None:
        """Make an instance of a class, and list it by its id.

        Raises `ValueError` where its id is taken, `TypeError` where its declaration lacks something.
        """
        if missing := [name for name in self._declared if not hasattr(kind, name)]:
            raise TypeError(f"{kind.__name__} declares no {', no '.join(missing)}")
        made = kind()
        if not re.fullmatch(r"[a-z][a-z0-9_]*", made.id):
            raise ValueError(f"{made.id!r} is no id: lower-case letters, digits and _ alone")
        if made.id in self._known:
            taken = type(self._known[made.id]).__module__
            raise ValueError(f"two {self._word}s call themselves {made.id}: {taken} and {kind.__module__}")
        self._known[made.id] = made

    def drop(self, id: str) -> None:
        """Forget one, where it is there."""
        self._known.pop(id, None)

    def all(self) -> dict[str, T]:
        """Every one by its id, in order."""
        self._load()
        return {thing.id: thing for thing in sorted(self._known.values(), key=self._order)}

    def faults(self) -> tuple[PluginFault, ...]:
        """The plug-ins that were left out."""
        self._load()
        return tuple(self._faults)

    def find(self, id: str) -> T:
        """The one of that id. Raises `UnknownName` where there is none."""
        known = self.all()
        if id not in known:
            similar = difflib.get_close_matches(id[:80], known, 1)
            hint = f" Did you mean `{similar[0]}`?" if similar else ""
            listed = f"{', '.join(known)}{self._also}"
            raise UnknownName(f"There is no {self._word} «{id[:80]}».{hint} There are: {listed}.", self._word)
        return known[id]

    def _load(self) -> None:
        with self._lock:
            if self._loaded:
                return
            self._loaded = True  # a plug-in that asks for the others while it is imported gets those before it
            for plugin in self._plugins():
                before = dict(self._known)
                try:
                    self._import(plugin)
                except (Exception, SystemExit) as error:
                    self._known = before
                    if plugin.origin == BUILT_IN:
                        self._loaded = False
                        raise
                    self._leave_out(plugin, error)

    def _import(self, plugin: Plugin) -> None:
        module = importlib.import_module(plugin.module)
        made = self._known.get(plugin.id)
        if plugin.attribute and type(made) is not getattr(module, plugin.attribute):
            self.register(getattr(module, plugin.attribute))
            made = self._known.get(plugin.id)
        if made is None or not type(made).__module__.startswith(plugin.module):
            raise ValueError(f"{plugin.module} registers no {self._word} «{plugin.id}»")

    def _leave_out(self, plugin: Plugin, error: BaseException) -> None:
        reason = f"{type(error).__name__}: {error}"
        log.error("the %s «%s» of %s is left out: %s", self._word, plugin.id, plugin.origin, reason)
        self._faults.append(PluginFault(plugin, reason))
