"""On the page: an uploaded map stands beside ours; a box that is drawn is the region that a map is measured in."""

from __future__ import annotations

import io
import json
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import LONG, fields, visiting

expect.set_options(timeout=LONG)
SIDE = 64  # pixels of the input


def npy(values: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


@pytest.fixture
def record(server_url: str) -> Any:
    """An explanation of two maps, with a third that was made elsewhere."""
    api = f"{server_url}/api/v1/explanations"
    data = {"sample": "cat", "method": ["vanilla_gradient", "grad_cam"], "size": SIDE}
    made = httpx.post(api, data=data, timeout=300).json()
    theirs = npy(np.outer(np.arange(SIDE), np.ones(SIDE)))
    answer = httpx.post(
        f"{api}/{made['id']}/maps", data={"title": "Theirs"}, files={"map": ("m.npy", theirs)}, timeout=60
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_uploaded_map_stands_beside_ours(browser: Browser, server_url: str, record: Any) -> None:
    with visiting(browser, server_url) as visit:
        visit.page.goto(f"{visit.root}/e/{record['id']}")
        panels = visit.page.locator("map-panel")
        expect(panels).to_have_count(3)
        expect(panels.nth(2)).to_contain_text("Theirs (uploaded)")
        panels.nth(2).locator("canvas.map").wait_for()
        panels.nth(2).locator(".trust-open").click()
        dialog = visit.page.get_by_role("dialog", name="Trust: Theirs (uploaded)")
        metric = dialog.locator("trust-metric[data-metric=sparseness]")
        metric.get_by_role("button", name="Measure").click()
        expect(metric).to_have_attribute("data-status", "done")
        metric = dialog.locator("trust-metric[data-metric=stability]")
        metric.get_by_role("button", name="Measure").click()
        expect(metric).to_contain_text("only what made it can make it anew")
        assert visit.complaints == []


def test_a_file_on_the_page(browser: Browser, server_url: str, record: Any) -> None:
    """Another map is added by the page; it is compared with ours, and a file that is no map is refused in words."""
    with visiting(browser, server_url) as visit:
        visit.page.goto(f"{visit.root}/e/{record['id']}")
        panels = visit.page.locator("map-panel")
        panels.nth(2).locator("canvas.map").wait_for()
        for content, name in ((npy(np.eye(SIDE)), "Diagonal.npy"), (b"no array", "broken.npy")):
            visit.page.get_by_role("button", name="Add a method").click()
            chooser = visit.page.locator("add-method input[type=file]")
            chooser.set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": content})
            if name == "Diagonal.npy":
                expect(panels).to_have_count(4)
                expect(panels.nth(3)).to_contain_text("Diagonal (uploaded)")
                panels.nth(3).locator("canvas.map").wait_for()
        expect(visit.page.get_by_role("alert").locator("visible=true").first).to_contain_text("npy")
        expect(panels).to_have_count(4)
        visit.page.get_by_role("button", name="Compare", exact=True).click()
        dialog = visit.page.get_by_role("dialog").locator("visible=true")
        expect(dialog).to_be_visible()
        dialog.locator("select").nth(1).select_option(label="Diagonal (uploaded)")
        expect(dialog).to_contain_text("Diagonal (uploaded)")
        dialog.locator("canvas.map:visible").nth(1).wait_for()  # both maps


def test_a_question_asked_again_asks_for_ours_only(browser: Browser, server_url: str, record: Any) -> None:
    with visiting(browser, server_url) as visit:
        visit.page.goto(f"{visit.root}/e/{record['id']}")
        expect(visit.page.locator("map-panel")).to_have_count(3)
        visit.page.locator("map-panel canvas.map").nth(2).wait_for()
        with visit.page.expect_request(lambda request: request.method == "POST") as asked:
            visit.page.get_by_label("Score").select_option("probability")
        expect(visit.page.locator("map-panel")).to_have_count(2)
        assert fields(asked.value)["method"] == ["vanilla_gradient", "grad_cam"]


def test_the_box_that_is_drawn_is_the_region(browser: Browser, server_url: str, record: Any) -> None:
    crop = record["inputs"][0]["crop"]
    side = (crop[2] - crop[0]) / SIDE  # pixels of the picture for each of the input
    box = [
        round(crop[0] + 16 * side),
        round(crop[1] + 8 * side),
        round(crop[0] + 48 * side),
        round(crop[1] + 40 * side),
    ]
    with visiting(browser, server_url) as visit:
        visit.page.goto(f"{visit.root}/e/{record['id']}#box={','.join(map(str, box))}")
        visit.page.locator("map-panel canvas.map").nth(2).wait_for()
        visit.page.locator(".trust-open").nth(2).click()
        metric = visit.page.get_by_role("dialog").locator("trust-metric[data-metric=relevance_mass]")
        metric.locator("summary").click()
        drawn = metric.locator("parameter-field[data-name=box] input").input_value()
        assert [float(edge) for edge in drawn.split(",")] == pytest.approx(
            [16, 8, 48, 40], abs=0.5
        )  # a box is of whole pixels of the picture
        metric.get_by_role("button", name="Measure").click()
        expect(metric).to_have_attribute("data-status", "done")
    kept = httpx.get(f"{server_url}/api/v1/explanations/{record['id']}", timeout=60).json()
    figures = kept["panels"][2]["metrics"]["relevance_mass"]["figures"]
    ramp = np.arange(SIDE)
    assert figures["area"] == pytest.approx(0.25)
    assert figures["mass"] == pytest.approx(ramp[8:40].sum() * 32 / (ramp.sum() * SIDE)), json.dumps(figures)
