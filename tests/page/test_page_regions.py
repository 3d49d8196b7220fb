"""The regions of a map over the picture, and its strongest part as a window: XRAI's as in the figures of its paper."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from tests.support.browser import LONG, Visit, module

expect.set_options(timeout=LONG)
SIDE = 64
METHODS = ["vanilla_gradient", "xrai"]
LIGHT, DARK, FAINT, CLEAR = [255, 255, 255, 255], [0, 0, 0, 255], [0, 0, 0, 140], [0, 0, 0, 0]
VEIL = [27, 28, 30, 255]


@pytest.fixture(scope="module")
def record(server_url: str) -> Any:
    options = {"xrai": {"steps": 4, "dilation": 2}}
    data = {"sample": "cat", "method": METHODS, "size": SIDE, "options": json.dumps(options)}
    answer = httpx.post(f"{server_url}/api/v1/explanations", data=data, timeout=300)
    assert answer.status_code == 200, answer.text
    return answer.json()


def values_of(server_url: str, record: Any, method: str) -> np.ndarray:
    panel = next(panel for panel in record["panels"] if panel["method"] == method)
    raw = np.load(io.BytesIO(httpx.get(server_url + panel["urls"]["npy"]).content))
    return np.abs(raw).sum(0)


def show(visit: Visit, record: Any, fragment: str) -> None:
    visit.page.goto(f"{visit.root}/e/{record['id']}#{fragment}")
    visit.finished(2)


def panel(visit: Visit, method: str) -> Locator:
    return visit.page.locator("map-panel").nth(METHODS.index(method))


def pixels(visit: Visit, method: str) -> np.ndarray:
    """The map's canvas, (H, W, 4)."""
    visit.wait_for_frame()
    url = panel(visit, method).locator("canvas.map").evaluate("canvas => canvas.toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


def top_of(values: np.ndarray, percent: float) -> np.ndarray:
    """The pixels that are at least as strong as the last of the top, as PAIR's percentile takes whole regions."""
    count = max(1, round(values.size * percent / 100))
    return values >= np.sort(values.ravel())[-count]


@pytest.mark.parametrize("percent", [5, 10, 20, 30])
def test_xrais_best_regions_as_a_window(visit: Visit, server_url: str, record: Any, percent: int) -> None:
    show(visit, record, f"show=window&top={percent}")
    values = values_of(server_url, record, "xrai")
    inside = top_of(values, percent)
    drawn = pixels(visit, "xrai")
    assert np.array_equal(drawn[..., 3] == 0, inside)
    assert np.array_equal(np.unique(drawn[~inside], axis=0), [VEIL])
    text = panel(visit, "xrai").locator(".ticks").inner_text()
    assert text.startswith(f"Top {percent} %")
    whole = bool(abs(inside.mean() - percent / 100) > 0.005)  # regions are in or out as a whole
    assert ("whole regions" in text) is whole
    if whole:
        share = 100 * inside.mean()
        assert f"whole regions: {share:.0f} %" in text or f"whole regions: {share:.1f} %" in text


def test_borders_of_regions_are_light_in_the_top(visit: Visit, server_url: str, record: Any) -> None:
    show(visit, record, "show=regions&top=20")
    values = values_of(server_url, record, "xrai")
    inside = top_of(values, 20)
    drawn = pixels(visit, "xrai")
    lines = drawn[..., 3] > 0
    beside = np.zeros(values.shape, bool)  # pixels with a neighbour of another value
    for one, other in (
        ((slice(None), slice(0, -1)), (slice(None), slice(1, None))),
        ((slice(0, -1),), (slice(1, None),)),
    ):
        differs = values[one] != values[other]
        assert (lines[one] | lines[other])[differs].all(), "a line at every border"
        beside[one] |= differs
        beside[other] |= differs
    assert not lines[~beside].any(), "and none elsewhere"
    light = (drawn == LIGHT).all(-1)
    assert light.any()
    assert inside[light].all()
    faint = (drawn == FAINT).all(-1)
    assert faint.any()
    assert not inside[faint].any()
    # Of a map whose pixels all differ, the outline of the top.
    assert visit.page.evaluate(HAS_REGIONS, [values.ravel().tolist(), SIDE]) is True
    gradient = values_of(server_url, record, "vanilla_gradient")
    assert visit.page.evaluate(HAS_REGIONS, [gradient.ravel().tolist(), SIDE]) is False
    plain = pixels(visit, "vanilla_gradient")
    visit.reading_control("Which part of a map is shown").select_option("outline")
    assert np.array_equal(pixels(visit, "vanilla_gradient"), plain)
    assert not np.array_equal(pixels(visit, "xrai"), drawn)


HAS_REGIONS = f"""async ([values, side]) => {{
  const {{ hasRegions }} = await {module("rendering/top-percent.js")};
  return hasRegions({{ values: Float32Array.from(values), width: side, height: side }});
}}"""


def test_two_regions_and_the_rest(visit: Visit) -> None:
    """By hand: a strong region within the top, a weaker one outside, zero around."""
    visit.open()
    values = np.zeros((4, 8), np.float32)
    values[1:3, 1:3], values[1:3, 3:6] = 2, 1
    found = visit.page.evaluate(
        f"""async ([values, width, height]) => {{
          const {{ restrict }} = await {module("rendering/top-percent.js")};
          const pixels = new Uint32Array(width * height).fill(7);
          restrict({{ values: Float32Array.from(values), width, height }}, 'regions', 1.5, pixels);
          return [...new Uint8Array(pixels.buffer)];
        }}""",
        [values.ravel().tolist(), 8, 4],
    )
    drawn = np.array(found).reshape(4, 8, 4)
    assert (drawn[1:3, 1:3] == LIGHT).all()
    assert (drawn[1:3, 3] == DARK).all(), "the dark edge beside it"
    assert (drawn[1:3, 6] == FAINT).all()
    assert (drawn[0, 4] == FAINT).all()
    assert (drawn[1:3, 4] == CLEAR).all()
    assert (drawn[0, 0] == CLEAR).all()
    assert (drawn[:, 7] == CLEAR).all()


def test_stops_of_the_slider_are_those_of_the_paper(visit: Visit, record: Any) -> None:
    show(visit, record, "show=window")
    slider = visit.reading_control("Share of the pixels that count as strongest, in per cent")
    stops = slider.evaluate("input => [...input.list.options].map(option => option.value)")
    assert stops == ["5", "10", "20", "30"]
