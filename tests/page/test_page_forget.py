"""Forgetting an explanation: it leaves the server, the strip of pictures and the history, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from tests.support.browser import CAT, EXPLANATIONS, LONG, Visit, cheaply, module, visiting
from tests.support.paths import sample

expect.set_options(timeout=LONG)
NAMES = ("rocket", "espresso", "grid")


# Goes forward, and resolves when the page has gone back from there by itself.
FORWARD_AND_BACK = """() => new Promise(done => {
  let count = 0;
  addEventListener('popstate', () => { count += 1; if (count === 2) setTimeout(done); });
  history.forward();
})"""


class Forgetful(Visit):
    """A visit that asks for one cheap map of each picture."""

    def take(self, *names: str) -> None:
        files: list[Any] = [{"name": f"{n}.jpg", "mimeType": "image/jpeg", "buffer": sample(f"{n}.jpg")} for n in names]
        self.page.locator("#file").set_input_files(files)
        self.finished(1)

    def choose(self, name: str) -> None:
        self.picture(name).click()
        expect(self.picture(name)).to_be_checked()
        self.finished(1)

    def picture(self, name: str) -> Locator:
        return self.page.get_by_role("radio", name=f"{name}.jpg")

    @property
    def strip(self) -> list[str | None]:
        thumbs = self.page.get_by_role("radiogroup", name="Pictures").get_by_role("radio").all()
        return [thumb.get_attribute("aria-label") for thumb in thumbs]

    def question(self) -> Locator:
        """The dialog that asks whether to forget."""
        self.page.get_by_role("button", name="History", exact=True).click()
        self.page.get_by_role("button", name="Forget this explanation").click()
        return self.page.get_by_role("dialog", name="Forget this explanation?")

    def forget(self) -> None:
        self.question().get_by_role("button", name="Forget", exact=True).click()
        expect(self.page.get_by_role("dialog")).to_have_count(0)

    def status(self, id: str) -> int:
        return self.page.request.get(f"{self.root}/api/v1/explanations/{id}").status

    @property
    def shown(self) -> str:
        """The name of the picture that is explained."""
        name = f"async () => (await {module('state/store.js')}).store.state.picture.name"
        return str(self.page.evaluate(name))

    @property
    def steps(self) -> int:
        """The index of the current entry in the browser's history."""
        return int(self.page.evaluate("() => navigation.currentEntry.index"))


@pytest.fixture
def visit(browser: Browser, server_url: str) -> Iterator[Forgetful]:
    with visiting(browser, server_url, Forgetful) as visit:
        visit.page.route(EXPLANATIONS, cheaply)
        visit.open()
        yield visit


def test_it_says_what_it_does_and_does_it(visit: Forgetful) -> None:
    visit.take("rocket")
    forgotten = visit.explanation_id
    dialog = visit.question()
    expect(dialog).to_contain_text("The server deletes the picture")
    expect(dialog.get_by_role("button", name="Keep")).to_be_focused()
    visit.page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(visit.page.get_by_role("button", name="History", exact=True)).to_be_focused()
    assert visit.status(forgotten) == 200
    visit.forget()
    expect(visit.page.get_by_role("button", name="Choose a picture")).to_be_focused()
    expect(visit.page.locator("#status")).to_have_text("The explanation is forgotten")
    assert visit.page.url == f"{visit.root}/"
    assert visit.status(forgotten) == 404
    expect(visit.page.locator("earlier-list")).to_be_hidden()


