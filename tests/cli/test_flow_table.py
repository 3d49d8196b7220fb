"""The table of a terminal."""

from __future__ import annotations

import io

import pytest
from gradoscope.cli.flow_table import BAR, bars, table
from gradoscope.contract.flows import FlowLayer
from rich.console import Console


def test_bars_are_logarithmic():
    assert bars([1.0, 0.1, 0.01]) == pytest.approx([BAR, BAR * (1 - 1 / 2.2), BAR * (1 - 2 / 2.2)])
    assert bars([1.0, 1e-30, 0.0, None]) == [BAR, 0.5, 0.0, 0.0]
    assert bars([0.0, None]) == [0.0, 0.0]


def test_a_row_for_each_layer():
    layer = {"name": "act[0]", "kind": "ReLU6", "operation": "hardtanh", "call": 2, "shape": [3, 4, 4], "norm": 0.5}
    layer |= {"rms": 0.1, "dead": 0.25, "dead_units": 0, "saturated": None, "pooling": None, "into": []}
    pool = layer | {
        "name": "pool",
        "call": 1,
        "dead": None,
        "pooling": {"how": "maximum", "received": 0.5, "map": None},
    }
    out = io.StringIO()
    Console(file=out, width=160).print(
        table([FlowLayer.model_validate(one) for one in (layer, pool | {"norm": None, "rms": None})])
    )
    _, _, first, second = out.getvalue().splitlines()[-4:]
    assert first.split()[:5] == ["act[0]", "#2", "ReLU6", "3×4×4", "0.5"]
    assert "25.0 %" in first
    assert "not finite" in second
    assert "50.0 %" in second
