"""One thing that was looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "attention", "wrong"]
ORDER: tuple[Verdict, ...] = ("ok", "attention", "wrong")


@dataclass(frozen=True)
class Diagnosis:
    """What was looked at, how it stands, what was found, and what is to be done where it is not ok."""

    what: str
    verdict: Verdict
    detail: str
    remedy: str = ""


def worst(findings: Iterable[Diagnosis]) -> Verdict:
    """The worst verdict of all."""
    return max((finding.verdict for finding in findings), key=ORDER.index, default="ok")


def size(count: float) -> str:
    """Bytes, for people."""
    for unit in ("B", "KiB", "MiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