def test_the_other_pictures_stay(visit: Forgetful) -> None:
    visit.take(*NAMES)
    rocket = visit.explanation_id
    visit.choose("grid")
    grid, shown = visit.explanation_id, visit.pixels()
    visit.choose("espresso")
    espresso, steps, asked = visit.explanation_id, visit.steps, len(visit.asked)
    visit.forget()
    # The next one was looked at before: its map is here, and its address stands where the forgotten one stood.
    expect(visit.picture("grid")).to_be_checked()
    visit.finished(1)
    assert visit.strip == ["rocket.jpg", "grid.jpg"]
    assert (visit.explanation_id, visit.steps, visit.pixels()) == (grid, steps, shown)
    assert len(visit.asked) == asked
    assert [visit.status(id) for id in (rocket, espresso, grid)] == [200, 404, 200]
    expect(visit.page.locator("panel-grid .question")).to_be_focused()
    # The dialog was a step of what is gone: going forward leads nowhere.
    visit.page.evaluate(FORWARD_AND_BACK)
    assert (visit.explanation_id, visit.steps) == (grid, steps)
    expect(visit.page.locator("dialog[open]")).to_have_count(0)
    visit.page.get_by_role("button", name="History").click()
    entries = visit.page.get_by_role("dialog", name="History").get_by_role("listitem")
    expect(entries).to_have_count(2)
    expect(entries.first).to_contain_text("grid.jpg")
    expect(entries.first.get_by_role("link")).to_have_attribute("aria-current", "page")
    expect(entries.nth(1)).to_contain_text("rocket.jpg")
    visit.page.keyboard.press("Escape")
    # The last of the strip: the one before it is shown; then none is left.
    visit.forget()
    expect(visit.page.locator("picture-strip")).to_be_hidden()
    visit.finished(1)
    assert visit.explanation_id == rocket
    visit.page.reload()
    visit.finished(1)
    expect(visit.page.locator("picture-strip")).to_be_hidden()
    visit.forget()
    expect(visit.page.locator(".drop")).to_be_visible()
    assert visit.page.url == f"{visit.root}/"
    expect(visit.page.locator("earlier-list")).to_be_hidden()


def test_the_next_picture_is_explained_where_it_was_not_yet(visit: Forgetful) -> None:
    visit.take(*NAMES)
    visit.page.locator(".prediction").nth(1).click()
    label = visit.page.locator(".prediction").nth(1).locator(".prediction-label").inner_text()
    expect(visit.page.locator("panel-grid .question")).to_have_text(f"Why {label}")
    visit.finished(1)
    forgotten, steps = visit.explanation_id, visit.steps
    visit.forget()
    expect(visit.picture("espresso")).to_be_checked()
    visit.finished(1)
    assert visit.strip == ["espresso.jpg", "grid.jpg"]
    expect(visit.page.locator("panel-grid .question")).to_have_text(f"Why {label}")  # the same question of all
    assert visit.explanation_id != forgotten
    assert (visit.steps, visit.status(visit.explanation_id)) == (steps, 200)
    visit.page.go_back()  # the first question of the picture that is forgotten: an explanation of its own
    visit.finished(1)
    assert visit.status(visit.explanation_id) == 200


def test_a_next_picture_that_is_refused_is_passed_over(visit: Forgetful) -> None:
    visit.page.locator("#file").set_input_files(
        [
            {"name": "rocket.jpg", "mimeType": "image/jpeg", "buffer": sample("rocket.jpg")},
            {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": CAT.read_bytes()[:9000]},
            {"name": "grid.jpg", "mimeType": "image/jpeg", "buffer": sample("grid.jpg")},
        ]
    )
    visit.finished(1)
    forgotten = visit.explanation_id
    visit.forget()
    expect(visit.notice).to_contain_text("broken.jpg was not accepted")
    visit.finished(1)
    assert visit.explanation_id != forgotten
    expect(visit.page.locator("picture-strip")).to_be_hidden()
    assert visit.shown == "grid.jpg"
    expect(visit.notice).to_contain_text("broken.jpg was not accepted")


def test_what_cannot_be_forgotten_stays(visit: Forgetful) -> None:
    def refuse(route: Route) -> None:
        body = {"title": "Not yours", "status": 403, "detail": "Another key owns it."}
        route.fulfill(status=403, content_type="application/problem+json", body=json.dumps(body))

    visit.take(*NAMES[:2])
    url = visit.page.url
    visit.page.route(f"{EXPLANATIONS}/*", refuse)
    dialog = visit.question()
    dialog.get_by_role("button", name="Forget", exact=True).click()
    expect(dialog.get_by_role("alert")).to_have_text("Not yours. Another key owns it.")
    dialog.get_by_role("button", name="Keep").click()
    assert visit.strip == ["rocket.jpg", "espresso.jpg"]
    assert visit.page.url == url
