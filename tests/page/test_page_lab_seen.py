"""What was found by looking at the pages of the lab one by one, and by walking through them as a student would."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from gradoscope.web import texts
from playwright.sync_api import Browser, expect

from tests.page.test_page_lab import PHONE
from tests.page.test_page_lab_grids import Grids
from tests.support.browser import LONG, visiting

expect.set_options(timeout=LONG)
HALF = ("graph", "through_time", "depth", "saturation", "mini_batch", "pooling", "convolution")
ON_A_PHONE: Any = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
CUT = """() => {
  const place = document.querySelector(".formula-place");
  const parts = [...place.querySelectorAll(".equation > math")];
  const wide = parts.filter(part => part.getBoundingClientRect().width > place.clientWidth);
  return [place.scrollWidth - place.clientWidth, place.scrollHeight - place.clientHeight, wide.length];
}"""


@pytest.fixture
def lab(browser: Browser, server_url: str) -> Iterator[Grids]:
    with visiting(browser, server_url, Grids) as visit:
        yield visit


@pytest.fixture
def phone(browser: Browser, server_url: str) -> Iterator[Grids]:
    with visiting(browser, server_url, Grids, **ON_A_PHONE) as visit:
        yield visit


@pytest.mark.parametrize("id", HALF)
def test_a_formula_is_whole_on_a_phone(phone: Grids, id: str) -> None:
    phone.page.goto(f"{phone.root}/lab/{id}")
    assert phone.page.evaluate(CUT) == [0, 0, 0]


def test_a_small_graph_fits_a_phone_and_a_large_one_is_scrolled_by_a_finger(phone: Grids) -> None:
    phone.at("graph")
    plot = phone.page.locator("[data-figure=graph] .plot")
    assert plot.evaluate("plot => plot.scrollWidth - plot.clientWidth") == 0
    assert plot.locator(".node-gradient").first.text_content() == "−4"  # without the word, which takes the room
    assert plot.evaluate("plot => getComputedStyle(plot).touchAction") == "auto"


def test_numbers_of_a_graph_stay_in_their_boxes(lab: Grids) -> None:
    lab.at("graph", "?expression=x*y&values={%22x%22:-0.012345,%22y%22:-12345.678}")
    boxes = lab.page.evaluate("""() => [...document.querySelectorAll("[data-figure=graph] rect.node")].map(box => {
      const {left, right} = box.getBoundingClientRect();
      return [...box.parentElement.querySelectorAll("text:not(.sum)")].every(text => {
        const place = text.getBoundingClientRect();
        return place.left >= left && place.right <= right;
      });
    })""")
    assert boxes == [True] * 3


def test_a_word_in_a_grid_is_no_number_and_changes_none(lab: Grids) -> None:
    lab.at("pooling")
    cell = lab.grid("input").locator("input").nth(3)
    before = lab.page.url
    cell.fill("zz")
    expect(cell).to_have_attribute("data-wrong", "")
    cell.press("Enter")
    expect(cell).to_have_value("4")
    expect(cell).not_to_have_attribute("data-wrong", "")
    expect(lab.page.locator("#status")).to_contain_text("«zz» is no number")
    assert lab.page.url == before


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_bounds_of_a_list_are_said_in_the_page_s_language_and_nothing_is_asked(
    browser: Browser, server_url: str, language: str
) -> None:
    with visiting(browser, server_url, Grids, locale={"en": "en-GB", "zh": "zh-CN"}[language]) as visit:
        visit.at("mini_batch")
        asked: list[str] = []
        visit.page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
        visit.page.locator("[data-control=sizes] [data-text]").fill("8, 0")
        words = texts.texts(language)["lab.page.between"]
        expect(visit.page.locator("#message-sizes")).to_have_text(words.format(low="1", high="256"))
        assert asked == []


def test_what_the_server_refuses_stands_at_its_field_without_the_field_s_name(lab: Grids) -> None:
    lab.at("graph")
    lab.page.locator("[data-control=expression] [data-text]").fill("import os")
    expect(lab.page.locator("#message-expression")).to_contain_text("this is no formula")
    expect(lab.page.locator("#message-expression")).not_to_contain_text("parameters.")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_choice_of_a_list_is_cut_off(browser: Browser, server_url: str, language: str) -> None:
    with visiting(browser, server_url, Grids, locale={"en": "en-GB", "zh": "zh-CN"}[language]) as visit:
        for id in HALF:
            visit.page.goto(f"{visit.root}/lab/{id}")
            cut = visit.page.evaluate("""() => [...document.querySelectorAll(".controls select")].filter(list => {
              const whole = list.cloneNode(true);
              whole.style.cssText = "max-width: none; width: max-content; position: absolute";
              list.after(whole);
              whole.value = list.value;
              const cut = whole.offsetWidth > list.offsetWidth + 1;
              whole.remove();
              return cut;
            }).map(list => list.closest("[data-control]").dataset.control)""")
            assert cut == [], id
