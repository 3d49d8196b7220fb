"""Every experiment of the registry in a browser: on a phone by touch, at a desk by mouse and keys, clean for axe."""

from __future__ import annotations

from typing import Any

import pytest
from gradoscope.lab.registry import experiments
from playwright.sync_api import Browser, expect

from tests.support.browser import LONG, visiting

expect.set_options(timeout=LONG)
DESKTOP: Any = {"width": 1440, "height": 900}
PHONE: Any = {"width": 390, "height": 844}
LOCALES = {"en": "en-GB", "zh": "zh-CN"}
LONGEST = 10  # seconds; what takes longer has a file of its own, with smaller settings
QUICK = [id for id, each in experiments().items() if each.cost(each.parameters()) < LONGEST]


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("id", QUICK)
def test_an_experiment_on_a_phone(browser: Browser, server_url: str, id: str, language: str) -> None:
    options: Any = {
        "reduced_motion": "reduce",
        "viewport": PHONE,
        "has_touch": True,
        "is_mobile": True,
        "locale": LOCALES[language],
    }
    with visiting(browser, server_url, **options) as visit:
        page = visit.page
        page.goto(f"{visit.root}/lab/{id}")
        expect(page.locator("[data-took]")).not_to_be_empty()
        expect(page.locator(".results[aria-busy=false]")).to_be_visible()
        assert visit.overflow() <= 0
        assert visit.axe_in_both_themes() == []
        before = page.url
        page.locator(".sheet-toggle").tap()
        page.locator("[data-try]").first.tap()
        page.wait_for_function("before => location.href !== before", arg=before)
        expect(page.locator("[data-try][aria-pressed=true]")).to_have_count(1)
        expect(page.locator(".results[aria-busy=false]")).to_be_visible()


@pytest.mark.parametrize("id", QUICK)
def test_an_experiment_at_a_desk(browser: Browser, server_url: str, id: str) -> None:
    with visiting(browser, server_url, reduced_motion="reduce", viewport=DESKTOP) as visit:
        page = visit.page
        page.goto(f"{visit.root}/lab/{id}")
        expect(page.locator("[data-took]")).not_to_be_empty()
        expect(page.locator(".results[aria-busy=false]")).to_be_visible()  # nothing is dimmed
        assert visit.overflow() <= 0
        assert visit.axe_in_both_themes() == []
        before = page.url
        page.locator("[data-try]").last.click()
        page.wait_for_function("before => location.href !== before", arg=before)
        before = page.url
        page.locator("[data-reseed]").press("Enter")
        page.wait_for_function("before => location.href !== before", arg=before)
        assert "seed=1" in page.url
        expect(page.locator(".results[aria-busy=false]")).to_be_visible()
        expect(page.locator("[data-problem]")).to_be_hidden()
