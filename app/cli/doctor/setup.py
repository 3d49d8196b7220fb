"""Settings as they were set, and the versions of what is installed."""

from __future__ import annotations

import difflib
import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from pydantic import ValidationError

from ...contract.version import VERSION
from ...settings import Settings
from .finding import Diagnosis

PREFIX = "GRADOSCOPE_"
TOLD = ("torch", "torchvision", "timm", "captum", "numpy", "pillow", "fastapi", "uvicorn")
PASSWORD = re.compile(r"(?<=://)[^/@\s]*@")


def settings_or_faults() -> tuple[Settings | None, list[Diagnosis]]:
    """The settings, and each variable that cannot be one."""
    faults = [_unknown(name) for name in sorted(os.environ) if name.upper().startswith(PREFIX) and not _is_known(name)]
    try:
        return Settings(), faults
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_context=False, include_input=False):
            name = PREFIX + str(fault["loc"][0]).upper() if fault["loc"] else "settings"
            meaning = Settings.model_fields[str(fault["loc"][0])].description if fault["loc"] else ""
            faults.append(Diagnosis("settings", "wrong", f"{name}: {_without_value(fault['msg'])}", f"{meaning}"))
        return None, faults


def overridden(settings: Settings) -> Iterator[Diagnosis]:
    """Which settings are not as they are by default."""
    said = [
        f"{name}={shown(getattr(settings, name))}"
        for name, field in Settings.model_fields.items()
        if getattr(settings, name) != _default(field.default)
    ]
    yield Diagnosis("settings", "ok", ", ".join(said) if said else "all as they are by default")


def versions(settings: Settings) -> Iterator[Diagnosis]:
    """What runs here, and whether it is what the package asks for."""
    yield Diagnosis(
        "Gradoscope",
        "ok",
        f"{VERSION} in {Path(__file__).parent.parent}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}",
    )
    yield Diagnosis("versions", "ok", ", ".join(f"{name} {version}" for name in TOLD if (version := _version(name))))
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


def shown(value: Any) -> str:
    """A setting's value, without the password that an address may hold."""
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return PASSWORD.sub("…@", text)


def _default(value: Any) -> Any:
    return value.expanduser() if isinstance(value, Path) else value


def _is_known(variable: str) -> bool:
    return variable[len(PREFIX) :].lower() in Settings.model_fields


def _unknown(variable: str) -> Diagnosis:
    names = [PREFIX + name.upper() for name in Settings.model_fields]
    near = difflib.get_close_matches(variable.upper(), names, 1)
    remedy = f"{near[0]} is one" if near else "docs/settings.md lists them"
    return Diagnosis("settings", "attention", f"{variable} is no setting, and has no effect", remedy)


def _without_value(message: str) -> str:
    """What is wrong, without what was given: it may be a secret in the wrong place."""
    return re.sub(r"«.*»", "«…»", message).removeprefix("Value error, ")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
