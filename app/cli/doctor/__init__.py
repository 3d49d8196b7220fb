"""`gradoscope doctor`: what a server would find here, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module

from ...settings import Settings
from .finding import Diagnosis, Verdict, worst
from .setup import overridden, settings_or_faults, versions

__all__ = ["Diagnosis", "Verdict", "examine", "worst"]
REMEDY = "Install anew: the versions of constraints.txt, and torch and torchvision both from one index"
LATER = {  # by module: these import PyTorch and its libraries, or else what may not be there in a broken environment
    "computing": ("device", "acceleration", "memory"),
    "plugins": ("plugins",),
    "models": ("models", "weights_folder"),
    "store": ("store",),
    "network": ("port", "answers", "keys"),
}


def examine() -> Iterator[Diagnosis]:
    """Look at everything in turn. Nothing is written that stays, no other machine is asked but where a bucket is the
    store, and no key, and no password within an address, is in what is found."""
    settings, faults = settings_or_faults()
    yield from faults
    if settings is None:
        return
    for look in (overridden, versions):
        yield from _guarded(look.__name__, look, settings)
    for module, names in LATER.items():
        for name in names:
            yield from _guarded(name.replace("_", " "), _named(module, name), settings)


def _named(module: str, name: str) -> Callable[[Settings], Iterator[Diagnosis]]:
    def look(settings: Settings) -> Iterator[Diagnosis]:
        found: Iterator[Diagnosis] = getattr(import_module(f".{module}", __name__), name)(settings)
        yield from found

    return look


def _guarded(what: str, look: Callable[[Settings], Iterator[Diagnosis]], settings: Settings) -> Iterator[Diagnosis]:
    """What `look` finds. Where it fails that is a finding, and the others look all the same."""
    try:
        yield from look(settings)
    except Exception as error:
        yield Diagnosis(what, "wrong", f"{type(error).__name__}: {error}", REMEDY if _is_install(error) else "")


def _is_install(error: Exception) -> bool:
    """Libraries that do not go together say so on import, in these ways."""
    return isinstance(error, (ImportError, OSError)) or "operator" in str(error)
