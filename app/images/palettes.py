"""Colour palettes for maps, from a JSON file that the browser reads too."""

from __future__ import annotations

import json
from functools import cache

import numpy as np

from ..settings import shipped


@cache
def palettes() -> dict[str, np.ndarray]:
    """All palettes by name: (256, 3) uint8."""
    listed = json.loads((shipped("static") / "palettes.json").read_text("utf-8"))
    return {
        name: np.frombuffer(bytes.fromhex(entry["colours"]), dtype=np.uint8).reshape(256, 3)
        for name, entry in listed.items()
    }


@cache
def diverging() -> frozenset[str]:
    """Names of the diverging palettes, which have zero in the middle."""
    listed = json.loads((shipped("static") / "palettes.json").read_text("utf-8"))
    return frozenset(name for name, entry in listed.items() if entry["kind"] == "diverging")
