"""The result of a check of `gradoscope doctor`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "attention", "wrong"]
ORDER: tuple[Verdict, ...] = ("ok", "attention", "wrong")


@dataclass(frozen=True)
class Diagnosis:
    """The result of one check: its subject, the verdict, what was found, and what to do if it is not ok."""

    what: str
    verdict: Verdict
    detail: str
    remedy: str = ""


def worst(diagnoses: Iterable[Diagnosis]) -> Verdict:
    """The worst verdict."""
    return max((diagnosis.verdict for diagnosis in diagnoses), key=ORDER.index, default="ok")


def format_bytes(count: float) -> str:
    """A number of bytes as text, such as «1.5 GiB»."""
    for unit in ("B", "KiB", "MiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
