"""Colour palettes for maps, from a JSON file that the browser reads too."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np

from ..settings import shipped

SIGNED_PALETTE, MAGNITUDE_PALETTE = "blue_orange", "inferno"  # where no palette is named


@cache
def _listed() -> dict[str, dict[str, Any]]:
    listed: dict[str, dict[str, Any]] = json.loads((shipped("static") / "palettes.json").read_text("utf-8"))
    return listed


@cache
def palettes() -> dict[str, np.ndarray]:
    """(256, 3) uint8 by name."""
    return {
        name: np.frombuffer(bytes.fromhex(entry["colours"]), dtype=np.uint8).reshape(256, 3)
        for name, entry in _listed().items()
    }


@cache
def diverging() -> frozenset[str]:
    """Names of the diverging palettes, which have zero in the middle."""
    return frozenset(name for name, entry in _listed().items() if entry["kind"] == "diverging")
