"""Looking closely at maps: crosshair, zoom, box, reading, comparison and full screen on the real page."""

from __future__ import annotations

import io
import json
import re
from functools import cache
from typing import Any

import httpx
import numpy as np
import pytest
from gradoscope.contract.arrays import reduce_channels
from PIL import Image
from playwright.sync_api import Browser, Locator, expect
from scipy import stats

from tests.support.box_shares import shares
from tests.support.browser import LONG, Visit, fingers, module, visiting

expect.set_options(timeout=LONG)
MODELS = ["efficientnet_lite0", "efficientnet_lite1"]  # 224 and 240 pixels, with different crops of the picture
METHODS = ["vanilla_gradient", "guided_backprop", "grad_cam"]
PANELS = len(MODELS) * len(METHODS)


@pytest.fixture(scope="module")
def record(server_url: str) -> Any:
    data = {"sample": "cat", "model": MODELS, "method": METHODS}
    answer = httpx.post(f"{server_url}/api/v1/explanations", data=data, timeout=LONG / 1000)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def look(visit: Visit, record: Any) -> Visit:
    """A visit to that explanation."""
    return show(visit, record)


def show(visit: Visit, record: Any) -> Visit:
    visit.page.goto(f"{visit.root}/e/{record['id']}")
    visit.finished(PANELS)
    return visit


@cache
def fetched(url: str) -> bytes:
    return httpx.get(url).content


class Panel:
    """A panel by its record: the raw array, the picture as the model saw it, and where that crop lies."""

    def __init__(self, visit: Visit, record: Any, place: int) -> None:
        self.record = record["panels"][place]
        self.raw = np.load(io.BytesIO(fetched(visit.root + self.record["urls"]["npy"])))
        (self.input,) = (entry for entry in record["inputs"] if entry["model"] == self.record["model"])
        self.seen = np.asarray(Image.open(io.BytesIO(fetched(visit.root + self.input["url"]))).convert("RGB"))
        self.element = visit.page.locator("map-panel").nth(place)

    def read(self, reduction: str = "abs") -> np.ndarray:
        return reduce_channels(self.raw, reduction)

    def fraction(self, x: float, y: float) -> tuple[float, float]:
        x0, y0, x1, y1 = self.input["crop"]
        return (x - x0) / (x1 - x0), (y - y0) / (y1 - y0)

    def pixel(self, x: float, y: float) -> tuple[int, int]:
        u, v = self.fraction(x, y)
        return int(v * self.raw.shape[1]), int(u * self.raw.shape[2])


def panels(visit: Visit, record: Any) -> list[Panel]:
    return [Panel(visit, record, place) for place in range(PANELS)]


def state(visit: Visit, key: str = "viewport") -> Any:
    return visit.page.evaluate(f"async key => (await {module('state/store.js')}).store.state[key]", key)


def lens(visit: Visit, place: int = 0) -> Locator:
    return visit.page.locator("map-panel map-lens").nth(place)


def point(visit: Visit, place: int, across: float, down: float) -> None:
    """The pointer at fractions of a map, however large it is."""
    box = lens(visit, place).bounding_box()
    assert box
    lens(visit, place).hover(position={"x": across * box["width"], "y": down * box["height"]})


def number(text: str) -> float:
    mantissa, _, power = text.replace("−", "-").replace("+", "").partition("×10")
    return float(mantissa) * 10.0 ** int(power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) or 0)


def read_crosses(visit: Visit) -> list[tuple[float, float, tuple[int, int, int]]]:
    """What each panel says of the crosshair: its value, the share of weaker pixels in percent, and the colour."""
    visit.wait_for_frame()
    found = []
    for text in visit.page.locator("map-panel .cross-facts").all_inner_texts():
        match = re.fullmatch(r"(\S+) · stronger than ([\d.]+) % · ?RGB (\d+) (\d+) (\d+)", text)
        assert match, text
        found.append((number(match[1]), float(match[2]), (int(match[3]), int(match[4]), int(match[5]))))
    return found


