"""The page of weight decay: paths step by step, a start by a press, verdicts that turn; both languages, a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from gradoscope.web import texts
from playwright.sync_api import Browser, Locator, expect

from tests.page.test_page_lab import PHONE, Lab
from tests.support.browser import LONG, visiting

expect.set_options(timeout=LONG)
SIZES: list[Any] = [{"width": 1440, "height": 900}, PHONE]


class WeightDecay(Lab):
    """A visit whose answers are the server's own."""

    def at(self, query: str = "?steps=60") -> None:
        self.page.goto(f"{self.root}/lab/weight_decay{query}")
        self.settled()

    @property
    def said(self) -> Locator:
        return self.page.locator("[data-figure=paths] .step-text")

    def verdict(self, claim: str) -> Locator:
        item = self.page.locator("[data-findings] > li").filter(has_text=claim)
        return item.locator(".verdict")


@pytest.fixture
def lab(browser: Browser, server_url: str) -> Iterator[WeightDecay]:
    with visiting(browser, server_url, WeightDecay) as visit:
        yield visit


def test_the_slider_goes_through_the_steps(lab: WeightDecay) -> None:
    lab.at()
    expect(lab.said).to_contain_text("Step 60 of 60")
    steps = lab.page.locator("[data-figure=paths] input.steps")
    steps.press("Home")
    expect(lab.said).to_contain_text("Step 0 of 60")
    expect(lab.said.get_by_text("(−3, −2)")).to_have_count(5)
    steps.press("ArrowRight")
    expect(lab.said).to_contain_text("(−2.95, −1.95)")


def test_a_press_on_the_bowl_starts_there(lab: WeightDecay) -> None:
    lab.at()
    surface = lab.page.locator("[data-figure=paths] image.surface")
    box = surface.bounding_box()
    assert box
    # By its locator: the figure may be drawn anew while it is scrolled to, for its place has another width then.
    surface.click(position={"x": 0.75 * box["width"], "y": 0.25 * box["height"]})
    expect(lab.page).to_have_url(re.compile("start="))
    while not lab.last["start"]:  # the address may be written before it is asked
        lab.page.wait_for_timeout(50)
    assert lab.last["start"] == pytest.approx([2, 2.25], abs=0.1)
    lab.page.locator("[data-figure=paths] input.steps").press("Home")
    expect(lab.said).to_contain_text("Step 0 of 60")
    expect(lab.said).not_to_contain_text("(−3, −2)")


def test_the_verdict_turns_with_the_optimiser(lab: WeightDecay) -> None:
    lab.at()
    expect(lab.verdict("L2 is weight decay")).to_have_text("Does not hold")
    lab.control("optimiser").get_by_role("radio", name="SGD").check()
    expect(lab.verdict("L2 is weight decay")).to_have_text("Holds")
    lab.control("momentum").get_by_role("textbox").fill("0.9")
    expect(lab.verdict("L2 is weight decay")).to_have_text("Does not hold")


def test_a_try_shows_the_same_path(lab: WeightDecay) -> None:
    lab.at()
    lab.page.locator("[data-try=sgd]").click()
    expect(lab.verdict("L2 is weight decay")).to_have_text("Holds")
    expect(lab.page.locator("[data-figure=apart] svg")).to_contain_text(re.compile("10⁻¹[⁵⁶⁷]"))


@pytest.mark.parametrize("language", sorted(texts.LANGUAGES))
@pytest.mark.parametrize("viewport", SIZES, ids=["desktop", "phone"])
def test_axe_finds_nothing(browser: Browser, server_url: str, language: str, viewport: Any) -> None:
    with visiting(browser, server_url, WeightDecay, viewport=viewport) as lab:
        lab.at(f"?lang={language}&steps=60")
        assert lab.axe_in_both_themes() == []
        assert lab.overflow() <= 0
