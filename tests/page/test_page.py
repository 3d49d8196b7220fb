"""The page in a real browser, with a real server that computes with the quick stand-in for the shipped model."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from playwright.sync_api import Route, expect

from tests.support.browser import EXPLANATIONS, LONG, SIX, Visit, fields, new_picture, slowly

expect.set_options(timeout=LONG)


# What a visitor does


def test_crop_frame_is_where_the_model_looked(visit: Visit) -> None:
    visit.cat()
    record = visit.page.request.get(f"{visit.root}/api/v1/explanations/{visit.explanation_id}").json()
    x0, y0, x1, y1 = record["inputs"][0]["crop"]
    image = visit.page.locator("img.original").bounding_box()
    frame = visit.page.locator(".crop").bounding_box()
    assert image
    assert frame
    zoom = image["width"] / record["image"]["width"]
    shown = [frame["x"] - image["x"], frame["y"] - image["y"], frame["width"], frame["height"]]
    assert np.allclose(shown, np.array([x0, y0, x1 - x0, y1 - y0]) * zoom, atol=0.6), shown


def test_dropping_and_pasting(visit: Visit) -> None:
    visit.open()
    visit.page.locator(".drop").dispatch_event(
        "drop", {"dataTransfer": visit.transfer("dropped.png", "image/png", new_picture())}
    )
    visit.finished()
    first = visit.page.url
    pasted = visit.transfer("pasted.png", "image/png", new_picture())
    visit.page.evaluate("clipboardData => void dispatchEvent(new ClipboardEvent('paste', { clipboardData }))", pasted)
    expect(visit.page).not_to_have_url(first)
    expect(visit.page.locator("map-panel[data-status=done] canvas.map:visible").nth(2)).to_be_visible()
    assert len(visit.asked) == 2


def test_keyboard_alone_reaches_a_result(visit: Visit) -> None:
    visit.open()
    visit.page.get_by_role("button", name="Choose a picture").focus()
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Enter")
    # The pressed button has gone with the start page; the focus goes on to the result.
    expect(visit.page.locator(".question").first).to_be_focused()
    visit.finished()
    more = visit.page.get_by_role("button", name="Details of Grad-CAM")
    more.press("Enter")
    visit.page.keyboard.press("Tab")
    expect(visit.page.get_by_role("button", name="Full screen")).to_be_focused()
    visit.page.keyboard.press("Enter")
    viewer = visit.page.get_by_role("dialog", name="Grad-CAM 2016")
    expect(viewer).to_be_visible()
    visit.page.keyboard.press("ArrowRight")
    expect(visit.page.get_by_role("dialog", name="SmoothGrad 2017")).to_be_visible()
    visit.page.keyboard.press("Escape")
    expect(visit.page.locator("dialog[open]")).to_have_count(0)
    expect(visit.page.get_by_role("button", name="Details of SmoothGrad")).to_be_focused()


def test_menu_tells_parameters_and_offers_downloads(visit: Visit) -> None:
    visit.cat()
    visit.page.get_by_role("button", name="Details of Integrated gradients").click()
    menu = visit.page.get_by_role("dialog", name="Details of Integrated gradients")
    expect(menu).to_contain_text("geometric")
    with visit.page.expect_download() as download:
        menu.get_by_role("link", name="Raw array, .npy").click()
    raw = np.load(download.value.path())
    assert raw.shape == (3, 224, 224)
    assert download.value.suggested_filename == "cat-integrated_gradients-tiger_cat-efficientnet_lite0.npy"


# Reading the maps


def test_reading_asks_nothing_of_the_server(visit: Visit) -> None:
    visit.cat()
    before = len(visit.requests)
    seen = [visit.pixels()]

    def changed() -> None:
        seen.append(visit.pixels())
        for place, (old, new) in enumerate(zip(seen[-2], seen[-1], strict=True)):
            assert old["sum"] != new["sum"], f"map {place} did not change"
            assert new["colours"] > 2

    bar = visit.page.locator(".maps reading-bar")
    for palette in ("viridis", "gray", "blue_orange", "inferno"):
        bar.get_by_role("combobox").select_option(palette)
        changed()
    bar.get_by_role("radio", name="Sum").check()
    expect(bar.get_by_role("combobox")).to_have_value("blue_orange")
    changed()
    visit.reading_control("Clip").fill("90")
    changed()
    bar.get_by_role("radio", name="Absolute").check()
    expect(bar.get_by_role("combobox")).to_have_value("inferno")
    changed()
    bar.get_by_role("radio", name="Maximum").check()
    gradient, cam = seen[-1][0], seen[-1][2]
    maximum = visit.pixels()
    assert maximum[0]["sum"] != gradient["sum"]
    assert maximum[2]["sum"] == cam["sum"], "Grad-CAM has one channel: maximum and absolute are the same"
    under = visit.page.locator("map-panel img.seen").all()

    def painted() -> set[str]:
        return {image.evaluate("image => getComputedStyle(image).visibility") for image in under}

    assert painted() == {"hidden"}, "nothing of a picture shows through maps that are opaque"
    visit.reading_control("Opacity").fill("40")
    visit.wait_for_frame()
    assert painted() == {"visible"}
    assert {canvas.evaluate("canvas => getComputedStyle(canvas).opacity") for canvas in visit.maps.all()} == {"0.4"}
    assert [image.evaluate("image => image.naturalWidth") for image in under] == [224] * SIX
    assert len(visit.requests) == before


def test_scale_bar_tells_the_values_of_the_array(visit: Visit) -> None:
    visit.cat()
    id = visit.explanation_id
    panel = visit.page.request.get(f"{visit.root}/api/v1/explanations/{id}").json()["panels"][0]
    raw = np.load(io.BytesIO(visit.page.request.get(visit.root + panel["urls"]["npy"]).body()))
    bar = visit.page.locator(".maps reading-bar")
    ticks = visit.page.locator("map-panel").first.locator(".ticks span")

    def shown() -> list[str]:
        visit.wait_for_frame()
        return ticks.all_inner_texts()

    clip = np.percentile(np.abs(raw).sum(0), 99)
    assert shown() == ["0", "", f"≥ {clip:#.3g}"]
    visit.reading_control("Clip").fill("100")
    most = np.abs(raw).sum(0).max()
    low, middle, high = shown()
    assert (low, middle) == ("0", "")
    assert float(high) == pytest.approx(most, rel=5e-3)
    bar.get_by_role("radio", name="Sum").check()
    low, middle, high = shown()
    most = np.abs(raw.sum(0)).max()
    assert middle == "0"
    assert float(high) == pytest.approx(most, rel=5e-3)
    assert float(low.replace("−", "-")) == pytest.approx(-most, rel=5e-3)


def test_reading_and_theme_survive_a_reload(visit: Visit) -> None:
    visit.cat()
    visit.page.locator(".maps reading-bar").get_by_role("radio", name="Sum").check()
    visit.page.get_by_role("button", name="Switch to the dark theme").click()
    shown = visit.pixels()
    posts = len(visit.asked)
    address = visit.page.url
    visit.page.reload()
    visit.finished()
    assert visit.page.url == address
    assert visit.pixels() == shown
    assert len(visit.asked) == posts
    assert visit.page.evaluate("() => getComputedStyle(document.documentElement).colorScheme") == "dark"
    expect(visit.page.locator("img.original")).to_have_js_property("naturalWidth", 451)
    expect(visit.page.locator(".crop")).to_be_visible()
    expect(visit.page.locator(".prediction[aria-pressed=true]")).to_contain_text("cat")


# Asking


def test_click_on_a_prediction_explains_that_class(visit: Visit) -> None:
    visit.cat()
    first = visit.page.url
    before = visit.pixels()
    second = visit.page.locator(".prediction").nth(1)
    label = second.locator(".prediction-label").inner_text()
    second.click()
    expect(visit.page.locator("panel-grid .question")).to_have_text(f"Why {label}")
    expect(visit.page).not_to_have_url(first)
    visit.finished()
    sent = visit.sent
    assert sent["from"] == [first.rsplit("/", 1)[1]]
    assert "image" not in sent
    assert b"filename=" not in (visit.asked[-1].post_data_buffer or b"")
    assert sent["target"] == ["285"]
    assert all(old["sum"] != new["sum"] for old, new in zip(before, visit.pixels(), strict=True))
    visit.page.go_back()
    expect(visit.page).to_have_url(first)
    visit.finished()
    assert visit.pixels() == before
    visit.page.go_forward()
    expect(visit.page.locator("panel-grid .question")).to_have_text(f"Why {label}")


def test_search_for_a_class_by_keyboard(visit: Visit) -> None:
    visit.cat()
    search = visit.page.get_by_role("combobox", name="Class to explain")
    search.focus()
    visit.page.keyboard.type("espr")
    options = visit.options
    expect(options.first).to_contain_text("espresso")
    search.press("Escape")
    expect(options).to_have_count(0)
    search.press("ControlOrMeta+a")
    visit.page.keyboard.type("cat")
    expect(options.nth(2)).to_be_visible()
    chosen = options.nth(2).locator("span").first.inner_text()
    search.press("ArrowDown")
    search.press("ArrowDown")
    expect(search).to_have_attribute("aria-activedescendant", re.compile("-2$"))
    search.press("Enter")
    expect(visit.page.locator("panel-grid .question")).to_have_text(f"Why {chosen}")
    expect(search).to_be_focused()
    assert len(visit.sent["target"]) == 1
    search.press("ControlOrMeta+a")
    visit.page.keyboard.type("no such class")
    expect(visit.page.locator(".search-message").first).to_have_text("No class matches “no such class”")


def test_a_contrast_and_another_score(visit: Visit) -> None:
    visit.cat()
    with visit.page.expect_request(lambda request: request.method == "POST"):
        visit.page.get_by_label("Score").select_option("probability")
    expect(visit.page.locator("panel-grid .context")).to_contain_text("probability 0.3")
    assert visit.sent["score"] == ["probability"]
    visit.page.get_by_role("combobox", name="Against").fill("espresso")
    visit.options.first.click()
    expect(visit.page.locator("panel-grid .question")).to_have_text("Why tiger cat and not espresso")
    expect(visit.page.get_by_label("Score")).to_be_disabled()
    expect(visit.page.locator("map-panel[data-status=done] canvas.map:visible").nth(2)).to_be_visible()
    sent = visit.sent
    assert sent["against"] == ["967"]
    assert "score" not in sent
    with visit.page.expect_request(lambda request: request.method == "POST") as asked:
        visit.page.get_by_role("button", name="Ask without a second class").click()
    assert "against" not in fields(asked.value)
    expect(visit.page.locator("panel-grid .question")).to_have_text("Why tiger cat")


def test_adding_occlusion_keeps_the_six(visit: Visit) -> None:
    visit.cat()
    before = visit.pixels()
    visit.add_method("Occlusion")
    visit.finished(7)
    sent = visit.sent
    assert len(sent["method"]) == 7
    assert "from" in sent
    after = {
        title: shown["sum"]
        for title, shown in zip(visit.page.locator(".panel-title").all_inner_texts(), visit.pixels(), strict=True)
    }
    assert {shown["sum"] for shown in before} < set(after.values())
    assert "Occlusion 2013" in after


# While it runs


def long_integral(route: Route) -> None:
    """Lets the request ask for an integral that takes long enough to be watched and cancelled."""
    slowly(route, integrated_gradients={"steps": 1000})


def test_maps_sharpen_and_cancel_keeps_what_is_done(visit: Visit) -> None:
    visit.page.route(EXPLANATIONS, long_integral)
    visit.open()
    visit.sample()
    title = visit.page.locator(".panel-title", has_text=re.compile("^Integrated gradients"))  # and not the blur's
    running = visit.page.locator("map-panel[data-status=running]", has=title)
    running.locator("canvas.map").wait_for()
    estimate = running.locator("canvas.map").evaluate("canvas => canvas.width")
    assert estimate <= 112, "a partial map is at most 112 pixels wide"
    expect(running.get_by_role("progressbar")).to_have_attribute("aria-valuenow", re.compile("^[1-9]"))
    expect(running.locator(".facts")).to_have_text(re.compile(r"^\d+ / 1000$"))
    visit.page.get_by_role("button", name="Cancel").click()
    expect(visit.page.locator("panel-grid .tally")).to_have_text(re.compile("^[1-5] of 6 maps were finished$"))
    expect(visit.page.locator("map-panel[data-status=running]")).to_have_count(0)
    expect(visit.page.locator("map-panel[data-status=cancelled]").first.locator(".facts")).to_have_text(
        re.compile("Stopped at|^$")
    )
    visit.wait_until_idle()
    finished = visit.page.locator("map-panel[data-status=done]").count()
    # After a reload the finished ones are there, and the others are known to be missing.
    visit.page.unroute(EXPLANATIONS)
    visit.page.reload()
    expect(visit.page.locator("map-panel[data-status=done] canvas.map:visible")).to_have_count(finished)
    expect(visit.page.locator("map-panel")).to_have_count(SIX)
    visit.page.get_by_role("button", name="Compute the rest").click()
    visit.finished()


def test_a_superseded_request_is_aborted(visit: Visit) -> None:
    visit.page.route(EXPLANATIONS, long_integral)
    visit.open()
    visit.sample()
    expect(visit.page.locator(".prediction").nth(1)).to_be_enabled()
    visit.page.unroute(EXPLANATIONS)
    with visit.page.expect_event("requestfailed", lambda request: request.method == "POST") as failed:
        visit.page.locator(".prediction").nth(1).click()
    assert failed.value == visit.asked[0]
    visit.finished()
