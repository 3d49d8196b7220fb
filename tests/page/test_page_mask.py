"""On the page: a mask that is painted, or taken from a file, is the region that a map is measured in."""

from __future__ import annotations

import io
import json
from typing import Any

import gradoscope
import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, expect

from tests.support.browser import LONG, Visit, fingers, module, visiting

expect.set_options(timeout=LONG)
SIDE = 64  # pixels of the input
METRICS = ("relevance_mass", "relevance_rank")


@pytest.fixture(scope="module")
def record(server_url: str) -> Any:
    data = {"sample": "cat", "method": ["vanilla_gradient", "grad_cam"], "size": SIDE}
    answer = httpx.post(f"{server_url}/api/v1/explanations", data=data, timeout=300)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def opened(visit: Visit, record: Any) -> Visit:
    return show(visit, record)


def show(visit: Visit, record: Any, fragment: str = "") -> Visit:
    visit.page.goto(f"{visit.root}/e/{record['id']}{fragment}")
    visit.finished(2)
    return visit


def state(visit: Visit, key: str = "viewport") -> Any:
    return visit.page.evaluate(f"async key => (await {module('state/store.js')}).store.state[key]", key)


def lens(visit: Visit, place: int = 0) -> Locator:
    return visit.page.locator("map-panel map-lens").nth(place)


def take_brush(visit: Visit) -> None:
    visit.page.get_by_role("button", name="Mask", exact=True).first.click()


