"""Where the checkout and what lies beside it are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "static" / "samples"
SHARED = ROOT.parent / "shared"


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()
