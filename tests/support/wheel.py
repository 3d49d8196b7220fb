"""The wheel, built from a copy of the checkout, and an environment elsewhere that it is installed in."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from tests.support.paths import ROOT

PARTS = {"app": "gradoscope", **{part: f"gradoscope/{part}" for part in ("static", "templates", "models")}}
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc")


def build(folder: Path) -> Path:
    """The wheel, in `folder`. From a copy: setuptools leaves a build folder behind, and puts old files of it into
    the next wheel."""
    sources = folder / "sources"
    for part in PARTS:
        shutil.copytree(ROOT / part, sources / part, ignore=IGNORED)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, sources)
    shutil.rmtree(sources)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """An environment in `folder` with the wheel in it; all else it borrows from this one. Returns its `bin`."""
    venv.create(folder, with_pip=False, symlinks=True)
    place = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    pip("--python", folder / "bin" / "python", "install", "--no-deps", "--no-index", wheel)
    # Names of folders alone: how this environment finds the checkout is in .pth files, which are not read there.
    borrowed = [path for path in map(Path, sys.path) if path.name in ("site-packages", "dist-packages")]
    (place / "borrowed.pth").write_text("".join(f"{path}\n" for path in borrowed))
    return folder / "bin"


def pip(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *map(str, arguments)], check=True)