def test_the_crosshair_reads_the_same_place_everywhere(look: Visit, record: Any) -> None:
    state(look)["cross"]  # imports the store once, so that this request is not counted below
    before = len(look.requests)
    point(look, 1, 0.33, 0.2)
    x, y = state(look)["cross"]
    for panel, (value, rank, colour) in zip(panels(look, record), read_crosses(look), strict=True):
        pixel = panel.pixel(x, y)
        map = panel.read()
        assert value == pytest.approx(map[pixel], rel=6e-3)
        assert rank == pytest.approx(stats.percentileofscore(map.ravel(), map[pixel], kind="weak"), abs=0.06)
        assert colour == tuple(panel.seen[pixel])
        line, lens_box = (panel.element.locator(of).bounding_box() for of in (".cross.down", "map-lens"))
        assert line
        assert lens_box
        across = (line["x"] + line["width"] / 2 - lens_box["x"]) / lens_box["width"]
        assert across == pytest.approx(panel.fraction(x, y)[0], abs=0.5 / panel.raw.shape[2] + 0.003)
    look.page.locator(".maps reading-bar").get_by_role("radio", name="Sum").check()
    point(look, 1, 0.33, 0.2)
    texts = look.page.locator("map-panel .cross-facts .cross-value").all_inner_texts()
    assert all(text[0] in "+−" or text == "0" for text in texts), "signed values carry their sign"
    look.page.locator(".wordmark").hover()
    expect(look.page.locator(".cross-facts:visible")).to_have_count(0)
    assert [request.url for request in look.requests[before:]] == []


def test_the_keyboard_moves_by_pixels_and_zooms(look: Visit, record: Any) -> None:
    panel = Panel(look, record, 0)
    lens(look).focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Shift+ArrowLeft"):
        look.page.keyboard.press(key)
    middle = panel.raw.shape[1] // 2
    assert panel.pixel(*state(look)["cross"]) == (middle + 1, middle + 1 - 10)
    value = panel.read()[middle + 1, middle - 9]
    expect(look.page.locator("#status")).to_contain_text("Vanilla gradient · EfficientNet-Lite0")
    expect(look.page.locator("#status")).to_contain_text(f"{value:.3g}"[:4])
    for _ in range(8):
        look.page.keyboard.press("+")
    assert state(look)["zoom"] == 16
    look.wait_for_frame()
    transforms = [one.evaluate("node => new DOMMatrix(getComputedStyle(node).transform).a") for one in look.maps.all()]
    assert transforms == [16] * PANELS
    rendering = look.maps.first.evaluate("canvas => getComputedStyle(canvas).imageRendering")
    assert rendering == "pixelated"
    for _ in range(12):  # the view follows the crosshair to the edge
        look.page.keyboard.press("Shift+ArrowLeft")
    look.wait_for_frame()
    assert panel.pixel(*state(look)["cross"])[1] == 0
    cross, lens_box = (lens(look).locator(of).bounding_box() for of in (".cross.down", "xpath=."))
    assert cross
    assert lens_box
    assert lens_box["x"] <= cross["x"] <= lens_box["x"] + lens_box["width"]
    look.page.keyboard.press("-")
    assert state(look)["zoom"] == pytest.approx(16 / 1.5)
    look.page.keyboard.press("0")
    assert (state(look)["zoom"], state(look)["centre"]) == (1, None)
    look.page.keyboard.press("Escape")
    assert state(look)["cross"] is None


def test_wheel_and_drag(look: Visit) -> None:
    lens(look).hover(position={"x": 60, "y": 90})
    look.page.mouse.wheel(0, -100)
    look.wait_until_idle()
    assert state(look)["zoom"] == 1, "the wheel without Ctrl scrolls the page"
    place = state(look)["cross"]
    look.page.keyboard.down("Control")
    for _ in range(3):
        look.page.mouse.wheel(0, -100)
    look.page.keyboard.up("Control")
    look.wait_for_frame()
    zoom = state(look)["zoom"]
    assert zoom > 3
    box = lens(look).bounding_box()
    assert box
    look.page.mouse.move(box["x"] + 61, box["y"] + 90)
    assert np.abs(np.array(state(look)["cross"]) - place).max() < 1.5, "what lies under the pointer stayed there"
    centre = state(look)["centre"]
    look.page.mouse.down()
    look.page.mouse.move(box["x"] + 41, box["y"] + 110, steps=4)
    look.page.mouse.up()
    moved = np.array(state(look)["centre"]) - centre
    assert moved[0] > 0 > moved[1], "the map moves with the pointer"
    expect(look.page.locator("dialog[open]")).to_have_count(0)
    lens(look).dblclick()
    assert state(look)["zoom"] == 1
    expect(look.page.locator("dialog[open]")).to_have_count(0)


