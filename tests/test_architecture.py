"""The layers of app/: `lint-imports` passes, fails on a wrong import, and no modules import each other in a circle."""

from __future__ import annotations

import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

from tests.conftest import TOGETHER, shared_servers

ROOT = Path(__file__).parent.parent
FOR_TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..zoo.cards import Card"
LINT = "from importlinter.cli import lint_imports_command as lint; lint(['--no-logo', '--no-cache'])"


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """app/ and the contracts, in a folder of their own."""
    folder = tmp_path_factory.mktemp("architecture")
    shutil.copytree(ROOT / "app", folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-c", LINT], cwd=folder, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_the_contracts_hold(copied: Path) -> None:
    code, output = lint(copied)
    assert code == 0, output


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("contract/jobs.py", "from ..zoo import cards", "Each folder of app/"),
        ("pipeline/plan.py", "def f():\n    from ..cli import main", "Each folder of app/"),
        ("images/render.py", FOR_TYPES, "Each folder of app/"),
        ("attribution/classifier.py", "def f():\n    from .engine import Engine", "No import cycle"),
        ("attribution/score.py", "from ..settings import Settings", "The attribution library"),
        ("attribution/methods/base.py", "from fastapi import Request", "The attribution library"),
        ("storage/clock.py", "import torch", "The web process imports no torch"),
        ("client/requests.py", "from ..web.routes import uploads", "know no routes"),
    ],
)  # fmt: skip
def test_a_wrong_import_fails(copied: Path, module: str, line: str, broken: str) -> None:
    path = copied / "app" / module
    before = path.read_text("utf-8")
    path.write_text(f"{before}\n{line}\n", "utf-8")
    try:
        code, output = lint(copied)
    finally:
        path.write_text(before, "utf-8")
    assert code == 1
    assert any(broken in text and " BROKEN" in text for text in output.splitlines()), output


def test_no_modules_import_in_a_circle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports inside functions and for types alone among them."""
    monkeypatch.syspath_prepend(ROOT)
    graph = grimp.build_graph("app", cache_dir=None)
    edges = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(list(TopologicalSorter(edges).static_order())) == len(edges) > 200


def test_few_folders_each_with_its_purpose() -> None:
    entries = [path for path in (ROOT / "app").iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 16
    for folder in entries:
        if folder.is_dir():
            assert (folder / "__init__.py").read_text("utf-8").startswith('"""'), f"what is {folder.name}/ for?"


def test_files_that_ask_for_a_shared_server_are_listed_together(request: pytest.FixtureRequest) -> None:
    """Of all that this run has collected. One that is not listed would start a server of its own."""
    asked = {item.location[0]: servers for item in request.session.items if (servers := shared_servers(item))}
    assert {file: servers for file, servers in asked.items() if TOGETHER.get(file) not in servers} == {}
