"""Memory is flat: a thousand steps need no more than fifty."""

from __future__ import annotations

import sys

import pytest

from tests.support.steps import FACTOR, peak


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_steps() -> None:
    """A picture of 96 × 96 takes 108 KiB: a thousand of them that stayed would be 105 MiB, a sixth more."""
    few, many = peak(50), peak(1000)
    assert many <= FACTOR * few
