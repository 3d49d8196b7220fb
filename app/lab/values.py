"""Tensors as the numbers of figures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..contract.experiments import Number, finite


def numbers(values: Iterable[Any], positive: bool = False) -> list[Number]:
    """A list of numbers; None where one is not finite or, for a logarithmic axis (`positive`), not above zero."""
    found = [finite(float(value)) for value in values]
    return [None if positive and value is not None and value <= 0 else value for value in found]
