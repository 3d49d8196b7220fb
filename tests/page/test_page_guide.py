"""The page that says what each number about a map means."""

from __future__ import annotations

import re

import httpx
import pytest
from gradoscope.attribution.metrics.base import metrics
from playwright.sync_api import Browser, expect

from tests.support.browser import visiting

OTHERS = {"gradient_flow", "pointing_game", "verdict"}


@pytest.fixture(scope="module")
def text(server_url: str) -> str:
    return httpx.get(f"{server_url}/trust", headers={"accept-language": "en"}).text


def test_every_metric_has_its_place(text: str) -> None:
    assert metrics().keys() | OTHERS <= set(re.findall(r'id="(\w+)"', text))
    for metric in metrics().values():
        assert metric.paper.url in text, f"the paper that {metric.id} declares"


def test_each_says_what_it_does_not_say(text: str) -> None:
    sections = re.findall(r'<section class="question".*?</section>', text, re.S)
    assert len(sections) >= len(metrics()) - 1 + 2  # deletion and insertion are one
    assert all("What it does not say" in section and "arxiv.org" in section for section in sections)


def test_links_of_both_pages_lead_to_it(server_url: str) -> None:
    for path in ("/", "/methods"):
        assert 'href="/trust"' in httpx.get(server_url + path).text


def test_a_finding_s_link_shows_its_section_in_the_visitor_s_language(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url) as visit:
        visit.page.goto(f"{visit.root}/trust?lang=zh#insertion")
        expect(visit.page.locator("html")).to_have_attribute("lang", "zh-Hans")
        expect(visit.page.get_by_role("heading", name="删除与插入")).to_be_in_viewport()
        visit.page.get_by_role("navigation", name="问题").get_by_role("link", name="稳定性").click()
        expect(visit.page.locator("#stability h2")).to_be_in_viewport()
