"""The workbench in its languages: which one opens, that nothing of another is left, and the way between them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest
from gradoscope.web import texts
from playwright.sync_api import Browser, expect

from tests.support.browser import LONG, Visit, visiting

expect.set_options(timeout=20_000)

CHEAP = ["vanilla_gradient", "grad_cam"]
ZH = {"name": texts.COOKIE, "value": "zh"}
# What one sees and hears of the page, but for what is marked as another language's.
WORDS = """() => [...document.querySelectorAll('body *')]
  .filter(node => !node.closest('[lang]:not(html), script, noscript') && node.checkVisibility())
  .flatMap(node => [...['aria-label', 'title', 'placeholder', 'alt'].map(name => node.getAttribute(name)),
    ...[...node.childNodes].filter(child => child.nodeType === Node.TEXT_NODE).map(child => child.data)])
  .map(text => text?.trim()).filter(Boolean)"""


@pytest.fixture(scope="module")
def explained(server_url: str) -> str:
    """The address of an explanation of the cat by cheap methods."""
    fields = {"sample": "cat", "method": CHEAP}
    answer = httpx.post(f"{server_url}/api/v1/explanations", data=fields, timeout=LONG / 1000)
    found = re.search(r"[0-9a-f]{32}", answer.text)
    assert found, answer.text[:500]
    return f"/e/{found[0]}"


@pytest.fixture(params=["cookie", "header"])
def chinese(request: pytest.FixtureRequest, browser: Browser, server_url: str) -> Iterator[Visit]:
    header = request.param == "header"
    with visiting(browser, server_url, locale="zh-CN" if header else "en-GB") as visit:
        if not header:
            visit.context.add_cookies([{**ZH, "url": server_url}])
        yield visit


def english_left(visit: Visit) -> list[str]:
    """The words of the page that are as the English texts have them, and not as the Chinese."""
    known, other = texts.texts("en"), set(texts.texts("zh").values())
    patterns = [
        re.compile(r"[^一-鿿]+?".join(map(re.escape, re.split(r"\{\w+\}", text))))
        for key, text in known.items()
        if text not in other and re.search(r"[A-Za-z]{3}", re.sub(r"\{\w+\}", "", text))
    ]
    shown = visit.page.evaluate(WORDS)
    assert len(shown) > 30
    return [text for text in shown if any(pattern.fullmatch(text) for pattern in patterns)]


def test_start_page_and_explanation_in_chinese(chinese: Visit, explained: str) -> None:
    page = chinese.page
    chinese.open()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.get_by_role("heading", level=1)).to_have_text(texts.texts("zh")["empty.sentence"])
    assert english_left(chinese) == []
    page.goto(chinese.root + explained)
    page.locator("map-panel[data-status=done] canvas.map").nth(len(CHEAP) - 1).wait_for()
    chinese.settled()
    assert english_left(chinese) == []
    expect(page.locator(".panel-title").first).to_contain_text("原始梯度")


def test_the_first_bytes_are_chinese(server_url: str, explained: str) -> None:
    for path in ("/", explained):
        html = httpx.get(server_url + path, headers={"accept-language": "zh-CN"}).text
        assert '<html lang="zh-Hans">' in html
        block = json.loads(re.findall(r'id="texts">(.*?)</script>', html)[0])
        assert block["ask.class"] == texts.texts("zh")["ask.class"]
        assert texts.texts("en")["empty.drop"] not in html


def test_the_switch_keeps_the_explanation_and_the_view(visit: Visit, explained: str) -> None:
    page = visit.page
    page.goto(f"{visit.root}{explained}#reduce=sum")
    visit.settled()
    switch = page.get_by_role("link", name="中文")
    expect(switch).to_have_attribute("lang", "zh-Hans")
    switch.focus()
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    page.locator("map-panel[data-status=done]").nth(len(CHEAP) - 1).wait_for()
    expect(page).to_have_url(f"{visit.root}{explained}#reduce=sum")
    expect(page.get_by_role("radio", name=texts.texts("zh")["reading.sum"], exact=True)).to_be_checked()
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page).to_have_url(f"{visit.root}{explained}#reduce=sum")
    page.get_by_role("link", name="Methods").click()
    expect(page).to_have_url(f"{visit.root}/methods")


def test_the_servers_own_words_are_marked_as_english(chinese: Visit) -> None:
    chinese.page.goto(chinese.root + "/e/" + "0" * 32)
    expect(chinese.notice.first).to_contain_text(texts.texts("zh")["problem.gone"])
    expect(chinese.notice.first.locator("p[lang=en]")).not_to_be_empty()
