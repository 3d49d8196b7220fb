"""Looks up what docs/compare.md says that other libraries have: each class or function that a cell names must be
defined in the source of that library's version. Downloads the packages from PyPI; imports nothing of them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "compare.md"
OWN = "Gradoscope"
OLDER = {"PAIR saliency": "tf1"}  # a folder that the table leaves out


def peers(page: str) -> dict[str, str]:
    """The requirement of each library by its name: `captum==0.9.0`."""
    found = re.findall(r"^\| \[([^\]]+)\]\(https://pypi\.org/project/([^/]+)/([^/]+)/\)", page, flags=re.M)
    return {name: f"{package}=={version}" for name, package, version in found}


def named(page: str) -> Iterator[tuple[str, str]]:
    """Yields (library, class or function) for each name in a cell of the tables of methods and metrics."""
    for table in re.findall(r"<!-- (?:methods|metrics) -->\n(.*?)<!-- /", page, flags=re.S):
        head, _, *rows = [
            [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]
            for line in table.strip().splitlines()
        ]
        for row in rows:
            for library, cell in zip(head[1:], row[1:], strict=True):
                if library != OWN:
                    yield from ((library, name) for name in re.findall(r"`(\w+)`", cell))


def unpack(requirement: str, folder: Path) -> None:
    """Download a package, and unpack it into `folder`."""
    packed = folder / "packed"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-build-isolation", "-d", str(packed)]
    subprocess.run([*command, requirement], check=True)
    (file,) = packed.iterdir()
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as wheel:
            wheel.extractall(folder)
    else:
        with tarfile.open(file) as source:
            source.extractall(folder, filter="data")


def definitions(folder: Path, left_out: str | None) -> set[str]:
    """The names of all classes and functions in a folder of Python sources."""
    found: set[str] = set()
    for file in folder.rglob("*.py"):
        if left_out not in file.parts:
            try:
                tree = ast.parse(file.read_text("utf-8"))
            except (SyntaxError, UnicodeDecodeError):
                continue
            kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
            found |= {node.name for node in ast.walk(tree) if isinstance(node, kinds)}
    return found


def main() -> int:
    page = PAGE.read_text("utf-8")
    known: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for number, (library, requirement) in enumerate(peers(page).items()):
            folder = Path(temporary, str(number))
            folder.mkdir()
            unpack(requirement, folder)
            known[library] = definitions(folder, OLDER.get(library))
            print(f"{requirement}: {len(known[library])} classes and functions")
    names = list(named(page))
    missing = [f"{library} has no {name}" for library, name in names if name not in known[library]]
    print("\n".join(missing or [f"all {len(names)} names are there"]))
    return bool(missing)


if __name__ == "__main__":
    sys.exit(main())