def paint(visit: Visit, *places: tuple[float, float]) -> None:
    """A stroke over fractions of the first map."""
    box = lens(visit).bounding_box()
    assert box
    points = [(box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in places]
    visit.page.mouse.move(*points[0])
    visit.page.mouse.down()
    for point in points[1:]:
        visit.page.mouse.move(*point, steps=6)
    visit.page.mouse.up()


def cells_of(mask: dict[str, Any]) -> np.ndarray:
    runs = mask["runs"]
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(mask["height"], mask["width"])


def on_input(mask: dict[str, Any], crop: list[float]) -> np.ndarray:
    """Which pixels of the input have their middle inside, worked out by numpy."""
    cells, (x0, y0, x1, y1) = cells_of(mask), mask["place"]
    middles = (np.arange(SIDE) + 0.5) / SIDE
    across = (crop[0] + middles * (crop[2] - crop[0]) - x0) / (x1 - x0) * mask["width"]
    down = (crop[1] + middles * (crop[3] - crop[1]) - y0) / (y1 - y0) * mask["height"]
    seen = np.zeros((SIDE, SIDE), bool)
    rows, columns = (np.floor(places).astype(int) for places in (down, across))
    inside = np.ix_((rows >= 0) & (rows < mask["height"]), (columns >= 0) & (columns < mask["width"]))
    seen[inside] = cells[
        np.ix_(rows[(rows >= 0) & (rows < mask["height"])], columns[(columns >= 0) & (columns < mask["width"])])
    ]
    return seen


def within_capsule(mask: dict[str, Any], a: np.ndarray, b: np.ndarray, radius: float) -> np.ndarray:
    """Cells whose middle lies within `radius` of the line from a to b, in pixels of the picture."""
    x0, y0, x1, y1 = mask["place"]
    x = x0 + (np.arange(mask["width"]) + 0.5) * (x1 - x0) / mask["width"]
    y = y0 + (np.arange(mask["height"]) + 0.5) * (y1 - y0) / mask["height"]
    places = np.stack(np.meshgrid(x, y), -1)
    along = np.clip((places - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    return np.linalg.norm(places - a - along[..., None] * (b - a), axis=-1) <= radius


def measured_on_page(visit: Visit, metric: str) -> None:
    card = visit.page.get_by_role("dialog").locator(f"trust-metric[data-metric={metric}]")
    card.get_by_role("button", name="Measure").click()
    expect(card).to_have_attribute("data-status", "done")


def kept(server_url: str, record: Any, metric: str) -> dict[str, Any]:
    found = httpx.get(f"{server_url}/api/v1/explanations/{record['id']}", timeout=60).json()
    return found["panels"][0]["metrics"][metric]


def png(cells: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.uint8(255) * cells.astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def choose(visit: Visit, data: bytes, name: str = "mask.png") -> None:
    chooser = visit.page.locator("picture-view mask-fields input[type=file]")
    chooser.set_input_files({"name": name, "mimeType": "image/png", "buffer": data})


def test_a_painted_mask_gives_the_number_of_the_same_mask_over_rest(
    opened: Visit, server_url: str, record: Any
) -> None:
    take_brush(opened)
    paint(opened, (0.3, 0.3), (0.6, 0.5))
    mask = state(opened)["mask"]
    crop = record["inputs"][0]["crop"]
    ends = [
        np.array([crop[0] + u * (crop[2] - crop[0]), crop[1] + v * (crop[3] - crop[1])])
        for u, v in ((0.3, 0.3), (0.6, 0.5))
    ]
    picture = record["image"]
    radius = 0.08 / 2 * max(picture["width"], picture["height"])
    expected = within_capsule(mask, *ends, radius)
    assert (cells_of(mask) != expected).mean() < 0.002, "cells at the edge, by the rounding of the pointer's place"
    assert cells_of(mask).any()
    seen = on_input(mask, crop)
    opened.page.locator(".trust-open").first.click()
    for metric in METRICS:
        measured_on_page(opened, metric)
    ours = {metric: kept(server_url, record, metric) for metric in METRICS}
    text = gradoscope.run_lengths(seen)
    assert {found["parameters"]["mask"] for found in ours.values()} == {text}
    for metric, found in ours.items():
        answer = httpx.post(
            f"{server_url}/api/v1/explanations/{record['id']}/panels/{record['panels'][0]['id']}/metrics",
            data={"metrics": metric, "options": json.dumps({metric: {"mask": text}})},
            headers={"accept": "application/json"},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        again = next(p for p in answer.json()["panels"] if p["id"] == record["panels"][0]["id"])["metrics"][metric]
        assert again["figures"] == found["figures"]
    raw = np.load(io.BytesIO(httpx.get(server_url + record["panels"][0]["urls"]["npy"]).content))
    magnitudes = np.abs(raw).sum(0)
    figures = ours["relevance_mass"]["figures"]
    assert figures["area"] == pytest.approx(seen.mean())
    assert figures["mass"] == pytest.approx(magnitudes[seen].sum() / magnitudes.sum(), rel=1e-4)


def test_the_facts_tell_what_lies_in_the_mask(opened: Visit, server_url: str, record: Any) -> None:
    take_brush(opened)
    paint(opened, (0.5, 0.5), (0.55, 0.5))
    seen = on_input(state(opened)["mask"], record["inputs"][0]["crop"])
    raw = np.load(io.BytesIO(httpx.get(server_url + record["panels"][0]["urls"]["npy"]).content))
    magnitudes = np.abs(raw).sum(0)
    opened.wait_for_frame()
    facts = opened.page.locator("map-panel .box-facts").first.inner_text()
    assert f"area {percent(seen.mean())}" in facts
    assert f"map {percent(magnitudes[seen].sum() / magnitudes.sum())}" in facts
    expect(opened.page.locator("map-panel .mask:visible")).to_have_count(2)
    expect(opened.page.locator("picture-box .mask")).to_be_visible()


def percent(share: float) -> str:
    """As the page writes it."""
    value = 100 * share
    return f"{round(value, 1):g} %" if value < 10 else f"{round(value)} %"


def test_the_brush_erases_and_the_mask_is_removed(opened: Visit) -> None:
    take_brush(opened)
    paint(opened, (0.2, 0.5), (0.8, 0.5))
    before = cells_of(state(opened)["mask"])
    fields = opened.page.locator("picture-view mask-fields")
    fields.get_by_role("radio", name="Erase").check(force=True)
    paint(opened, (0.5, 0.2), (0.5, 0.8))
    after = cells_of(state(opened)["mask"])
    assert 0 < after.sum() < before.sum()
    assert not (after & ~before).any()
    fields.get_by_role("radio", name="Add").check(force=True)
    fields.get_by_role("slider", name="Brush size").fill("20")
    assert state(opened, "brush") == {"size": 20, "erase": False}
    expect(opened.page.locator("dialog[open]")).to_have_count(0)  # a press with the brush opens no map
    fields.get_by_role("button", name="Remove the mask").click()
    assert state(opened)["mask"] is None
    assert state(opened, "tool") is None
    expect(opened.page.locator(".mask:visible")).to_have_count(0)
    expect(opened.page.get_by_role("button", name="Mask", exact=True).first).to_be_focused()


def test_by_keys_alone(opened: Visit) -> None:
    keyboard = opened.page.keyboard
    lens(opened).focus()
    keyboard.press("m")
    for key in ("ArrowRight", "]", "]", " "):
        keyboard.press(key)
    assert state(opened, "brush")["size"] == 13  # 8, 10, 12.5
    first = cells_of(state(opened)["mask"])
    expect(opened.page.locator("#status")).to_have_text(f"The mask covers {percent(first.mean())} of the picture")
    for key in ("Shift+ArrowDown", " "):
        keyboard.press(key)
    assert cells_of(state(opened)["mask"]).sum() > first.sum()
    for key in ("x", "[", " "):
        keyboard.press(key)
    assert state(opened, "brush") == {"size": 10, "erase": True}
    assert cells_of(state(opened)["mask"]).sum() > 0
    keyboard.press("Escape")
    assert state(opened, "tool") is None
    keyboard.press("Escape")
    assert state(opened)["cross"] is None
    assert state(opened)["mask"] is not None
    keyboard.press("Escape")
    assert state(opened)["mask"] is None


def test_on_the_picture_itself_and_a_box_takes_its_place(opened: Visit) -> None:
    take_brush(opened)
    picture = opened.page.locator("picture-box").bounding_box()
    assert picture
    x, y = picture["x"] + picture["width"] / 2, picture["y"] + picture["height"] / 2
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    opened.page.mouse.move(x + 30, y, steps=3)
    opened.page.mouse.up()
    cells = cells_of(state(opened)["mask"])
    assert cells[cells.shape[0] // 2, cells.shape[1] // 2]
    take_brush(opened)  # puts it away
    assert state(opened, "tool") is None
    opened.page.keyboard.down("Shift")
    paint(opened, (0.2, 0.2), (0.4, 0.4))
    opened.page.keyboard.up("Shift")
    assert state(opened)["box"] is not None
    assert state(opened)["mask"] is None


def test_the_address_keeps_it_and_another_picture_does_not(opened: Visit, record: Any) -> None:
    take_brush(opened)
    paint(opened, (0.3, 0.6), (0.5, 0.6))
    opened.wait_for_frame()
    kept = opened.wait_for(
        f"""async () => {{
          const [{{ store }}, {{ pairsOf }}, {{ mask }}] = await Promise.all(
            [{module("state/store.js")}, {module("url-state/address.js")}, {module("url-state/codecs.js")}]);
          const told = mask.parse(pairsOf(location.hash).mask ?? '');
          const same = JSON.stringify(told) === JSON.stringify(store.state.viewport.mask);
          return same && {{ address: location.href, mask: told }};
        }}"""
    )
    address, mask = kept["address"], kept["mask"]  # of one moment: a stroke may still go on
    opened.page.goto("about:blank")
    opened.page.goto(address)
    opened.finished(2)
    assert state(opened)["mask"] == mask
    expect(opened.page.locator("map-panel .mask:visible")).to_have_count(2)
    opened.page.locator("#file").set_input_files(
        {"name": "new.png", "mimeType": "image/png", "buffer": png(np.eye(90, 120))}
    )
    opened.page.wait_for_function("id => !location.pathname.endsWith(id)", arg=record["id"])
    opened.finished(1)
    assert state(opened)["mask"] is None


@pytest.mark.parametrize(
    "text", ["", "4x4:0,0,4,4:", "4x4:0,0,4,4:AB", "4x4:4,0,0,4:IIg", "99999x99999:0,0,4,4:IIg", "4x4:a,0,4,4:II"]
)
def test_an_address_that_names_no_mask_is_passed_over(visit: Visit, record: Any, text: str) -> None:
    show(visit, record, f"#mask={text}")
    assert state(visit)["mask"] is None


def test_a_file_of_the_inputs_size_is_what_rest_takes(opened: Visit, server_url: str, record: Any) -> None:
    cells = np.zeros((SIDE, SIDE), bool)
    cells[5:33, 20:51] = True
    cells[40:, :7] = True
    take_brush(opened)
    choose(opened, png(cells))
    expect(opened.page.locator("map-panel .mask:visible")).to_have_count(2)
    assert state(opened)["mask"]["place"] == record["inputs"][0]["crop"]
    opened.page.locator(".trust-open").first.click()
    measured_on_page(opened, "relevance_mass")
    found = kept(server_url, record, "relevance_mass")
    assert found["parameters"]["mask"] == gradoscope.run_lengths(cells)
    assert found["figures"]["area"] == pytest.approx(cells.mean())


def test_a_file_of_the_pictures_shape_covers_the_picture(opened: Visit, record: Any) -> None:
    width, height = record["image"]["width"], record["image"]["height"]
    cells = np.zeros((height, width), bool)
    cells[height // 4 : height // 2, width // 3 : width // 2] = True
    take_brush(opened)
    choose(opened, png(cells))
    expect(opened.page.locator("picture-box .mask")).to_be_visible()
    mask = state(opened)["mask"]
    assert mask["place"] == [0, 0, width, height]
    assert np.array_equal(cells_of(mask), cells)
    before = cells.sum()
    paint(opened, (0.9, 0.9), (0.92, 0.9))  # painted on, in its own grid
    assert cells_of(state(opened)["mask"]).sum() > before


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no picture", "cannot be read as a picture"),
        (png(np.ones((10, 90))), "90 × 10 pixels"),
        (png(np.zeros((SIDE, SIDE))), "Nothing in it is brighter than half"),
    ],
)
def test_a_file_that_is_no_mask_is_refused_in_words(opened: Visit, data: bytes, words: str) -> None:
    take_brush(opened)
    choose(opened, data)
    alert = opened.page.get_by_role("alert").locator("visible=true")
    expect(alert.first).to_contain_text(words)
    assert state(opened)["mask"] is None
    choose(opened, png(np.eye(SIDE)))
    expect(opened.page.locator("picture-box .mask")).to_be_visible()
    expect(alert).to_have_count(0)


def test_a_finger_paints_two_fingers_magnify(browser: Browser, server_url: str, record: Any) -> None:
    phone = {"viewport": {"width": 390, "height": 800}, "has_touch": True}
    with visiting(browser, server_url, **phone) as visit:
        show(visit, record)
        visit.page.get_by_role("button", name="Reading").click()
        visit.page.get_by_role("dialog").get_by_role("button", name="Mask", exact=True).click()
        expect(visit.page.locator("dialog[open]")).to_have_count(0)
        touch = fingers(visit, lens(visit))
        at = visit.page.evaluate("scrollY")
        for kind, by in (("touchStart", [-30]), ("touchMove", [-10]), ("touchMove", [20]), ("touchEnd", [])):
            touch(kind, *by)
        painted = state(visit)["mask"]
        assert cells_of(painted).sum() > 0
        assert visit.page.evaluate("scrollY") == at
        touch("touchStart", -20)
        touch("touchStart", -20, 20)
        for apart in (30, 40):
            touch("touchMove", -apart, apart)
        touch("touchEnd")
        assert state(visit)["zoom"] == pytest.approx(2, rel=0.05)
        assert state(visit)["mask"] == painted, "the dab of the first finger is taken back"
        visit.page.get_by_role("button", name="Done", exact=True).click()
        assert state(visit, "tool") is None
        assert visit.overflow() <= 0
