"""`gradoscope doctor`: checks this machine as a server would use it, and says what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module

from ...settings import Settings
from .finding import Diagnosis, Verdict, worst
from .setup import overridden, settings_or_diagnoses, versions

__all__ = ["Diagnosis", "Verdict", "run_checks", "worst"]
REMEDY = "Install anew: the versions of constraints.txt, and torch and torchvision both from one index"
CHECKS = {  # module: its checks; imported only when run, because PyTorch or other libraries may be missing or broken
    "computing": ("device", "acceleration", "memory"),
    "plugins": ("plugins",),
    "models": ("models", "weights_folder"),
    "store": ("store",),
    "network": ("port", "host_names", "keys"),
}


def run_checks() -> Iterator[Diagnosis]:
    """Run all checks, and yield their results.

    What a check writes it removes again. Other machines are contacted only if the store is in a bucket. No result
    shows an API key, or a password in an address.
    """
    settings, diagnoses = settings_or_diagnoses()
    yield from diagnoses
    if settings is None:
        return
    for check in (overridden, versions):
        yield from _guarded(check.__name__, check, settings)
    for module, names in CHECKS.items():
        for name in names:
            yield from _guarded(name.replace("_", " "), _imported_check(module, name), settings)


def _imported_check(module: str, name: str) -> Callable[[Settings], Iterator[Diagnosis]]:
    """A check that imports its module only when it runs, so that a failing import becomes its result."""

    def check(settings: Settings) -> Iterator[Diagnosis]:
        results: Iterator[Diagnosis] = getattr(import_module(f".{module}", __name__), name)(settings)
        yield from results

    return check


def _guarded(what: str, check: Callable[[Settings], Iterator[Diagnosis]], settings: Settings) -> Iterator[Diagnosis]:
    """The results of a check. An exception becomes a result, so that the other checks still run."""
    try:
        yield from check(settings)
    except Exception as error:
        yield Diagnosis(what, "wrong", f"{type(error).__name__}: {error}", REMEDY if _is_broken_install(error) else "")


def _is_broken_install(error: Exception) -> bool:
    """Whether an error means that installed libraries are broken or incompatible."""
    return isinstance(error, (ImportError, OSError)) or "operator" in str(error)
