"""What the tests import is what `pip install -e .[test]` brings, so that a new environment can run them."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
OURS = {"gradoscope", "tests", "tools", "benchmarks"}
# beside the docs' examples, not a package
EXAMPLES = {path.stem for path in (ROOT / "docs").rglob("*.py")}


def needed_by(distribution: str, extras: set[str]) -> list[Requirement]:
    """What an installed distribution asks for here, with these of its extras."""
    try:
        requirements = [Requirement(line) for line in requires(distribution) or []]
    except PackageNotFoundError:
        return []
    environments = [{"extra": extra} for extra in ("", *extras)]
    return [each for each in requirements if not each.marker or any(map(each.marker.evaluate, environments))]


@lru_cache
def brought() -> set[str]:
    """Every distribution that `pip install -e .[test]` installs, through others too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting = [Requirement(line) for line in [*project["dependencies"], *project["optional-dependencies"]["test"]]]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        key = str(canonicalize_name(requirement.name)), frozenset(requirement.extras)
        if key not in seen:
            seen.add(key)
            waiting += needed_by(key[0], requirement.extras)
    return {name for name, _ in seen}


def imported(file: Path) -> set[str]:
    """Top-level packages that `file` imports, but those that it asks pytest to skip without."""
    found: set[str] = set()
    text = file.read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found - set(re.findall(r'importorskip\("(\w+)', text))


@pytest.mark.parametrize("folder", ["tests", "tools"])
def test_what_is_imported_is_installed(folder: str) -> None:
    distributions = packages_distributions()
    missing = [
        f"{file.relative_to(ROOT)}: {package}"
        for file in (ROOT / folder).rglob("*.py")
        for package in sorted(imported(file) - OURS - EXAMPLES - set(sys.stdlib_module_names))
        if not {str(canonicalize_name(name)) for name in distributions.get(package, [])} & brought()
    ]
    assert not missing
