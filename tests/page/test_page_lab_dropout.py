"""The page of dropout: a mask that is switched by hand, its backward pass, findings; both languages, a phone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from gradoscope.web import texts
from playwright.sync_api import Browser, Locator, expect

from tests.page.test_page_lab import PHONE, Lab
from tests.support.browser import LONG, visiting

expect.set_options(timeout=LONG)
SIZES: list[Any] = [{"width": 1440, "height": 900}, PHONE]


class Dropout(Lab):
    """A visit whose answers are the server's own."""

    def at(self, query: str = "?steps=0") -> None:
        self.page.goto(f"{self.root}/lab/dropout{query}")
        self.settled()

    @property
    def bits(self) -> Locator:
        return self.page.locator("[data-figure=mask]").get_by_role("switch")

    def row(self, unit: int) -> Locator:
        """Forward, arriving, factor and gradient of a unit, from 0."""
        return self.page.locator("[data-figure=backward] tbody tr").nth(unit).locator("td")

    def verdict(self, place: int) -> Locator:
        return self.page.locator("[data-findings] > li").nth(place).locator(".verdict")


@pytest.fixture
def lab(browser: Browser, server_url: str) -> Iterator[Dropout]:
    with visiting(browser, server_url, Dropout) as visit:
        yield visit


def test_a_press_drops_a_unit_and_its_gradient(lab: Dropout) -> None:
    lab.at()
    expect(lab.bits).to_have_count(8)
    expect(lab.bits.nth(0)).to_have_attribute("aria-checked", "true")
    expect(lab.row(0).nth(2)).to_have_text("2")
    lab.bits.nth(0).click()
    expect(lab.bits.nth(0)).to_have_attribute("aria-checked", "false")
    for place in (0, 2, 3):  # what goes forward, the factor, the gradient
        expect(lab.row(0).nth(place)).to_have_text(re.compile("^−?0$"))
    assert lab.last["mask"][0][0] == 0
    assert json.loads(unquote(lab.page.url.partition("mask=")[2].partition("&")[0]))[0][0] == 0
    lab.page.go_back()
    expect(lab.bits.nth(0)).to_have_attribute("aria-checked", "true")


def test_a_mask_by_keyboard_and_from_an_address(lab: Dropout) -> None:
    lab.at("?steps=0&p=0.75&units=4&mask=[[0,1,1,0]]")
    expect(lab.bits).to_have_text(["0", "1", "1", "0"])
    expect(lab.row(1).nth(2)).to_have_text("4")
    lab.bits.nth(3).focus()
    lab.page.keyboard.press("Space")
    expect(lab.row(3).nth(2)).to_have_text("4")
    expect(lab.bits.nth(3)).to_be_focused()


def test_hidden_layers_turn_the_verdict(lab: Dropout) -> None:
    lab.at()
    expect(lab.verdict(0)).to_have_text("Depends")
    expect(lab.verdict(1)).to_have_text("Holds")
    lab.control("layers").get_by_role("slider").press("ArrowRight")
    expect(lab.verdict(0)).to_have_text("Does not hold")


def test_trainings_stream_their_errors(lab: Dropout) -> None:
    lab.at("?steps=20&seeds=2&nets=2&samples=20")
    expect(lab.page.locator("[data-figure=error] svg")).to_contain_text("trained apart")
    expect(lab.page.locator("[data-findings] > li")).to_have_count(6)
    slider = lab.page.locator("[data-figure=error]").get_by_role("slider")
    slider.focus()
    expect(lab.page.locator("[data-figure=error] .tip")).to_contain_text("one network")


@pytest.mark.parametrize("language", sorted(texts.LANGUAGES))
@pytest.mark.parametrize("viewport", SIZES, ids=["desktop", "phone"])
def test_axe_finds_nothing(browser: Browser, server_url: str, language: str, viewport: Any) -> None:
    with visiting(browser, server_url, Dropout, viewport=viewport) as lab:
        lab.at(f"?lang={language}&steps=2&seeds=2&nets=2&samples=20&units=12")
        assert lab.axe_in_both_themes() == []
        assert lab.overflow() <= 0