def test_two_fingers_zoom_and_one_scrolls(browser: Browser, server_url: str, record: Any) -> None:
    with visiting(browser, server_url, viewport={"width": 390, "height": 800}, has_touch=True) as visit:
        show(visit, record)
        touch = fingers(visit, lens(visit))
        touch("touchStart", -20)
        touch("touchStart", -20, 20)
        for apart in (25, 30, 35, 40):
            touch("touchMove", -apart, apart)
        touch("touchEnd")
        assert state(visit)["zoom"] == pytest.approx(2, rel=0.05)
        visit.page.get_by_role("button", name="2×, show all").click()
        assert state(visit)["zoom"] == 1
        assert visit.overflow() <= 0


def box_facts(visit: Visit) -> list[list[float]]:
    """The percentages that each panel shows of the box."""
    visit.wait_for_frame()
    texts = visit.page.locator("map-panel .box-facts").all_inner_texts()
    return [[float(found) for found in re.findall(r"([\d.]+) %", text)] for text in texts]


def test_a_box_on_the_picture(look: Visit, record: Any) -> None:
    picture = look.page.locator("picture-box").bounding_box()
    assert picture
    scale = picture["width"] / record["image"]["width"]
    look.page.mouse.move(picture["x"] + 150 * scale, picture["y"] + 80 * scale)
    look.page.mouse.down()
    look.page.mouse.move(picture["x"] + 300 * scale, picture["y"] + 220 * scale, steps=5)
    look.page.mouse.up()
    assert state(look)["box"] == pytest.approx([150, 80, 300, 220], abs=2)
    fields = look.page.locator("picture-view box-fields")
    for name, value in (("x", "150"), ("y", "80"), ("w", "150"), ("h", "140")):
        fields.get_by_label(name, exact=True).fill(value)
        fields.get_by_label(name, exact=True).press("Tab")
    box = [150, 80, 300, 220]
    assert state(look)["box"] == box

    def check_box_facts(reduction: str) -> None:
        for panel, found in zip(panels(look, record), box_facts(look), strict=True):
            part = [*panel.fraction(*box[:2]), *panel.fraction(*box[2:])]
            expected = shares(panel.read(reduction), panel.read("sum"), part)
            shown = [100 * (expected[name] or 0) for name in ("map", "area", "positive")]
            assert found == pytest.approx(shown, abs=1.1)  # `shares` is exact to eighths of pixels

    check_box_facts("abs")
    look.page.locator(".maps reading-bar").get_by_role("radio", name="Sum").check()
    check_box_facts("sum")
    expect(look.page.locator("map-panel .box:visible")).to_have_count(PANELS)
    look.page.get_by_role("button", name="Remove the box").click()
    expect(look.page.locator(".box:visible")).to_have_count(0)
    expect(look.page.get_by_role("button", name="Box", exact=True).first).to_be_focused()


def test_a_box_on_a_map_and_by_keys(look: Visit) -> None:
    look.page.get_by_role("button", name="Box", exact=True).first.click()
    lens(look).hover(position={"x": 50, "y": 50})
    look.page.mouse.down()
    lens(look).hover(position={"x": 150, "y": 120})
    look.page.mouse.up()
    first = state(look)["box"]
    assert first[2] - first[0] == pytest.approx(10 / 7 * (first[3] - first[1]), abs=2)
    assert state(look, "tool") is None
    expect(look.page.locator("dialog[open]")).to_have_count(0)
    lens(look).focus()
    for key in ("b", "Shift+ArrowRight", "Shift+ArrowDown", "b"):
        look.page.keyboard.press(key)
    second = state(look)["box"]
    assert second != first
    assert second[2] - second[0] == pytest.approx(second[3] - second[1], abs=1)


def ticks(visit: Visit, place: int) -> list[str]:
    visit.wait_for_frame()
    return visit.page.locator("map-panel").nth(place).locator(".ticks span").all_inner_texts()


