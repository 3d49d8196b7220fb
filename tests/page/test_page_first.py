"""What a first visit costs: bytes, requests, shifts; and what comes when it is wanted."""

from __future__ import annotations

import pytest
from gradoscope.web import texts
from playwright.sync_api import Browser, expect

from tests.support.browser import EXPLANATIONS, SIX, Visit, transferred, visiting

BUDGET = 150_000  # bytes with their headers, before the first upload
SHIFTS = """() => new Promise(done => {
  const report = list => done(list.getEntries().map(entry => entry.value));
  new PerformanceObserver(report).observe({ type: "layout-shift", buffered: true });
  setTimeout(done, 200, []);
})"""


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
@pytest.mark.parametrize("path", ["/", "/methods", "/lab"])
@pytest.mark.parametrize("width", [1440, 390])
def test_a_first_visit_is_small_computes_nothing_and_does_not_shift(
    browser: Browser, server_url: str, path: str, locale: str, width: int
) -> None:
    with visiting(browser, server_url, first=True, locale=locale, viewport={"width": width, "height": 844}) as visit:
        sizes = transferred(visit)
        visit.page.goto(visit.root + path)
        visit.wait_until_idle()
        assert visit.posted == []
        assert 10_000 < sum(sizes) < BUDGET, sorted(sizes)
        assert sum(visit.page.evaluate(SHIFTS)) < 0.01


def test_the_start_page_is_whole_without_the_workbench(visit: Visit) -> None:
    visit.open()
    visit.wait_until_idle()
    previews = visit.page.locator(".previews img")
    assert [image.evaluate("image => image.naturalWidth") for image in previews.all()] == [112] * SIX
    expect(visit.page.locator(".sample")).to_have_count(5)
    assert not [request.url for request in visit.requests if request.url.endswith("workbench.js")]


def test_the_workbench_is_fetched_when_a_picture_is_taken(visit: Visit) -> None:
    visit.open()
    visit.wait_until_idle()
    visit.sample()
    expect(visit.page.locator("panel-grid .question")).to_be_focused()
    visit.finished()
    sheets = visit.page.eval_on_selector_all("link[rel=stylesheet]", "links => links.map(link => link.href)")
    assert sheets[-1].endswith("/keep.css")  # whose rules win


def test_a_workbench_that_cannot_be_fetched_is_reported_and_can_be_retried(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url) as visit:
        visit.context.route("**/workbench.js", lambda route: route.abort())
        visit.context.route(EXPLANATIONS, lambda route: None)  # no answer: an explanation would move the address
        visit.open()
        visit.sample()
        expect(visit.notice).to_be_visible()
        visit.context.unroute("**/workbench.js")
        with visit.page.expect_navigation():
            visit.notice.get_by_role("button").first.click()
        visit.context.unroute(EXPLANATIONS)
        visit.sample()
        visit.finished()


@pytest.mark.parametrize(
    ("path", "compressed"),
    [
        ("/", True),
        ("/static/js/page/main.js", True),
        ("/static/css/page.css", True),
        ("/api/v1/models", True),
        ("/static/samples/cat.jpg", False),
        ("/static/plugins/methods/grad_cam/preview.webp", False),
    ],
)
def test_text_is_compressed_and_pictures_are_not(quick_model_server, path, compressed):  # type: ignore[no-untyped-def]
    answer = quick_model_server.http.get(path, headers={"accept-encoding": "gzip"})
    assert answer.status_code == 200
    assert (answer.headers.get("content-encoding") == "gzip") is compressed
    assert quick_model_server.http.get(path, headers={"accept-encoding": "identity"}).content == answer.content


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_by_touch_a_picture_is_chosen_or_taken_not_dropped(browser: Browser, server_url: str, locale: str) -> None:
    words = texts.texts(locale[:2])
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    for options, said in ((phone, "empty.take"), ({}, "empty.drop")):
        with visiting(browser, server_url, locale=locale, **options) as visit:
            visit.open()
            expect(visit.page.get_by_role("heading", name=words[said], exact=True)).to_be_visible()
            expect(visit.page.locator("#drop-title")).to_have_text(words[said], use_inner_text=True)
