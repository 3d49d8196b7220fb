"""What the wheel holds: all of app/, static/, templates/ and models/, and nothing else."""

from __future__ import annotations

import tomllib
import zipfile

import pytest
from gradoscope import __version__

from tests.support.paths import ROOT
from tests.support.wheel import PARTS, build

PLUGINS = [
    ROOT / "app" / "attribution" / "methods",
    ROOT / "app" / "attribution" / "metrics",
    ROOT / "app" / "lab" / "experiments",
]


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    with zipfile.ZipFile(build(tmp_path_factory.mktemp("wheel"))) as wheel:
        return set(wheel.namelist())


def test_it_holds_every_file_of_the_checkout_and_no_other(members):
    here = {
        f"{package}/{file.relative_to(ROOT / part).as_posix()}"
        for part, package in PARTS.items()
        for file in (ROOT / part).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {name for name in members if ".dist-info/" not in name} == here


def test_it_holds_command_and_licence(members):
    about = f"gradoscope-{__version__}.dist-info"
    assert {f"{about}/entry_points.txt", f"{about}/licenses/LICENSE"} <= members


def test_every_package_is_named():
    named = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = {
        ".".join(("gradoscope", *path.parent.relative_to(ROOT / "app").parts))
        for path in (ROOT / "app").rglob("__init__.py")
        if path.parent.parent not in PLUGINS  # which are in package-data, not in packages
    }
    assert named == there | {f"gradoscope.{part}" for part in PARTS if part != "app"}