def test_reading_sends_no_request_and_scales_can_be_shared(look: Visit, record: Any) -> None:
    before = len(look.requests)
    maps = panels(look, record)
    clips = [np.percentile(panel.read(), 99) for panel in maps]

    def ends() -> list[float]:
        """The largest value on each map's colour scale."""
        return [number(ticks(look, place)[2].removeprefix("≥ ")) for place in range(PANELS)]

    assert ends() == pytest.approx(clips, rel=6e-3)
    look.reading_control("Which colour scale each map uses").select_option("One per method")
    by_method = [
        max(c for c, m in zip(clips, maps, strict=True) if m.record["method"] == p.record["method"]) for p in maps
    ]
    assert ends() == pytest.approx(by_method, rel=6e-3)
    look.reading_control("Which colour scale each map uses").select_option("One for all maps")
    assert ends() == pytest.approx([max(clips)] * PANELS, rel=6e-3)
    look.reading_control("Which colour scale each map uses").select_option("Each map its own")
    shown = look.pixels()
    bar = look.page.locator(".maps reading-bar")
    bar.get_by_role("radio", name="Positive").check()
    assert ticks(look, 0)[2] == f"≥ {np.percentile(maps[0].read('positive'), 99):#.3g}"
    bar.get_by_role("radio", name="Negative").check()
    assert ticks(look, 0)[2] == f"≥ {np.percentile(maps[0].read('negative'), 99):#.3g}"
    bar.get_by_role("radio", name="Absolute").check()
    mark = bar.locator(".clip-mark")
    look.reading_control("Clip").fill("90")
    look.wait_for_frame()
    left = mark.evaluate("node => parseFloat(node.style.left)")
    assert left == pytest.approx(100 * np.percentile(maps[0].read(), 90) / maps[0].read().max(), rel=0.01)
    look.reading_control("Clip").fill("99")
    assert look.pixels() == shown
    assert [request.url for request in look.requests[before:]] == []


# The shares of pixels that are opaque, and that are white.
OPACITY = """canvas => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  let [opaque, white] = [0, 0];
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3]) opaque += 1;
    if (data[i + 3] && data[i] + data[i + 1] + data[i + 2] === 765) white += 1;
  }
  return [opaque, white].map(count => 4 * count / data.length);
}"""


def test_what_is_shown_of_a_map(look: Visit) -> None:
    choice = look.reading_control("Which part of a map is shown")
    share = look.page.locator(".maps").get_by_label("Share of the pixels that count as strongest")

    def opacity() -> tuple[float, float]:
        look.wait_for_frame()
        opaque, white = look.maps.first.evaluate(OPACITY)
        return opaque, white

    assert opacity()[0] == 1
    expect(share).to_be_hidden()
    choice.select_option("Top only")
    assert opacity()[0] == pytest.approx(0.1, abs=1e-4)
    share.fill("25")
    assert opacity()[0] == pytest.approx(0.25, abs=1e-4)
    choice.select_option("Window")
    assert opacity()[0] == pytest.approx(0.75, abs=1e-4)
    choice.select_option("Outline")
    opaque, white = opacity()
    assert 0 < white <= 0.25
    assert white < opaque < 1
    assert ticks(look, 0)[0].startswith("Top 25 %: from ")
    choice.select_option("All of it")
    assert opacity()[0] == 1


