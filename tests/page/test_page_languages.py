"""The workbench in its languages: which one is chosen, that no text is left in the other, and switching."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest
from gradoscope.web import texts
from playwright.sync_api import Browser, FilePayload, expect

from tests.support.browser import EXPLANATIONS, LONG, Visit, visiting

expect.set_options(timeout=20_000)

CHEAP = ["vanilla_gradient", "grad_cam"]
ZH = {"name": texts.COOKIE, "value": "zh"}
# All visible texts and labels of the page, without those that are marked as of another language.
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
    """The texts on the page that are an English text and no Chinese one."""
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
    chinese.wait_until_idle()
    assert english_left(chinese) == []
    expect(page.locator(".panel-title").first).to_contain_text("原始梯度")


def test_the_server_sends_the_page_in_chinese(server_url: str, explained: str) -> None:
    for path in ("/", explained):
        html = httpx.get(server_url + path, headers={"accept-language": "zh-CN"}).text
        assert '<html lang="zh-Hans">' in html
        block = json.loads(re.findall(r'id="texts">(.*?)</script>', html)[0])
        assert block["ask.class"] == texts.texts("zh")["ask.class"]
        assert texts.texts("en")["empty.drop"] not in html


def test_the_switch_keeps_the_explanation_and_the_view(visit: Visit, explained: str) -> None:
    page = visit.page
    page.goto(f"{visit.root}{explained}#reduce=sum")
    visit.wait_until_idle()
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


def test_refusals_are_in_the_page_s_language_and_others_marked_as_english(chinese: Visit) -> None:
    words = texts.texts("zh")
    chinese.page.goto(chinese.root + "/e/" + "0" * 32)
    expect(chinese.notice.first).to_contain_text(words["problem.gone"])
    expect(chinese.notice.first.locator("p")).to_have_text(words["refusal.explanation_gone"].format(id="0" * 32))
    expect(chinese.notice.first.locator("[lang=en]")).to_have_count(0)
    chinese.page.goto(chinese.root)
    notes = FilePayload(name="notes.png", mimeType="image/png", buffer=b"plain text")
    chinese.page.locator("#file").set_input_files(notes)
    said = words["refusal.picture_unknown"].partition("{")[0]
    expect(chinese.notice.first.locator("p").first).to_contain_text(said)
    expect(chinese.notice.first.locator("[lang=en]")).to_have_count(0)
    body = {"type": "urn:gradoscope:problem:not-enough-memory", "title": "Not enough memory", "status": 507}
    chinese.page.route(EXPLANATIONS, lambda route: route.fulfill(status=507, json={**body, "detail": "Take another."}))
    chinese.sample()
    expect(chinese.notice.first.locator("strong")).to_have_text(words["refusal.title.not_enough_memory"])
    expect(chinese.notice.first.locator("p[lang=en]")).to_have_text("Take another.")


def test_class_names_are_in_the_page_s_language(chinese: Visit) -> None:
    chinese.open()
    chinese.sample()
    chinese.page.locator("map-panel[data-status=done]").nth(5).wait_for()
    expect(chinese.page.locator("panel-grid .question")).to_contain_text("虎纹猫")
    expect(chinese.page.locator(".prediction-label").first).to_have_text("虎纹猫")
    field = chinese.page.get_by_role("combobox", name=texts.texts("zh")["ask.class"], exact=True)
    expect(field).to_have_value("虎纹猫")
    for query, index in (("浓缩", "967"), ("虎斑猫", "281"), ("espresso", "967")):
        field.fill(query)
        expect(chinese.options.filter(has_text=index)).to_have_count(1)
    field.press("Enter")
    expect(chinese.page.locator("panel-grid .question")).to_contain_text("浓缩咖啡")


def test_classes_are_named_in_what_was_measured(browser: Browser, server_url: str, explained: str) -> None:
    """The findings, the maps of other classes, and what stands on a map of the question before."""
    panels = httpx.get(f"{server_url}/api/v1/explanations/{explained[3:]}").json()["panels"]
    address = f"{server_url}/api/v1/explanations/{explained[3:]}/panels/{panels[0]['id']}/metrics"
    asked = {"metrics": ["class_sensitivity", "relevance_mass", "relevance_rank"]}
    assert httpx.post(address, data=asked, timeout=LONG / 1000).status_code == 200
    words = texts.texts("zh")
    with visiting(browser, server_url, locale="zh-CN") as visit:
        page = visit.page
        page.goto(f"{server_url}{explained}#trust={panels[0]['id']}")
        dialog = page.locator("dialog.trust")
        expect(dialog.locator(".trust-card-title [lang=en]")).to_have_count(0)
        expect(dialog.locator("trust-metric[data-metric=class_sensitivity] .trust-maps li").first).to_contain_text(
            "虎纹猫"
        )
        sentences = dialog.locator("trust-verdict li")
        expect(sentences).to_have_count(2)  # what two metrics say in the same words stands once
        expect(sentences.first).not_to_have_text(re.compile("[A-Za-z]{3}"))
        for metric in ("relevance_mass", "relevance_rank"):
            expect(sentences.last.get_by_role("button", name=words[f"trust.metric.{metric}"])).to_have_count(1)
        page.keyboard.press("Escape")
        page.route(EXPLANATIONS, lambda route: None)  # no answer: the maps of before stay
        page.locator(".prediction").nth(1).click()
        expect(page.locator("map-panel .previous-mark").first).to_have_text(
            words["previous.mark"].format(what="虎纹猫")
        )
