"""Checks of settings and of installed versions."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from ...contract.version import VERSION
from ...settings import Settings, settings_or_faults
from .finding import Diagnosis

LISTED = ("torch", "torchvision", "timm", "captum", "numpy", "pillow", "fastapi", "uvicorn")
PASSWORD = re.compile(r"(?<=://)[^/@\s]*@")


def settings_or_diagnoses() -> tuple[Settings | None, list[Diagnosis]]:
    """The settings, and a diagnosis for each invalid or unknown variable; with one the server does not start."""
    settings, faults = settings_or_faults()
    return settings, [Diagnosis("settings", "wrong", fault.detail, fault.remedy) for fault in faults]


def overridden(settings: Settings) -> Iterator[Diagnosis]:
    """Which settings differ from their defaults."""
    changed = [
        f"{name}={value_text(getattr(settings, name))}"
        for name, field in Settings.model_fields.items()
        if getattr(settings, name) != _default(field.default)
    ]
    yield Diagnosis("settings", "ok", ", ".join(changed) if changed else "all as they are by default")


def versions(settings: Settings) -> Iterator[Diagnosis]:
    """The installed versions, and whether they satisfy the package's requirements."""
    yield Diagnosis(
        "Gradoscope",
        "ok",
        f"{VERSION} in {Path(__file__).parent.parent}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}",
    )
    yield Diagnosis("versions", "ok", ", ".join(f"{name} {version}" for name in LISTED if (version := _version(name))))
    for wanted in map(Requirement, metadata.requires("gradoscope") or ()):
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        version = _version(wanted.name)
        if version is None or not wanted.specifier.contains(version, prereleases=True):
            yield Diagnosis(
                "versions",
                "wrong",
                f"{wanted.name} {version or 'is not installed'}; needed: {wanted.name}{wanted.specifier}",
                f"{sys.executable} -m pip install '{wanted.name}{wanted.specifier}'",
            )


def value_text(value: Any) -> str:
    """A setting's value as text, without a password in a URL."""
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return PASSWORD.sub("…@", text)


def _default(value: Any) -> Any:
    return value.expanduser() if isinstance(value, Path) else value


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
