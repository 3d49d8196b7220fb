"""The workbench by keyboard alone, by touch, and with a screen reader."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, TimeoutError, expect

from tests.support.browser import EXPLANATIONS, HEARD, LONG, Visit, module, visiting, with_fields

expect.set_options(timeout=LONG)
CHEAP = ["vanilla_gradient", "grad_cam"]
# The focused element: its place among the tab stops (-1: it is none of them), whether its outline can be seen, and
# whether nothing covers it. What is seen of a radio button is the element after it.
FOCUSED = """() => {
  const node = document.activeElement;
  if (!node || node === document.body) return null;
  const drawn = node.matches('.segment input') ? node.nextElementSibling : node;
  // A ring around the words of a button is drawn beside it.
  const ring = getComputedStyle(node, '::after').outlineStyle === 'none' ? [drawn] : [node, '::after'];
  const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(...ring);
  const [box] = node.getClientRects(); // a link may go over two lines
  const middle = [(Math.max(box.left, 0) + Math.min(box.right, innerWidth)) / 2, (box.top + box.bottom) / 2];
  const top = document.elementFromPoint(...middle);
  return {
    place: globalThis.stops().indexOf(node),
    name: (node.getAttribute('aria-label') ?? node.textContent.trim().slice(0, 40)) || node.name || node.outerHTML,
    marked: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 && !/, 0\\)$|transparent/.test(outlineColor),
    seen: Boolean(top) && (node.contains(top) || drawn.contains(top) || top.contains(node) && top.matches('label')),
  };
}"""
# The tab stops: all that Tab has to reach, in document order; of a group of radio buttons only the checked one.
STOPS = """
globalThis.stops = () => [
  ...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]'),
].filter(node => node.tabIndex >= 0 && !node.disabled && !(node.type === 'radio' && !node.checked)
  && node.checkVisibility({ visibilityProperty: true }));
