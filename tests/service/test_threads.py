"""The worker's PyTorch lets its threads sleep, unless somebody wants it otherwise."""

from __future__ import annotations

import os

import pytest
from gradoscope.service.threads import SPIN_COUNT, share_cores


@pytest.mark.parametrize(("given", "expected"), [(None, SPIN_COUNT), ("5", "5")])
def test_what_was_set_counts(given, expected, monkeypatch):
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")  # so that what was there comes back afterwards
    monkeypatch.delenv("GOMP_SPINCOUNT")
    if given is not None:
        monkeypatch.setenv("GOMP_SPINCOUNT", given)
    share_cores()
    assert os.environ["GOMP_SPINCOUNT"] == expected
