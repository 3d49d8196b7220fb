"""Memory stays under its cap while models come and go: a short run of `make memory`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.switching import switch


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_returns_when_models_go(tmp_path: Path) -> None:
    figures = switch(tmp_path, 8, ("mobilenet_v2", "shufflenet_v2_x1_0", "squeezenet1_1"))
    assert 0 < figures["base"] < figures["worst"] <= figures["limit"]
