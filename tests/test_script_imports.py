"""What the scripts import from the package is there: `make lint` checks the types of app/ alone."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.paths import ROOT

SCRIPTS = sorted(file for folder in ("docs/_pages", "tools", "benchmarks") for file in (ROOT / folder).rglob("*.py"))


def imports(file: Path) -> Iterator[tuple[str, str]]:
    """Module and name of each `from gradoscope… import name`, inside functions too."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "gradoscope":
            yield from ((str(node.module), alias.name) for alias in node.names)


def missing(module: str, name: str) -> bool:
    """Whether neither a name nor a module of that name is there."""
    return not hasattr(importlib.import_module(module), name) and find_spec(f"{module}.{name}") is None


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_all_that_a_script_imports_is_there(file: Path) -> None:
    assert [f"{module}.{name}" for module, name in imports(file) if missing(module, name)] == []


def test_a_name_that_is_gone_is_found(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("from gradoscope.lab.wording import gone, words\n", "utf-8")
    with pytest.raises(ModuleNotFoundError):  # a module has no submodules
        [missing(*one) for one in imports(script)]
