"""Help in the page: what a bright pixel means, tooltips, first steps, the list of keys, layers in a drawing."""

from __future__ import annotations

import re
from typing import Any

import pytest
from gradoscope.pipeline.presentation import presentations
from gradoscope.web import texts
from playwright.sync_api import Browser, Locator, expect

from tests.support.browser import LONG, SIX, Visit, module, visiting

expect.set_options(timeout=LONG)
ENGLISH = texts.texts("en")
DEFAULT = [id for id, one in presentations("methods").items() if one.default]
CHINESE_DARK: dict[str, Any] = {"locale": "zh-CN", "color_scheme": "dark"}


def tip(visit: Visit) -> Locator:
    return visit.page.locator("help-tip")


@pytest.mark.parametrize("language", sorted(texts.LANGUAGES))
def test_every_method_says_what_a_bright_pixel_means(language: str) -> None:
    known = texts.texts(language)
    for id in presentations("methods"):
        assert 8 < len(known[f"method.bright.{id}"]) < 90
        assert known[f"method.bright.{id}"] != known[f"catalogue.summary.{id}"]


def test_what_a_bright_pixel_means_stands_under_each_name(visit: Visit) -> None:
    visit.cat()
    page = visit.page
    lines = page.locator("map-panel .bright:visible")
    assert lines.all_inner_texts() == [ENGLISH[f"method.bright.{id}"] for id in DEFAULT]
    assert [line.get_attribute("href") for line in lines.all()] == [f"/methods#{id}" for id in DEFAULT]
    assert {line.evaluate("line => line.getClientRects().length") for line in lines.all()} == {1}
    expect(tip(visit)).to_be_hidden()
    last = lines.nth(SIX - 1)
    last.hover()
    expect(tip(visit)).to_have_text(ENGLISH[f"method.bright.{DEFAULT[-1]}"])
    expect(tip(visit)).to_be_visible()
    tip(visit).hover()  # the pointer can go onto it
    page.keyboard.press("Escape")
    expect(tip(visit)).to_be_hidden()
    guided = page.get_by_role("button", name=re.compile("activations guided"))
    guided.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    expect(guided).to_be_focused()
    expect(tip(visit)).to_have_text(ENGLISH["panel.guided.long"])
    page.keyboard.press("Tab")
    expect(tip(visit)).to_be_hidden()
    assert visit.axe() == []
    lines.first.click()
    expect(page).to_have_url(f"{visit.root}/methods#{DEFAULT[0]}")
    expect(page.locator(f"#{DEFAULT[0]}")).to_be_in_viewport()


def test_the_first_tap_shows_the_help_and_the_second_follows_the_link(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as visit:
        visit.cat()
        line = visit.page.locator("map-panel .bright").first
        line.tap()
        expect(tip(visit)).to_be_visible()
        expect(tip(visit)).to_have_text(ENGLISH[f"method.bright.{DEFAULT[0]}"])
        line.tap()
        expect(visit.page).to_have_url(f"{visit.root}/methods#{DEFAULT[0]}")


def test_first_steps_are_shown_until_they_are_closed(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url, **CHINESE_DARK) as visit:
        visit.cat()
        page = visit.page
        steps = page.locator("first-steps")
        expect(steps).to_contain_text(texts.texts("zh")["steps.text"])
        assert visit.axe() == []
        steps.get_by_role("button", name=texts.texts("zh")["steps.close"]).click()
        expect(steps).to_be_hidden()
        expect(page.locator("panel-grid .question")).to_be_focused()
        page.reload()
        visit.finished()
        expect(steps).to_be_hidden()


def test_first_steps_on_a_touch_screen_name_no_pointer(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as visit:
        visit.cat()
        steps = visit.page.locator("first-steps")
        expect(steps).to_contain_text(ENGLISH["steps.text.touch"])
        expect(steps).not_to_contain_text("Point at")


def test_a_preview_opens_what_it_shows(visit: Visit) -> None:
    visit.open()
    visit.wait_until_idle()
    visit.page.get_by_role("button", name="Grad-CAM").click()
    viewer = visit.page.locator("dialog.viewer")
    expect(viewer.get_by_role("heading", name="Grad-CAM 2016")).to_be_visible()
    expect(viewer.locator(".context")).to_have_text("tiger cat")
    visit.page.keyboard.press("Escape")
    visit.finished()


def test_the_list_of_keys_is_the_table_of_keys(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url, **CHINESE_DARK) as visit:
        visit.cat()
        page = visit.page
        table = page.evaluate(f"async () => (await {module('shared/keys.js')}).KEYS")
        question = page.locator("panel-grid .question")
        question.focus()
        page.keyboard.press("?")
        keys = page.get_by_role("dialog", name=texts.texts("zh")["keys.open"])
        expect(keys).to_be_visible()
        known = texts.texts("zh")
        expected = [known[f"keys.{place}.{command}"] for place, own in table.items() for command in own]
        assert keys.locator("dd").all_inner_texts() == expected
        assert keys.locator("kbd").count() == sum(len(keys) for own in table.values() for keys in own.values())
        assert visit.axe(within="dialog[open]") == []
        page.keyboard.press("Escape")
        expect(keys).to_be_hidden()
        expect(question).to_be_focused()
        page.get_by_role("combobox", name=known["ask.class"]).press("?")
        expect(keys).to_be_hidden()
        page.locator("header.top [data-keys]").click()
        expect(keys).to_be_visible()


def test_the_layer_of_grad_cam_is_chosen_on_a_drawing_of_the_network(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url, **CHINESE_DARK) as visit:
        visit.cat()
        page = visit.page
        words = texts.texts("zh")
        panel = page.locator("map-panel", has=page.locator(".panel-title", has_text=words["method.grad_cam"]))
        panel.locator(".panel-head .icon-button").click()
        page.get_by_role("button", name=words["panel.layers"]).click()
        drawing = page.locator("dialog.layers")
        stages = drawing.locator(".stage-choice")
        expect(stages).to_have_count(3)
        for stage, size in zip(stages.all(), ("56 × 56", "28 × 28", "14 × 14"), strict=True):
            expect(stage).to_contain_text(size)
        expect(drawing.locator("[aria-pressed=true]")).to_contain_text("14 × 14")
        expect(drawing.locator(".has-map")).to_have_count(1)  # the one that is there already
        asked = len(visit.asked)
        drawing.locator(".layer-actions > .button").click()
        expect(drawing.locator(".has-map")).to_have_count(3)
        expect(drawing.locator(".layer-actions")).to_contain_text(words["layers.done"].format(count=3))
        assert len(visit.asked) == asked + 2
        sums = drawing.locator("canvas").evaluate_all("all => all.map(one => one.toDataURL())")
        assert len(set(sums)) == 3
        assert visit.axe(within="dialog[open]") == []
        name = stages.nth(1).locator(".stage-name").inner_text()
        stages.nth(1).click()
        expect(drawing).to_be_hidden()
        expect(panel.locator(".facts")).to_contain_text(name)
        visit.finished()
