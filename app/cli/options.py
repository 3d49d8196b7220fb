"""Options that several commands share."""

from __future__ import annotations

from typing import cast, get_args

from ..contract.arrays import ScoreKind
from ..contract.jobs import Fit
from ..contract.parsing import one_of


def fit_of(text: str | None) -> Fit | None:
    """Parse --fit. Raises `Unprocessable`."""
    return None if text is None else cast(Fit, one_of("fit", text, get_args(Fit)))


def score_of(text: str) -> ScoreKind:
    """Parse --score. Raises `Unprocessable`."""
    return cast(ScoreKind, one_of("score", text, get_args(ScoreKind)))