def test_two_maps_are_compared(look: Visit, record: Any) -> None:
    look.page.locator(".maps reading-bar").get_by_role("radio", name="Sum").check()
    look.page.get_by_role("button", name="Compare").first.click()
    dialog = look.page.get_by_role("dialog", name="Two maps")
    dialog.get_by_label("Map B").select_option(record["panels"][1]["id"])  # of the same row
    a, b = (panel.read("sum").ravel() for panel in panels(look, record)[:2])

    def numbers(count: int) -> list[str]:
        expect(dialog.locator(".agreement dd")).to_have_count(count)
        return dialog.locator(".agreement dd").all_inner_texts()

    hundredths = 100 * stats.spearmanr(a, b)[0]
    rounded = {f"{round(near) / 100:.2f}".replace("-", "−") for near in (hundredths - 0.01, hundredths + 0.01)}
    expect(dialog.locator(".agreement dd").first).to_have_text(re.compile("|".join(rounded)))
    _, magnitudes, share, union = numbers(4)
    assert float(magnitudes) == pytest.approx(stats.spearmanr(np.abs(a), np.abs(b))[0], abs=0.0051)
    tops = [set(np.argsort(-np.abs(v))[: round(v.size / 10)].tolist()) for v in (a, b)]
    assert float(share[:-2]) == pytest.approx(100 * len(tops[0] & tops[1]) / len(tops[0]), abs=0.6)
    assert float(union[:-2]) == pytest.approx(100 * len(tops[0] & tops[1]) / len(tops[0] | tops[1]), abs=0.6)
    dialog.locator("map-lens").last.hover(position={"x": 90, "y": 120})
    difference = dialog.locator(".cross-value").last
    expect(difference).to_have_text(re.compile(r"^([+−].*|0)$"))
    clips = [np.percentile(np.abs(v), 99) for v in (a, b)]
    clipped = [np.clip(v / clip, -1, 1) for v, clip in zip((a, b), clips, strict=True)]
    at = np.ravel_multi_index(Panel(look, record, 0).pixel(*state(look)["cross"]), (224, 224))
    assert number(difference.inner_text()) == pytest.approx(clipped[0][at] - clipped[1][at], rel=6e-3, abs=2e-3)
    # Maps of another size and crop are compared on the smaller grid, where both models saw the picture.
    dialog.get_by_label("Map B").select_option(record["panels"][len(METHODS)]["id"])
    expect(dialog.locator("p.small")).to_contain_text("pixels that both models saw")
    numbers(4)
    assert dialog.locator("canvas.map").last.evaluate("canvas => canvas.width") == 224
    assert state(look)["compare"][1] == record["panels"][len(METHODS)]["id"]
    dialog.get_by_label("Map B").select_option(record["panels"][0]["id"])
    expect(dialog.locator(".agreement dd").first).to_have_text("1.00")
    look.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert state(look)["compare"] is None


def test_full_screen_has_a_split_view(look: Visit) -> None:
    lens(look, 2).click()
    dialog = look.page.get_by_role("dialog", name="Grad-CAM 2016")
    dialog.get_by_role("button", name="Split").click()
    divider = dialog.get_by_role("slider", name="Border between picture and map")
    divider.focus()
    for key in ("ArrowRight", "ArrowRight", "PageDown"):
        look.page.keyboard.press(key)
    expect(divider).to_have_attribute("aria-valuetext", "42 % picture")
    clip = dialog.locator(".over").evaluate("node => getComputedStyle(node).clipPath")
    assert float(re.findall(r"([\d.]+)%", clip)[-1]) == pytest.approx(42)
    handle = divider.bounding_box()
    well = dialog.locator("map-lens").bounding_box()
    assert handle
    assert well
    assert handle["width"] >= 24
    look.page.mouse.move(handle["x"] + 12, handle["y"] + 200)
    look.page.mouse.down()
    look.page.mouse.move(well["x"] + well["width"] * 0.25, handle["y"] + 200, steps=3)
    look.page.mouse.up()
    assert state(look)["split"] == pytest.approx(0.25, abs=0.01)
    dialog.locator("map-lens").focus()
    look.page.keyboard.press("ArrowRight")
    expect(dialog.locator(".status-line")).to_contain_text("Grad-CAM · EfficientNet-Lite0")
    dialog.locator("map-lens").hover(position={"x": 200, "y": 200})
    look.page.mouse.wheel(0, -100)
    look.wait_for_frame()
    assert state(look)["zoom"] > 1, "in full screen the wheel alone zooms"
    look.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_viewport_and_rendering_are_plain_json(look: Visit) -> None:
    """They can be written as JSON and set again, which restores the view."""
    lens(look).focus()
    for key in ("ArrowRight", "b", "Shift+ArrowRight", "Shift+ArrowDown", "b", "+"):
        look.page.keyboard.press(key)
    look.reading_control("Which part of a map is shown").select_option("Outline")
    look.wait_for_frame()
    kept = {key: json.dumps(state(look, key)) for key in ("viewport", "rendering")}
    shown = look.pixels(), look.maps.first.get_attribute("style"), box_facts(look)
    look.page.keyboard.press("0")
    look.page.evaluate(
        f"""async kept => {{
          const {{ store }} = await {module("state/store.js")};
          const {{ resetViewport, setRendering }} = await {module("state/actions.js")};
          resetViewport();
          setRendering({{ show: 'map' }});
          store.set(Object.fromEntries(Object.entries(kept).map(([key, text]) => [key, JSON.parse(text)])));
        }}""",
        kept,
    )
    assert (look.pixels(), look.maps.first.get_attribute("style"), box_facts(look)) == shown
