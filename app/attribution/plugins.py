"""Plug-ins: finds the code of each method and metric without importing it.

Gradoscope's own are the folders of `methods/` and `metrics/`. Another distribution brings its plug-ins as entry points
of the group `gradoscope.methods` or `gradoscope.metrics`: the name is the id, the value is the module (or the class in
it) that registers it. Nothing here imports PyTorch, so that a process that only serves pages can use it too.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal

Kind = Literal["methods", "metrics"]
BUILT_IN = "gradoscope"  # the `origin` of Gradoscope's own plug-ins
DEFAULT_ORDER = 99  # the `order` of a metric that declares none: it comes after all others


@dataclass(frozen=True)
class Plugin:
    """A method or metric that is installed; `origin` is the distribution that it comes from.

    `attribute` is the name of its class in `module`; empty if importing the module registers it.
    """

    id: str
    module: str
    origin: str
    file: Path | None  # of the module; None if it was not found
    attribute: str = ""

    @property
    def folder(self) -> Path | None:
        """The folder that holds its texts, templates and figures; None if the module is a single file."""
        return self.file.parent if self.file is not None and self.file.name == "__init__.py" else None

    def declared(self) -> dict[str, Any]:
        """The attributes of its class that are literals, such as `year` and `default`, read from the source file."""
        try:
            tree = ast.parse(self.file.read_bytes()) if self.file is not None else ast.Module([], [])
        except (OSError, SyntaxError, ValueError):
            return {}  # whoever imports it will get the error
        classes = (dict(_literals(node)) for node in tree.body if isinstance(node, ast.ClassDef))
        return next((found for found in classes if found.get("id") == self.id), {})


@cache
def plugins(kind: Kind) -> tuple[Plugin, ...]:
    """All plug-ins of a kind: Gradoscope's own, then those of other distributions. Two may have the same id."""
    return (*_built_in(kind), *_installed(kind))


def _built_in(kind: Kind) -> Iterator[Plugin]:
    for file in sorted((Path(__file__).parent / kind).glob("*/__init__.py")):
        id = file.parent.name
        yield Plugin(id, f"{__package__}.{kind}.{id}", BUILT_IN, file)


def _installed(kind: Kind) -> Iterator[Plugin]:
    for entry in sorted(entry_points(group=f"gradoscope.{kind}"), key=lambda entry: entry.name):
        yield Plugin(entry.name, entry.module, _origin(entry), _file_of(entry.module), entry.attr or "")


def _origin(entry: EntryPoint) -> str:
    """Name and version of the distribution that an entry point comes from."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value


def _file_of(module: str) -> Path | None:
    """The source file of a module; None if it is not found.

    Nothing is imported; `importlib.util.find_spec` with the full name would import the packages around the module.
    """
    first, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(first)
        for place, part in enumerate(rest, 1):
            parents = spec.submodule_search_locations if spec is not None else None
            if parents is None:
                return None
            spec = PathFinder.find_spec(".".join((first, *rest[: place - 1], part)), list(parents))
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec is not None and spec.origin is not None else None


def _literals(node: ast.ClassDef) -> Iterator[tuple[str, Any]]:
    """Names and values of a class's attributes whose values are literals; `a, b = 1, 2` gives two."""
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[target], value=value):
                pass
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                pass
            case _:
                continue
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            pairs = list(zip(target.elts, value.elts, strict=True))
        else:
            pairs = [(target, value)]
        for name, literal in pairs:
            with suppress(ValueError):  # not a literal, for example a call
                if isinstance(name, ast.Name):
                    yield name.id, ast.literal_eval(literal)