"""
NAMES = "() => stops().map(node => (node.getAttribute('aria-label') ?? node.textContent.trim()) || node.outerHTML)"
# What moves: elements with a transition, an animation or smooth scrolling, and animations that run.
MOTION = """() => {
  const lasting = text => text.split(',').some(each => parseFloat(each) > 0);
  const moving = [...document.querySelectorAll('*')].flatMap(node => [null, '::before', '::after'].map(part => {
    const { transitionDuration, animationDuration, scrollBehavior } = getComputedStyle(node, part);
    return lasting(transitionDuration) || lasting(animationDuration) || scrollBehavior === 'smooth';
  }).some(Boolean) ? [node.outerHTML.slice(0, 80)] : []);
  return [...moving, ...document.getAnimations().map(({ playState }) => playState)];
}"""


@pytest.fixture(scope="module")
def explained(server_url: str) -> str:
    """The path of an explanation of two rows with two cheap maps each."""
    data: dict[str, Any] = {"sample": "cat", "method": CHEAP, "target": ["282", "967"]}
    answer = httpx.post(f"{server_url}/api/v1/explanations", data=data, timeout=300)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["url"])


@pytest.fixture
def bench(visit: Visit, explained: str) -> Visit:
    """A visit to that explanation."""
    visit.page.goto(visit.root + explained)
    visit.finished(4)
    return visit


def walk(visit: Visit) -> list[dict[str, Any]]:
    """Presses Tab from the start of the page to its end; what had the focus, in order."""
    visit.page.evaluate("() => document.activeElement.blur()")
    stops = []
    for _ in range(200):
        visit.page.keyboard.press("Tab")
        visit.wait_for_frame()
        focused = visit.page.evaluate(FOCUSED)
        if focused is None:
            break
        stops.append(focused)
    return stops


# By keyboard


@pytest.mark.parametrize("path", ["/", "explanation", "/methods"])
def test_tab_reaches_everything_in_order_and_in_sight(visit: Visit, explained: str, path: str) -> None:
    visit.page.add_init_script(STOPS)
    visit.page.goto(visit.root + (explained if path == "explanation" else path))
    if path == "explanation":
        visit.finished(4)
    visit.wait_until_idle()
    for figure in visit.page.locator("[data-figure]").all():
        figure.scroll_into_view_if_needed()
        expect(figure).to_have_attribute("data-ready", "")
    stops = walk(visit)
    # A scrollable area may have the focus too, but it is no tab stop.
    places = [stop["place"] for stop in stops if stop["place"] >= 0]
    names = visit.page.evaluate(NAMES)
    assert [name for place, name in enumerate(names) if place not in places] == []
    assert places == list(range(len(names)))
    assert [stop["name"] for stop in stops if not stop["marked"]] == []
    assert [stop["name"] for stop in stops if not stop["seen"]] == []


def check_opens(visit: Visit, button: Locator, key: str = "Enter") -> None:
    """The key opens a dialog or popover, where the focus is then, at once or after one Tab. Escape closes it, and the
    button has the focus again."""
    button.focus()
    visit.page.keyboard.press(key)
    layer = visit.page.locator("dialog[open], [popover]:popover-open")
    expect(layer).to_have_count(1)
    inside = "layer => layer.contains(document.activeElement)"
    with suppress(TimeoutError):  # a menu takes the focus a moment after it opened, and an early Tab would close it
        visit.page.wait_for_function(f"layer => ({inside})(layer)", arg=layer.element_handle(), timeout=3000)
    if not layer.evaluate(inside):
        visit.page.keyboard.press("Tab")
    assert layer.evaluate(inside), button
    visit.page.keyboard.press("Escape")
    expect(layer).to_have_count(0)
    expect(button).to_be_focused()


def test_every_dialog_and_popover_opens_and_closes_by_keyboard(bench: Visit) -> None:
    page = bench.page
    for name in ("History", "Export", "Details of Grad-CAM", "Column of Grad-CAM", "Compare"):
        check_opens(bench, page.get_by_role("button", name=name, exact=True).locator("visible=true").first)
    check_opens(bench, page.locator("row-head .icon-button").first)
    check_opens(bench, page.locator(".add-row"), key=" ")
    # Full screen, and the parameters, each from a menu: the focus goes back to the menu's button.
    details = page.get_by_role("button", name="Details of Grad-CAM").first
    for item in ("Full screen", "Parameters …"):
        details.press("Enter")
        page.get_by_role("dialog", name="Details of Grad-CAM").get_by_role("button", name=item).press("Enter")
        expect(page.locator("dialog[open]")).to_have_count(1)
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
        expect(details).to_be_focused()
    # A map opens them too.
    lens = page.locator("map-panel map-lens").first
    lens.press("Enter")
    expect(page.locator("dialog.viewer[open]")).to_be_visible()
    page.keyboard.press("Escape")
    lens.press("c")
    expect(page.get_by_role("dialog", name="Two maps")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    # A list closes, its field keeps the focus.
    field = page.get_by_role("combobox", name="Class to explain")
    field.fill("cat")
    bench.options.first.wait_for()
    field.press("Escape")
    expect(bench.options).to_have_count(0)
    expect(field).to_be_focused()


# With a screen reader


def test_a_screen_reader_says_progress_and_results(visit: Visit) -> None:
    visit.page.add_init_script(HEARD)
    visit.page.route(EXPLANATIONS, lambda route: route.continue_(post_data=cheap(route.request)))
    visit.open()
    visit.sample()
    visit.finished(3)
    heard = visit.page.evaluate("() => heard")
    assert [text for text in heard if text.startswith("Prediction: tiger cat")]
    assert [text for text in heard if text in ("1 of 3 maps", "2 of 3 maps")]
    assert heard[-1] == "All 3 maps are done"
    visit.page.locator("map-panel map-lens").first.press("ArrowRight")
    spoken = re.compile("^Grad-CAM at .*, stronger than .* of the pixels, colour ")
    expect(visit.page.locator("#status")).to_have_text(spoken)
    visit.page.unroute(EXPLANATIONS)
    visit.page.route(EXPLANATIONS, lambda route: route.abort())
    visit.page.locator(".prediction").nth(1).click()
    expect(visit.page.get_by_role("alert")).to_contain_text("The server cannot be reached")


def cheap(request: Any) -> bytes:
    """The body of the request, with three cheap methods added."""
    body = with_fields(request, method="vanilla_gradient")
    return with_fields(request, with_fields(request, body, method="guided_backprop"), method="grad_cam")


@pytest.mark.parametrize("path", ["/", "explanation", "/methods"])
def test_reduced_motion_moves_nothing(browser: Browser, server_url: str, explained: str, path: str) -> None:
    with visiting(browser, server_url, reduced_motion="reduce") as visit:
        visit.page.goto(visit.root + (explained if path == "explanation" else path))
        visit.wait_until_idle()
        assert visit.page.evaluate(MOTION) == []
        visit.page.emulate_media(reduced_motion="no-preference")
        if path == "explanation":
            assert visit.page.evaluate(MOTION) != [], "MOTION finds nothing that moves"


# By touch


def test_taps_lead_from_a_sample_to_a_large_map(browser: Browser, server_url: str) -> None:
    phone = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
    with visiting(browser, server_url, **phone) as visit:
        visit.page.route(EXPLANATIONS, lambda route: route.continue_(post_data=cheap(route.request)))
        visit.open()
        visit.page.locator(".sample").first.tap()
        visit.finished(3)
        visit.page.get_by_role("button", name="Details of Grad-CAM").tap()
        menu = visit.page.get_by_role("dialog", name="Details of Grad-CAM")
        expect(menu).to_be_visible()
        menu.get_by_role("button", name="Full screen").tap()
        viewer = visit.page.get_by_role("dialog", name="Grad-CAM 2016")
        box = viewer.locator("map-lens").bounding_box()
        assert box
        session = visit.context.new_cdp_session(visit.page)
        for kind, apart in (("touchStart", 20), ("touchMove", 40), ("touchMove", 60), ("touchEnd", 0)):
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            points = [{"x": x - apart, "y": y}, {"x": x + apart, "y": y}] if apart else []
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        visit.wait_for_frame()
        zoom = f"async () => (await {module('state/store.js')}).store.state.viewport.zoom"
        assert visit.page.evaluate(zoom) == pytest.approx(3, rel=0.1)
        assert visit.page.evaluate("() => visualViewport.scale") == 1, "the fingers zoom the map, not the page"
        viewer.get_by_role("button", name="Close").tap()
        expect(viewer).to_be_hidden()
        assert visit.overflow() <= 0
