"""Writes constraints.txt: the version of each runtime dependency, and of theirs, that the tests ran with."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distribution

from packaging.requirements import Requirement

from tests.support.paths import ROOT

HEAD = """# Versions that the tests ran with, of what gradoscope[fast] brings along. Written by `make pins`.
# pip install -c constraints.txt '.[fast]'
"""


def direct() -> list[Requirement]:
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(text) for text in (*about["dependencies"], *about["optional-dependencies"]["fast"])]


def normalised_name(requirement: Requirement) -> str:
    return re.sub(r"[-_.]+", "-", requirement.name).lower()


def pins() -> dict[str, str]:
    """Version by name. CUDA's packages are left out, because a build of PyTorch pins them itself, and setuptools, which
    is only for building."""
    waiting, found = direct(), {}
    while waiting:
        requirement = waiting.pop()
        name = normalised_name(requirement)
        if name in found or name.startswith(("nvidia-", "cuda-")) or name in ("triton", "setuptools"):
            continue
        installed = distribution(requirement.name)
        found[name] = installed.version.partition("+")[0]
        for text in installed.requires or ():
            further = Requirement(text)
            extras = ("", *requirement.extras)
            if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(further)
    return dict(sorted(found.items()))


if __name__ == "__main__":
    (ROOT / "constraints.txt").write_text(HEAD + "".join(f"{name}=={version}\n" for name, version in pins().items()))
