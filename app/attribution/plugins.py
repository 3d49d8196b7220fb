"""Plug-ins: where each method and metric stands, found without importing it.

One that ships is a folder of `methods/` or `metrics/`. One from another distribution is an entry point of the group
`gradoscope.methods` or `gradoscope.metrics`; its name is the id, its value the module (or the class in it) that
registers it. Nothing here imports PyTorch, so that a process which only shows pages can ask too.
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
OWN = "gradoscope"
LAST = 99  # the `order` of a metric that declares none: behind all that do


@dataclass(frozen=True)
class Plugin:
    """A method or a metric by its `id`; `origin` is the distribution that brings it.

    `attribute` is the class in `module`, empty where importing the module registers it.
    """

    id: str
    module: str
    origin: str
    file: Path | None  # of the module; None where it is not found
    attribute: str = ""

    @property
    def folder(self) -> Path | None:
        """The folder that holds its texts, templates and figures; None where the module is a single file."""
        return self.file.parent if self.file is not None and self.file.name == "__init__.py" else None

    def declared(self) -> dict[str, Any]:
        """The attributes of its class that are literals, such as `year` and `default`, as the source has them."""
        try:
            tree = ast.parse(self.file.read_bytes()) if self.file is not None else ast.Module([], [])
        except (OSError, SyntaxError, ValueError):
            return {}  # importing it will say what is wrong
        classes = (dict(_literals(node)) for node in tree.body if isinstance(node, ast.ClassDef))
        return next((found for found in classes if found.get("id") == self.id), {})


@cache
def plugins(kind: Kind) -> tuple[Plugin, ...]:
    """All of a kind: those that ship, then those of other distributions. An id may be there twice."""
    return (*_own(kind), *_installed(kind))


def _own(kind: Kind) -> Iterator[Plugin]:
    for file in sorted((Path(__file__).parent / kind).glob("*/__init__.py")):
        id = file.parent.name
        yield Plugin(id, f"{__package__}.{kind}.{id}", OWN, file)


def _installed(kind: Kind) -> Iterator[Plugin]:
    for entry in sorted(entry_points(group=f"gradoscope.{kind}"), key=lambda entry: entry.name):
        yield Plugin(entry.name, entry.module, _origin(entry), _file_of(entry.module), entry.attr or "")


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value


def _file_of(module: str) -> Path | None:
    """Where a module stands. None of its packages is imported, as `importlib.util.find_spec` alone would do."""
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
        for name, said in pairs:
            with suppress(ValueError):  # a call or an expression
                if isinstance(name, ast.Name):
                    yield name.id, ast.literal_eval(said)
