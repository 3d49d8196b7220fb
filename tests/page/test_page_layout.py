"""The layout: on desktops six maps without scrolling, on tablets the question beside the picture, on phones sheets."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, expect

from tests.support.browser import LONG, SIX, Visit, visiting
from tests.support.server import Server

expect.set_options(timeout=LONG)
DESKTOPS = [(1280, 720), (1366, 650), (1440, 900), (1920, 1080)]
PHONES = [(390, 844), (844, 390)]
LAYOUTS = """async cases => {
  const { layoutOf, usedWidth } = await import('/static/js/grid/map-layout.js');
  return cases.map(([width, height, count, ratio]) => {
    const layout = layoutOf({ width, height }, count, ratio);
    return { ...layout, used: usedWidth(layout, { width, height }) };
  });
}"""
# Gives each map ten findings for and ten against it, so that the brief verdict below it is as long as it can get.
MEASURE = """async () => {
  const module = path => import(new URL(`../${path}`, document.querySelector('script[type=module]').src));
  const { store } = await module('state/store.js');
  const { updatePanel } = await module('state/actions.js');
  const finding = level => ({ level, code: 'x', detail: 'x', values: {}, url: '/trust' });
  const findings = ['doubt', 'support'].flatMap(level => Array.from({ length: 10 }, () => finding(level)));
  const metrics = { x: { metric: 'x', status: 'done', findings } };
  for (const { id, record } of store.state.panels) updatePanel(id, { record: { ...record, metrics } });
}"""
# The parts of panels that lie outside the space between the head of the grid and the tool bar, or are cut off.
CUT = """() => {
  const room = document.querySelector('.grid-body').getBoundingClientRect();
  const bar = document.querySelector('.instruments').getBoundingClientRect();
  const found = [];
  for (const panel of document.querySelectorAll('map-panel')) {
    for (const selector of ['.panel-title', '.map-well', 'scale-bar', '.facts', '.trust-open']) {
      const part = panel.querySelector(selector);
      const at = part.getBoundingClientRect();
      const edge = Math.min(innerWidth, panel.getBoundingClientRect().right + 5);
      const within = at.left >= room.left - 1 && at.right <= edge && at.top >= room.top - 1;
      if (!at.height || !within || at.bottom > bar.top + 4) found.push([selector, at.top, at.bottom, bar.top]);
    }
    const facts = panel.querySelector('.facts');
    const visible = facts.getBoundingClientRect();
    for (const span of facts.querySelectorAll('span')) {
      const lines = [...span.getClientRects()];
      const cut = lines.some(line => line.right > visible.right + 1 || line.bottom > visible.bottom + 3);
      if (cut) found.push(['fact', span.textContent]);
    }
    if (facts.textContent.trim() === '') found.push('no facts');
    const title = panel.querySelector('.panel-title');
    const [name, place] = [title.firstElementChild, title].map(node => node.getBoundingClientRect());
    if (name.bottom > place.bottom + 2) found.push(['title', title.textContent]);
  }
  return found;
}"""
# Titles that are cut, and lists of maps that do not stand beside their letter.
CUT_COMPARISON = """() => {
  const dialog = document.querySelector('dialog.compare');
  const titles = [...dialog.querySelectorAll('figcaption')].filter(node => node.scrollHeight > node.clientHeight + 1);
  const apart = [...dialog.querySelectorAll('.compare-side')].filter(({ children: [letter, list] }) => {
    const [at, of] = [letter, list].map(node => node.getBoundingClientRect());
    return at.right > of.left || at.bottom < of.top || at.top > of.bottom || of.right > innerWidth;
  });
  return [...titles, ...apart].map(node => node.textContent);
}"""


@pytest.fixture
def explained(visit: Visit) -> Visit:
    visit.cat()
    return visit


def box(place: Locator) -> dict[str, float]:
    found = place.bounding_box()
    assert found
    return {**found, "right": found["x"] + found["width"], "bottom": found["y"] + found["height"]}


def test_maps_fill_the_space(visit: Visit) -> None:
    visit.open()
    rooms = itertools.product(
        (640, 966, 1040, 1400, 2400), (420, 514, 764, 944), (1, 2, 3, 5, 6, 7, 12, 18), (1, 0.75, 1.5)
    )
    cases = [list(case) for case in rooms]
    for (width, height, count, ratio), found in zip(cases, visit.page.evaluate(LAYOUTS, cases), strict=True):
        columns, size, beside = found["columns"], found["size"], found["beside"]
        assert 1 <= columns <= count
        # `beside`: title and facts are beside the map, not above and below it.
        across = columns * (size + (120 if beside else 0)) + 16 * (columns - 1)
        assert across <= width, (width, height, count, found)
        assert found["used"] <= width
        rows = -(-count // columns)
        chrome = 30 if beside else 94
        down = rows * (size / ratio + chrome) + 10 * (rows - 1)
        assert found["scrolls"] or down <= height + 1, (width, height, count, found)
        assert found["scrolls"] or size >= 132
    usual = visit.page.evaluate(LAYOUTS, [[966, 514, 6, 1], [1040, 764, 6, 1], [1400, 944, 6, 1], [2400, 420, 6, 1]])
    assert [found["columns"] for found in usual] == [3, 3, 3, 6]
    assert [found["beside"] for found in usual] == [True, False, False, False]
    assert not any(found["scrolls"] for found in usual)


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_six_maps_are_in_sight_without_scrolling(browser: Browser, server_url: str, language: str) -> None:
    with visiting(browser, server_url, locale=language, viewport={"width": 1366, "height": 650}) as visit:
        visit.open()
        visit.sample()
        visit.page.locator("map-panel[data-status=done] canvas.map:visible").nth(SIX - 1).wait_for()
        visit.wait_until_idle()
        for measured, (width, height) in itertools.product((False, True), DESKTOPS):
            if measured:
                visit.page.evaluate(MEASURE)
            visit.page.set_viewport_size({"width": width, "height": height})
            visit.wait_for_frame()
            assert visit.page.evaluate(CUT) == [], (width, height, measured)
            bar = box(visit.page.locator(".maps .instruments"))
            assert bar["height"] <= 48
            assert bar["bottom"] <= height
            rows = {round(box(one)["y"] + box(one)["height"] / 2) for one in bar_controls(visit)}
            assert max(rows) - min(rows) <= 12, "one row"
            spare = visit.page.locator(".maps .instruments").evaluate("node => node.clientWidth - node.scrollWidth")
            assert spare >= 0, "nothing of the bar is cut"
            assert visit.overflow() <= 0
            form = box(visit.page.locator("ask-form"))
            assert form["bottom"] <= height, "the form for the question is in sight too"
        visit.page.set_viewport_size({"width": 768, "height": 1024})
        visit.wait_for_frame()
        form, picture, grid = (box(visit.page.locator(name)) for name in ("ask-form", ".picture-well", "panel-grid"))
        assert form["x"] > picture["right"]
        assert form["y"] < picture["bottom"]
        assert grid["y"] > form["bottom"]
        assert visit.overflow() <= 0


def bar_controls(visit: Visit) -> list[Locator]:
    return visit.page.locator(".maps .instruments").locator("select:visible, .button:visible, .segment:visible").all()


def test_tools_that_do_not_fit_into_the_bar_are_behind_more(explained: Visit) -> None:
    page = explained.page
    page.set_viewport_size({"width": 1000, "height": 700})
    explained.wait_for_frame()
    more = page.locator(".maps").get_by_role("button", name="More")
    clip = page.locator(".maps reading-bar").get_by_role("slider", name="Clip")
    expect(clip).to_have_count(0)
    more.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".maps more-tools")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator(".maps more-tools :focus")).to_have_count(1)
    clip.fill("90")
    expect(page.locator(".maps .reading-clip output")).to_have_text("90 %")
    page.keyboard.press("Escape")
    expect(clip).to_have_count(0)
    expect(more).to_be_focused()
    page.set_viewport_size({"width": 1920, "height": 1080})
    explained.wait_for_frame()
    expect(clip).to_be_visible()


def test_box_and_crosshair_move_nothing(explained: Visit) -> None:
    page = explained.page
    page.set_viewport_size({"width": 1440, "height": 900})
    explained.wait_for_frame()
    places = page.locator(".maps .instruments .button, map-panel .map-well, .prediction, .trust-open")

    def boxes() -> list[Any]:
        explained.wait_for_frame()
        return [one.bounding_box() for one in places.all()]

    before = boxes()
    page.get_by_role("button", name="Box", exact=True).click()
    expect(page.locator("picture-view box-fields")).to_be_visible()
    assert boxes() == before
    lens = page.locator("map-panel map-lens").first
    at = box(lens)
    page.mouse.move(at["x"] + 40, at["y"] + 40)
    page.mouse.down()
    page.mouse.move(at["x"] + 120, at["y"] + 140, steps=3)
    page.mouse.up()
    assert boxes() == before
    readout = page.locator("map-panel").first.locator(".cross-facts")
    shares = page.locator("map-panel").first.locator(".box-facts")
    expect(readout).to_contain_text("stronger than")
    expect(shares).to_contain_text("area")
    page.get_by_role("button", name="Remove the box").click()
    lens.hover(position={"x": 90, "y": 90})
    explained.wait_for_frame()
    colour = box(readout.locator(".colour"))
    foot = box(page.locator("map-panel").first.locator(".panel-foot"))
    assert colour["right"] <= foot["right"]
    assert colour["bottom"] <= foot["bottom"] + 1, "the readout is whole at this width"


def test_the_picture_shows_what_magnified_maps_show(explained: Visit) -> None:
    page = explained.page
    frame, crop = page.locator("picture-box .window"), page.locator(".crop")
    expect(frame).to_be_hidden()
    page.locator("map-panel map-lens").first.focus()
    for _ in range(2):
        page.keyboard.press("+")
    explained.wait_for_frame()
    shown, seen = box(frame), box(crop)
    assert shown["width"] == pytest.approx(seen["width"] / 2.25, abs=1)
    assert shown["x"] + shown["width"] / 2 == pytest.approx(seen["x"] + seen["width"] / 2, abs=2)
    page.get_by_role("button", name="Zoom 2.3×, show all").click()
    expect(frame).to_be_hidden()


def test_a_tiny_picture_is_enlarged_by_whole_pixels(visit: Visit, tmp_path: Any) -> None:
    Image.effect_noise((16, 16), 80).convert("RGB").save(tmp_path / "tiny.png")
    visit.open()
    visit.page.locator("#file").set_input_files(tmp_path / "tiny.png")
    image = visit.page.locator("img.original")
    image.wait_for()
    expect(visit.page.locator(".stage.tiny")).to_have_count(1)
    visit.wait_for_frame()
    times = image.evaluate("node => node.parentElement.clientWidth / 16")
    assert times == round(times) >= 4
    assert image.evaluate("node => getComputedStyle(node).imageRendering") == "pixelated"


@pytest.mark.parametrize("size", PHONES)
def test_a_phone_shows_a_whole_map_at_once_and_the_tools_in_sheets(
    browser: Browser, server_url: str, size: tuple[int, int]
) -> None:
    width, height = size
    with visiting(browser, server_url, viewport={"width": width, "height": height}, has_touch=True) as visit:
        visit.cat()
        page = visit.page
        bar = box(page.locator("sheet-bar"))
        assert bar["bottom"] == pytest.approx(height, abs=1)
        assert box(page.locator("map-panel .map-well").first)["bottom"] <= bar["y"], "a whole map is in sight"
        assert visit.overflow() <= 0
        for name in ("Reading", "Ask"):
            opener = page.locator("sheet-bar").get_by_role("button", name=name)
            sheet = page.get_by_role("dialog", name=name)
            opener.click()
            expect(sheet).to_be_visible()
            expect(page.locator("dialog[open] :focus")).to_have_count(1)
            assert visit.overflow() <= 0
            page.keyboard.press("Escape")
            expect(sheet).to_be_hidden()
            expect(opener).to_be_focused()
            opener.click()
            page.mouse.click(width / 2, 4)  # outside the sheet
            expect(sheet).to_be_hidden()
            opener.click()
            head = box(sheet.locator(".low-sheet-head"))
            page.mouse.move(head["x"] + 60, head["y"] + 20)
            page.mouse.down()
            page.mouse.move(head["x"] + 60, head["y"] + 120, steps=4)
            page.mouse.up()
            expect(sheet).to_be_hidden()
        page.locator("sheet-bar").get_by_role("button", name="Reading").click()
        page.get_by_role("radio", name="Sum").check()
        page.get_by_role("button", name="Zoom in").click()
        page.get_by_role("button", name="Close").click()
        page.get_by_role("button", name="1.5×, show all").click()
        expect(page.locator("sheet-bar .sheet-reset")).to_be_hidden()


def test_the_sheet_closes_when_the_question_is_sent(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url, viewport={"width": 390, "height": 844}, has_touch=True) as visit:
        visit.cat()
        sheet = visit.page.get_by_role("dialog", name="Ask")
        visit.page.locator("sheet-bar").get_by_role("button", name="Ask").click()
        sheet.get_by_label("Score").select_option("probability")
        expect(sheet).to_be_hidden()
        expect(visit.page.locator("panel-grid .context")).to_contain_text("probability")
        visit.finished()


@pytest.mark.parametrize("size", [(1366, 650), (768, 1024), *PHONES])
@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_what_opens_over_the_maps_is_whole(
    browser: Browser, quick_model_server: Server, size: tuple[int, int], language: str
) -> None:
    width, height = size
    viewport = {"width": width, "height": height}
    with visiting(browser, quick_model_server.url, locale=language, viewport=viewport) as visit:
        visit.open()
        visit.sample()
        page = visit.page
        visit.finished()
        page.locator("map-panel map-lens").first.focus()
        page.keyboard.press("c")
        page.locator("dialog.compare[open] .compare-says").filter(has_text=re.compile(r"\d")).wait_for()
        assert page.evaluate(CUT_COMPARISON) == []
        assert box(page.locator("dialog.compare .compared-a .map-well"))["width"] >= 150
        assert visit.overflow() <= 0
        page.keyboard.press("Escape")
        page.locator(".add-method").click()
        popup, own = page.locator("add-method"), page.locator("add-method .own-map")
        visit.options.first.wait_for()
        assert box(popup)["bottom"] <= height
        assert box(own)["bottom"] <= box(popup)["bottom"], "the field below the list is in sight"
        assert box(own)["y"] >= box(popup.locator(".options"))["bottom"]
        page.keyboard.press("Escape")
        page.locator(".add-row").click()
        assert box(page.locator("add-row .button"))["bottom"] <= box(page.locator("add-row"))["bottom"] <= height
