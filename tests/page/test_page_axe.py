"""axe on every page and state, in both languages and both themes, at a desktop's width and a phone's: nothing is found.

Nor is any of them wider than its window.

One visit for each language and width goes through all states; the theme is switched in place. In the second theme only
what depends on colours is looked at again. Of a menu or a dialog the layer itself is looked at, and where only the
question beside the maps changes, that side: what lies around it has been looked at, just before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from gradoscope.web import texts
from playwright.sync_api import Browser, Locator, Route, expect

from tests.support.browser import (
    CAT,
    EXPLANATIONS,
    FETCHES,
    LONG,
    OPEN_OVER_PAGE,
    Visit,
    cheaply,
    events,
    slowly,
    visiting,
)

expect.set_options(timeout=LONG)
CHEAP = ["vanilla_gradient", "guided_backprop", "grad_cam"]
SIDE = ".side"  # the picture, what the model believes, and the question
PHONE: Any = {"width": 320, "height": 740}  # where a desktop at 400 % is too: WCAG 1.4.10
MODELS = "**/api/v1/models"
PROBLEM = {"title": "Unknown class", "status": 422, "detail": "There is none.", "errors": [{"field": "target"}]}
REFUSED = {
    "status": "refused",
    "urls": {"npy": None, "png": None},
    "problem": {"title": "Method refused", "detail": "Not this model: mystery_activation."},
}


class Story(Visit):
    """A visit in one language that looks at each state with axe, and collects what it finds."""

    language = "en"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.found: dict[str, list[str]] = {}

    def say(self, key: str, **values: Any) -> str:
        return texts.texts(self.language)[key].format(**values)

    def method(self, id: str) -> str:
        return self.say(f"method.{id}")

    def button(self, key: str, **values: Any) -> Locator:
        return self.page.get_by_role("button", name=self.say(key, **values), exact=True).locator("visible=true").first

    def check(self, state: str, within: str = "html") -> None:
        self.wait_for_frame()
        self.note(state, self.axe_in_both_themes(within))
        if self.overflow() > 0:
            self.note(state, [f"{self.overflow()} px wider than the window"])

    def note(self, state: str, violations: list[str]) -> None:
        if violations:
            self.found[state] = violations + self.found.get(state, [])

    def report(self) -> str:
        """What was found, by state."""
        return json.dumps(self.found, indent=1) if self.found else ""

    @contextmanager
    def opened(self, state: str, by: Locator) -> Iterator[None]:
        """What the press of a button opens is looked at, and closed again."""
        by.click()
        layer = self.page.locator(OPEN_OVER_PAGE).last
        layer.wait_for()
        yield
        self.check(state, OPEN_OVER_PAGE)
        self.page.keyboard.press("Escape")
        expect(layer).to_have_count(0)

    def look(self, state: str, by: Locator) -> None:
        with self.opened(state, by):
            pass

    def explanation(self, id: str, maps: int) -> None:
        self.page.goto(f"{self.root}/e/{id}")
        self.page.locator("map-panel[data-status=done] canvas.map").nth(maps - 1).wait_for()
        self.wait_until_idle()


@pytest.fixture(scope="module")
def row(server_url: str) -> Any:
    """The record of one row: a picture, a model, its top class."""
    return made(server_url)


@pytest.fixture(scope="module")
def table(server_url: str) -> Any:
    """The record of two rows."""
    return made(server_url, target=["282", "967"])


def made(root: str, **fields: Any) -> Any:
    data = {"sample": "cat", "method": CHEAP, **fields}
    answer = httpx.post(f"{root}/api/v1/explanations", data=data, timeout=300)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def story(browser: Browser, root: str, language: str) -> Iterator[Story]:
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    with visiting(browser, root, Story, locale=locale, reduced_motion="reduce", color_scheme="light") as visit:
        visit.language = language
        yield visit


def unfinished(route: Route) -> None:
    """The question with a method that is not done before it is cancelled."""
    slowly(route, ("grad_cam", "smooth_grad"), smooth_grad={"samples": 2000})


def broken_off(record: Any) -> str:
    """A stream that ends after a map and a refusal."""
    panels = record["panels"]
    announced = [{key: panel[key] for key in ("id", "model", "method")} | {"target": None} for panel in panels]
    (seen,) = record["inputs"]
    return events(
        ("accepted", {"id": record["id"], "panels": announced, "gradient_evaluations": 3}),
        ("prediction", {"model": seen["model"], "input": seen, "predictions": seen["predictions"]}),
        ("panel", {"panel": panels[0], "map": None}),
        ("panel", {"panel": panels[1] | REFUSED, "map": None}),
    )


def downloadable(route: Route) -> None:
    """The catalogue of a server that may download weights."""
    answer = route.fetch(max_retries=FETCHES)
    route.fulfill(response=answer, json=answer.json() | {"downloads": "cards"})


def test_from_the_start_to_a_broken_off_explanation(browser: Browser, server_url: str, language: str, row: Any) -> None:
    with story(browser, server_url, language) as visit:
        visit.open()
        visit.wait_until_idle()
        visit.check("empty")
        visit.page.locator("#file").set_input_files(
            {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": CAT.read_bytes()[:9000]}
        )
        visit.notice.wait_for()
        visit.check("a picture refused on the start page")
        visit.page.route(EXPLANATIONS, unfinished)
        visit.page.locator("#all-samples").click()
        visit.page.locator("map-panel[data-status=running] canvas.map").wait_for()
        visit.check("running")
        visit.button("grid.cancel").click()
        visit.button("grid.rest").wait_for()
        visit.check("partly")
        visit.page.unroute(EXPLANATIONS)
        visit.page.route(
            EXPLANATIONS, lambda route: route.fulfill(body=broken_off(row), content_type="text/event-stream")
        )
        visit.page.locator(".prediction").nth(1).click()
        visit.page.locator("panel-grid .notice").wait_for()
        visit.check("a lost connection and a refused map")
        visit.page.goto(f"{visit.root}/e/{'0' * 32}")
        visit.notice.wait_for()
        visit.check("an explanation that is gone")
        assert visit.report() == ""


def test_one_row(browser: Browser, server_url: str, language: str, row: Any) -> None:
    with story(browser, server_url, language) as visit:
        visit.page.route(MODELS, downloadable)
        visit.explanation(row["id"], 3)
        visit.check("done")
        cam = visit.method("grad_cam")
        visit.look("panel menu", visit.button("panel.more", method=cam))
        visit.look("export menu", visit.button("export.title"))
        visit.look("a row to be added", visit.page.locator(".add-row"))
        visit.look("a method to be added", visit.page.locator(".add-method"))
        with visit.opened("full screen, split", visit.page.locator("map-panel canvas.map").first):
            visit.button("split.tool").click()
        visit.button("history.title").click()
        with visit.opened("forget dialog", visit.button("forget.menu")):
            expect(visit.page.get_by_role("dialog")).to_have_count(1)
        visit.page.locator("class-search input").first.fill("cat")
        visit.options.first.wait_for()
        visit.check("class search", SIDE)
        visit.page.keyboard.press("Escape")
        picker = visit.page.locator("model-picker input").first
        picker.click()
        visit.options.first.wait_for()
        visit.check("model search", SIDE)
        picker.fill("ResNet-50")
        visit.options.filter(has_text="ResNet-50").first.click()
        visit.page.locator("weights-download button:visible").first.wait_for()
        visit.check("weights to be downloaded", SIDE)
        visit.page.locator("picture-view").dispatch_event(
            "drop", {"dataTransfer": visit.transfer("notes.txt", "text/plain", b"hello")}
        )
        visit.notice.wait_for()
        visit.check("a picture refused at the picture", SIDE)
        visit.page.route(
            EXPLANATIONS,
            lambda route: route.fulfill(status=422, content_type="application/problem+json", body=json.dumps(PROBLEM)),
        )
        visit.page.locator(".prediction").nth(1).click()
        visit.page.locator("section.ask .notice").wait_for()
        visit.check("a question refused", SIDE)
        visit.look("history", visit.button("history.title"))
        assert visit.report() == ""


def test_a_table(browser: Browser, server_url: str, language: str, table: Any) -> None:
    with story(browser, server_url, language) as visit:
        visit.explanation(table["id"], 6)
        visit.check("table")
        cam = visit.method("grad_cam")
        visit.look("column menu", visit.button("column.more", method=cam))
        visit.look("row menu", visit.page.locator("row-head .icon-button").first)
        with visit.opened("parameter dialog", parameters(visit)):
            visit.page.locator(".parameter-fields input").first.wait_for()
        lens = visit.page.locator("map-panel map-lens").first
        lens.focus()
        for key in ("ArrowRight", "b", "Shift+ArrowRight", "Shift+ArrowDown", "b"):
            visit.page.keyboard.press(key)
        with visit.opened(
            "box marked, only the strongest shown, the tool bar's «More» open", visit.button("reading.more")
        ):
            visit.page.get_by_label(visit.say("reading.show.long")).first.select_option("top")
        lens.focus()
        for key in ("m", "Space"):
            visit.page.keyboard.press(key)
        visit.check("a mask is drawn")
        visit.page.keyboard.press("m")
        with visit.opened("comparison", visit.button("compare.open")):
            visit.page.locator(".agreement dd").first.wait_for()
        assert visit.report() == ""


def test_several_pictures(browser: Browser, server_url: str, language: str) -> None:
    with story(browser, server_url, language) as visit:
        visit.page.route(EXPLANATIONS, cheaply)  # Grad-CAM instead of the six
        visit.open()
        visit.page.locator("#all-samples").click()
        visit.page.locator(".strip-count").wait_for()
        visit.finished(1)
        visit.check("several pictures", SIDE)
        with visit.opened("all pictures, to be removed", visit.page.locator(".strip-count")):
            visit.page.locator(".picture-overview .sheet-foot .button:visible").last.click()
        visit.open()
        visit.page.locator(".kept-strip").first.wait_for()
        visit.check("pictures of an earlier visit that the browser keeps", "#start")
        assert visit.report() == ""


def parameters(visit: Story, menu: str = "column.more") -> Locator:
    """The entry of a menu that leads to the parameters; the menu is open."""
    visit.button(menu, method=visit.method("grad_cam")).click()
    return visit.page.locator(".menu:popover-open .menu-item").filter(has_text=visit.say("column.parameters"))


def test_a_phone(browser: Browser, server_url: str, language: str, table: Any) -> None:
    with story(browser, server_url, language) as visit:
        visit.page.set_viewport_size(PHONE)
        visit.open()
        visit.wait_until_idle()
        visit.check("empty")
        visit.explanation(table["id"], 6)
        visit.check("rows")
        visit.look("sheet of the reading", visit.button("reading.title"))
        visit.look("panel menu", visit.button("panel.more", method=visit.method("grad_cam")))
        visit.look("export menu", visit.button("export.title"))
        visit.look("parameter dialog", parameters(visit, "panel.more"))
        visit.look("history", visit.button("history.title"))
        visit.look("full screen", visit.page.locator("map-panel canvas.map").first)
        visit.button("reading.title").click()
        with visit.opened("comparison", visit.button("compare.open")):
            visit.page.locator(".agreement dd").first.wait_for()
        visit.button("ask.title").click()
        visit.page.locator("model-picker input").first.click()
        visit.options.first.wait_for()
        visit.check("sheet of the question, model search")
        assert visit.report() == ""


def test_the_page_of_methods(browser: Browser, server_url: str, language: str) -> None:
    with story(browser, server_url, language) as visit:
        visit.page.goto(f"{visit.root}/methods")
        visit.wait_until_idle()
        visit.check("top")
        for figure in visit.page.locator("[data-figure]").all():
            figure.scroll_into_view_if_needed()
            expect(figure).to_have_attribute("data-ready", "")
        run = visit.page.locator("[data-run=grad_cam]")
        run.get_by_role("button", name=visit.say("learn.run.compute")).click()
        run.locator("[data-open] a").wait_for()
        visit.check("all figures, one run live")
        visit.page.set_viewport_size(PHONE)
        visit.check("on a phone")
        assert visit.report() == ""


def test_the_page_about_trust(browser: Browser, server_url: str, language: str) -> None:
    with story(browser, server_url, language) as visit:
        visit.page.goto(f"{visit.root}/trust")
        visit.wait_until_idle()
        visit.check("top")
        visit.page.set_viewport_size(PHONE)
        visit.check("on a phone")
        assert visit.report() == ""


def test_the_interactive_documentation(browser: Browser, server_url: str, language: str) -> None:
    with story(browser, server_url, language) as visit:
        visit.page.goto(f"{visit.root}/nope")
        expect(visit.page.get_by_role("heading", level=1)).to_have_text(visit.say("lost.heading"))
        visit.check("nothing there")
        visit.page.get_by_role("navigation").get_by_role("link", name="API").click()
        visit.page.locator(".swagger-ui .opblock").first.wait_for()
        expect(visit.page.locator(".opblock-summary-description").first).to_have_text(visit.say("api.call.explain"))
        visit.check("closed")
        visit.page.locator(".opblock-summary-control", has_text="/healthz").click()
        visit.page.locator(".opblock-body").first.wait_for()
        visit.check("an operation open")
        visit.page.set_viewport_size(PHONE)
        visit.check("on a phone")
        assert visit.report() == ""
