"""Plots are SVG that says its numbers, and fits its box."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from gradoscope.evaluation.svg import WIDTH, PlotLine, PlotPoint, curve_plot, point_plot, ticks

SVG = "{http://www.w3.org/2000/svg}"


def test_dots_lie_where_their_values_are():
    rows = [
        PlotPoint("One & two", colour=0, value=0.0, low=-0.1, high=0.1),
        PlotPoint("<Two>", colour=9, value=0.2, low=0.15, high=0.2),
        PlotPoint("Alone", colour=2, value=0.1, low=None, high=None),
    ]
    root = ElementTree.fromstring(
        point_plot("Gain <of>", model="net", caption="below the plot", rows=rows, reference=0.0)
    )
    groups = [group for group in root.iter(f"{SVG}g") if group.find(f"{SVG}circle") is not None]
    at = [float(group.find(f"{SVG}circle").get("cx")) for group in groups]
    assert at[2] == pytest.approx((at[0] + at[1]) / 2, abs=0.2)
    zero = next(line for line in root.iter(f"{SVG}line") if line.get("class") == "zero")
    assert float(zero.get("x1")) == pytest.approx(at[0], abs=0.2)
    bar = groups[0].find(f"{SVG}line")
    assert float(bar.get("x2")) == pytest.approx(at[2], abs=0.2)
    assert groups[2].find(f"{SVG}line") is None
    assert groups[0].find(f"{SVG}title").text == "One & two: 0.000 (−0.100 to 0.100)"
    assert [group.get("class") for group in groups] == ["s0", "s1", "s2"]  # there are 8 colours: 9 is 1


def test_curves_have_bands_and_controls_have_dashes():
    values = np.linspace(1, 0, 5)
    series = [
        PlotLine("Map", colour=0, values=values, low=values - 0.1, high=values + 0.1),
        PlotLine("random", colour=None, values=values, low=None, high=None, dashes="dash"),
    ]
    root = ElementTree.fromstring(curve_plot("Deletion", model="net", caption="share of pixels", series=series))
    lines = {line.get("class").strip(): line for line in root.iter(f"{SVG}polyline")}
    assert set(lines) == {"line", "line dash"}
    assert len(list(root.iter(f"{SVG}polygon"))) == 1
    numbers = [float(found) for line in lines.values() for found in re.findall(r"[\d.]+", line.get("points"))]
    assert max(numbers) <= WIDTH


@pytest.mark.parametrize(("low", "high"), [(0, 0.37), (-0.012, 0.04), (0, 1), (3, 3), (-900, 12000)])
def test_ticks_are_few_round_and_around(low, high):
    found = ticks(low, high)
    assert found[0] <= low
    assert found[-1] >= high
    assert 3 <= len(found) <= 7
