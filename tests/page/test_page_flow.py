"""The gradient flow's dialog in a real browser: figure, pointer, arrow keys, table, both themes, a phone."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from tests.support.browser import LONG, Visit, visiting

expect.set_options(timeout=LONG)
FLOWS = "**/api/v1/gradient-flows"
AVERAGE = "An average: 100 % of its inputs received a gradient; within a window, each input receives the same share."
PHONE: Any = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def server_url(real_url: str) -> str:
    return real_url


@pytest.fixture(scope="module")
def record(server_url: str) -> Any:
    data = {"sample": "cat", "method": "grad_cam", "target": ["285", "282"], "size": 64}
    return httpx.post(f"{server_url}/api/v1/explanations", data=data, timeout=300).json()


@pytest.fixture(scope="module")
def flow(server_url: str, record: Any) -> Any:
    data = {"from": record["id"], "target": 282, "size": 64}
    return httpx.post(f"{server_url}/api/v1/gradient-flows", data=data, timeout=300).json()


def opened(visit: Visit, record: Any, place: int) -> Locator:
    visit.page.goto(f"{visit.root}/e/{record['id']}")
    visit.page.locator("map-panel canvas.map").nth(1).wait_for()
    visit.page.locator(".row-flow").nth(place).click()
    dialog = visit.page.get_by_role("dialog", name="Gradient flow")
    dialog.locator("flow-figure svg").wait_for()
    return dialog


def test_a_rows_flow_is_read_by_pointer_keys_and_table(
    browser: Browser, server_url: str, record: Any, flow: Any
) -> None:
    with visiting(browser, server_url) as visit:
        dialog = opened(visit, record, 1)
        layers, page = flow["layers"], visit.page
        expect(dialog.locator(".drawer-head")).to_contain_text("tiger cat · EfficientNet-Lite0 · logit")
        expect(dialog.locator(".flow-finding")).to_have_count(len(flow["findings"]))
        expect(dialog.locator(".flow-finding").first).to_contain_text("arrives at the picture")
        reading, slider = dialog.locator("flow-layer-details"), dialog.get_by_role("slider", name="Layer")
        expect(reading.get_by_role("heading")).to_have_text("The picture")
        slider.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        expect(reading).to_contain_text(f"{layers[3]['kind']} · {' × '.join(map(str, layers[3]['shape']))}")
        expect(reading).to_contain_text("Dead")
        assert layers[3]["name"] in str(slider.get_attribute("aria-valuetext"))
        box = dialog.locator(".flow-plot").bounding_box()
        assert box is not None
        place = len(layers) - 2
        page.mouse.move(box["x"] + 44 + (box["width"] - 56) * (place + 0.5) / len(layers), box["y"] + 100)
        expect(reading.get_by_role("heading")).to_have_text(layers[place]["name"])
        expect(reading.get_by_role("img")).to_have_attribute("aria-label", AVERAGE)
        assert slider.input_value() == str(place)
        dialog.get_by_text("As a table").click()
        expect(dialog.locator("tbody tr")).to_have_count(len(layers))
        assert "flow=efficientnet_lite0/282" in page.url
        assert visit.axe_in_both_themes("dialog[open]") == []
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(page.locator(".row-flow").nth(1)).to_be_focused()
        page.locator(".row-flow").nth(1).click()
        dialog.locator("flow-figure svg").wait_for()
        assert len([request for request in visit.asked if request.url.endswith("/gradient-flows")]) == 1


def vanishing(route: Route, flow: Any) -> None:
    """An answer with all that the real model has none of."""
    layers = [layer | {"into": [place for place in layer["into"] if place < 8]} for layer in flow["layers"][:8]]
    for layer in layers[:3]:
        layer["norm"] = layer["rms"] = 0.0
    layers[1] |= {"kind": "MaxPool2d", "pooling": {"how": "maximum", "received": 0.25, "map": [[0, 1], [0, 0]]}}
    layers[4] |= {"norm": None, "rms": None, "call": 2, "saturated": 0.97, "dead": None}
    finding = {"code": "flow_stops", "level": "doubt", "detail": "", "values": {"layer": "bn1 (ReLU)", "count": 2}}
    finding["url"] = "/trust#gradient_flow"
    route.fulfill(json={**flow, "layers": layers, "findings": [finding]})


def test_what_vanishes_and_what_fails_is_told_on_a_phone(
    browser: Browser, server_url: str, record: Any, flow: Any
) -> None:
    with visiting(browser, server_url, viewport=PHONE, color_scheme="dark") as visit:
        page = visit.page
        problem = {"title": "Not enough memory", "status": 507, "detail": "Take a smaller model."}
        page.route(FLOWS, lambda route: route.fulfill(status=507, body=json.dumps(problem)), times=1)
        page.goto(f"{visit.root}/e/{record['id']}#flow=efficientnet_lite0/285")
        dialog = page.get_by_role("dialog", name="Gradient flow")
        expect(dialog.get_by_role("alert")).to_contain_text("Take a smaller model.")
        assert visit.axe() == []
        page.route(FLOWS, lambda route: vanishing(route, flow), times=1)
        dialog.get_by_role("alert").get_by_role("button").click()
        expect(dialog.locator(".flow-finding.doubt")).to_contain_text("The gradient stops at bn1 (ReLU)")
        expect(dialog.locator(".flow-nothing")).to_have_count(4)
        expect(dialog.locator(".flow-pool.maximum")).to_have_count(1)
        slider, reading = dialog.get_by_role("slider"), dialog.locator("flow-layer-details")
        slider.fill("1")
        expect(reading).to_contain_text("A maximum: 25 % of its inputs")
        pixels = "canvas => [...canvas.getContext('2d').getImageData(0, 0, 2, 2).data].filter((_, i) => i % 4 === 0)"
        assert reading.locator("canvas").evaluate(pixels) == [0, 255, 0, 0]
        slider.fill("4")
        expect(reading).to_contain_text("not finite")
        expect(reading).to_contain_text("97 %")
        assert visit.axe() == []
        assert visit.overflow() <= 0
