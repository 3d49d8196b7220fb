"""Several pictures: kept in this browser, computed one after another, shown in an overview; messages about files."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Request, Route, expect

from tests.support.browser import CAT, EXPLANATIONS, LONG, OPEN_OVER_PAGE, Visit, cheaply, module, visiting
from tests.support.paths import sample

expect.set_options(timeout=LONG)
NAMES = ("rocket", "espresso", "grid")
# Name, explanation id and file size of each picture that the browser keeps.
KEPT = f"""async () => (await (await {module("picture/picture-store.js")}).keptPictures())
  .map(({{ name, id, file }}) => [name, id, file?.size ?? null])"""
# A browser that lets the page store nothing, as in a private window.
NO_STORAGE = """Object.defineProperty(window, 'indexedDB', {
  value: { open() { throw new DOMException('', 'SecurityError'); } },
});"""

# The end of each answer to a question comes long after its last event, as on a slow connection.
LATE_ENDS = """{
  const plain = window.fetch;
  window.fetch = async (...given) => {
    const response = await plain(...given);
    if (given[1]?.method !== "POST" || !String(given[0]).endsWith("/explanations")) return response;
    const wait = { flush: () => new Promise((done) => setTimeout(done, 3000)) };
    return new Response(response.body.pipeThrough(new TransformStream(wait)), response);
  };
}"""


class Pictures(Visit):
    """A visit that asks for one cheap map of each picture."""

    def choose(self, *names: str) -> None:
        """Chooses these samples as files; `take` also waits for the first map."""
        files: list[Any] = [{"name": f"{n}.jpg", "mimeType": "image/jpeg", "buffer": sample(f"{n}.jpg")} for n in names]
        self.page.locator("#file").set_input_files(files)

    def take(self, *names: str) -> None:
        self.choose(*names)
        self.finished(1)

    @property
    def sent(self) -> list[Request]:
        """The requests for explanations."""
        return [request for request in self.asked if request.url.endswith("/explanations")]

    @property
    def tally(self) -> Locator:
        return self.page.locator(".strip-tally")

    @property
    def thumbs(self) -> Locator:
        return self.page.get_by_role("radiogroup", name="Pictures").get_by_role("radio")

    @property
    def caption(self) -> Locator:
        return self.page.locator("picture-view .caption")

    def overview(self) -> Locator:
        self.page.locator(".strip-count").click()
        return self.page.get_by_role("dialog", name=re.compile("^Pictures,"))


@pytest.fixture
def visit(browser: Browser, server_url: str) -> Iterator[Pictures]:
    with visiting(browser, server_url, Pictures) as visit:
        visit.page.route(EXPLANATIONS, cheaply)
        visit.open()
        yield visit


def after(count: int, then: Callable[[Route], None]) -> Callable[[Route], None]:
    """A route handler: the first `count` requests go to the server, `then` handles the others."""
    seen: list[Route] = []

    def answer(route: Route) -> None:
        seen.append(route)
        (cheaply if len(seen) <= count else then)(route)

    return answer


def never(route: Route) -> None:
    """A route handler that never answers."""


def test_pictures_are_computed_one_after_another_and_stay(visit: Pictures) -> None:
    visit.take(*NAMES)
    address = visit.page.url
    expect(visit.tally).to_have_text("3 computed")
    assert visit.page.url == address, "the picture that is shown stays"
    assert len(visit.sent) == 3
    visit.thumbs.nth(1).click()
    visit.finished(1)
    assert len(visit.sent) == 3, "what was computed meanwhile is there at once"
    visit.page.go_back()
    visit.finished(1)
    sheet = visit.overview()
    expect(sheet.get_by_role("heading")).to_have_text("Pictures, 1 of 3 is shown")
    expect(sheet.locator(".card-status")).to_have_text(["Done"] * 3)
    assert visit.axe_in_both_themes(OPEN_OVER_PAGE) == []
    sheet.get_by_role("button", name="Remove espresso.jpg").click()
    expect(sheet.get_by_role("button", name="Remove grid.jpg")).to_be_focused()
    sheet.get_by_role("button", name=re.compile("grid.jpg Done")).click()
    expect(sheet).to_have_count(0)
    visit.finished(1)
    expect(visit.page.locator(".strip-count")).to_have_text("2 of 2")
    visit.page.reload()
    visit.finished(1)
    expect(visit.thumbs).to_have_count(2)
    # As after a restart of the browser: a tab without history.
    other = visit.context.new_page()
    other.goto(visit.page.url)
    expect(other.get_by_role("radiogroup", name="Pictures").get_by_role("radio")).to_have_count(2)
    other.close()
    visit.open()
    kept = visit.page.get_by_role("region", name="Your pictures")
    assert visit.axe_in_both_themes("main") == []
    kept.get_by_role("button", name="Remove 2 pictures from this browser").click()
    expect(kept.get_by_role("button", name="Undo")).to_be_focused()
    visit.page.keyboard.press("Enter")
    kept.get_by_role("button", name=re.compile("2 pictures · Go on")).click()
    visit.finished(1)
    expect(visit.thumbs).to_have_count(2)
    visit.overview().get_by_role("button", name="Remove all").click()
    visit.page.get_by_role("button", name="Remove 2 pictures").click()
    expect(visit.page.locator("#choose")).to_be_focused()
    expect(kept).to_be_hidden()
    assert visit.page.evaluate(KEPT) == []


def test_pictures_that_were_not_sent_yet_survive_a_reload_and_wait_for_go_on(visit: Pictures) -> None:
    visit.page.route(EXPLANATIONS, after(1, never))
    visit.choose(*NAMES)
    expect(visit.tally).to_have_text("2 to compute")
    expect(visit.thumbs.nth(1)).to_have_attribute("data-status", "computing")
    assert len(visit.sent) == 2, "one at a time"
    visit.page.get_by_role("button", name="Stop", exact=True).click()
    expect(visit.tally).to_have_text("2 not computed")
    expect(visit.thumbs.nth(1)).to_have_attribute("data-status", "waiting")
    visit.page.reload()
    visit.finished(1)
    expect(visit.thumbs).to_have_count(3)
    expect(visit.tally).to_have_text("2 not computed")
    kept = visit.page.evaluate(KEPT)
    assert [(name, bool(id)) for name, id, _ in kept] == [
        ("rocket.jpg", True),
        ("espresso.jpg", False),
        ("grid.jpg", False),
    ]
    assert kept[1][2] == len(sample("espresso.jpg"))
    visit.page.unroute(EXPLANATIONS)
    visit.page.route(EXPLANATIONS, cheaply)
    visit.page.get_by_role("button", name="Go on", exact=True).click()
    expect(visit.tally).to_have_text("3 computed")
    # Another question: the others have answers to the first one.
    visit.page.locator(".prediction").nth(1).click()
    visit.finished(1)
    sheet = visit.overview()
    expect(sheet.locator(".card-status")).to_have_text(["Done", "Done, another question", "Done, another question"])
    sheet.get_by_role("button", name="Ask all the same question").click()
    expect(sheet.locator(".card-status")).to_have_text(["Done"] * 3)


def test_a_picture_that_is_done_is_not_computed_again_where_the_answer_ends_late(visit: Pictures) -> None:
    visit.page.add_init_script(LATE_ENDS)
    visit.page.reload()
    visit.choose("rocket", "espresso")
    expect(visit.tally).to_have_text("2 computed")
    visit.page.locator(".prediction").nth(1).click()
    sheet = visit.overview()
    expect(sheet.locator(".card-status")).to_have_text(["Done", "Done, another question"])
    assert len(visit.sent) == 3


def test_the_overview_stays_open_while_answers_come(visit: Pictures) -> None:
    """Opened before the answer is accepted; pictures are added and removed in it."""
    visit.take(*NAMES[:2])
    expect(visit.tally).to_have_text("2 computed")
    held: list[Route] = []
    visit.page.unroute(EXPLANATIONS)
    visit.page.route(EXPLANATIONS, lambda route: held.append(route), times=1)
    first = visit.page.url
    with visit.page.expect_request(EXPLANATIONS):
        visit.page.locator(".prediction").nth(1).click()
    sheet = visit.overview()
    expect(sheet.locator(".card-status")).to_have_text(["Computing", "Done, another question"])
    assert visit.page.url.startswith(first)
    visit.page.route(EXPLANATIONS, cheaply)
    cheaply(held.pop())
    expect(visit.page).not_to_have_url(re.compile(re.escape(first)))
    expect(sheet.locator(".card-status")).to_have_text(["Done", "Done, another question"])
    visit.choose("grid")
    expect(sheet.get_by_role("heading")).to_have_text("Pictures, 3 of 3 is shown")
    expect(sheet.locator(".card-status")).to_have_text(["Done, another question", "Done", "Done"])
    sheet.get_by_role("button", name="Remove grid.jpg").click()
    expect(sheet.get_by_role("heading")).to_have_text("Pictures, 2 of 2 is shown")
    expect(sheet.locator(".card-status").nth(1)).to_have_text("Done")
    address = visit.page.url
    sheet.get_by_role("button", name=re.compile("^rocket.jpg")).click()
    expect(sheet).to_have_count(0)
    expect(visit.page).not_to_have_url(address)
    visit.finished(1)
    assert visit.page.evaluate("() => history.state.step ?? 0") == 0


def test_a_picture_that_fails_and_more_pictures_than_are_allowed(visit: Pictures) -> None:
    dot = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(dot, "PNG")
    broken = {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": CAT.read_bytes()[:9000]}
    visit.take("rocket")
    grid = {"name": "grid.jpg", "mimeType": "image/jpeg", "buffer": sample("grid.jpg")}
    visit.page.locator("#file").set_input_files([grid, broken])
    expect(visit.tally).to_have_text("2 computed, 1 failed")
    assert visit.thumbs.nth(2).get_attribute("data-status") == "failed"
    visit.page.get_by_role("button", name="Add pictures").wait_for()
    visit.page.unroute(EXPLANATIONS)
    visit.page.route(EXPLANATIONS, never)
    many = [{"name": f"dot{n}.png", "mimeType": "image/png", "buffer": dot.getvalue()} for n in range(23)]
    visit.page.locator("#file").set_input_files(many)
    expect(visit.notice).to_contain_text("There is room for 24 pictures")
    expect(visit.notice).to_contain_text("2 found no place")
    expect(visit.thumbs).to_have_count(24)
    expect(visit.page.locator(".strip-count")).to_have_text("4 of 24")
    sheet = visit.overview()
    expect(sheet.locator(".card")).to_have_count(24)
    assert sheet.locator(".card-status").nth(2).inner_text() not in ("Failed", "")


def test_forgetting_an_explanation_deletes_its_picture_in_the_browser(visit: Pictures) -> None:
    visit.take(*NAMES[:2])
    expect(visit.tally).to_have_text("2 computed")
    visit.page.get_by_role("button", name="History", exact=True).click()
    visit.page.get_by_role("button", name="Forget this explanation").click()
    dialog = visit.page.get_by_role("dialog", name="Forget this explanation?")
    expect(dialog).to_contain_text("this browser forgets its picture too")
    dialog.get_by_role("button", name="Forget", exact=True).click()
    visit.finished(1)
    expect(visit.page.locator("picture-strip")).to_be_hidden()
    visit.wait_for(f"async () => (await ({KEPT})()).map(([name]) => name).join() === 'espresso.jpg'")


@pytest.mark.parametrize(("full", "why"), [(False, "stores nothing for this page"), (True, "is full")])
def test_without_storage_it_works_and_says_so_once(visit: Pictures, full: bool, why: str) -> None:
    session = visit.context.new_cdp_session(visit.page)
    if full:
        session.send("Storage.overrideQuotaForOrigin", {"origin": visit.root, "quotaSize": 1000})
    else:
        visit.page.add_init_script(NO_STORAGE)
    visit.open()
    visit.take(*NAMES[:2])
    expect(visit.notice).to_contain_text("Pictures are not kept")
    expect(visit.notice).to_contain_text(why)
    visit.page.get_by_role("button", name="Dismiss").click()
    expect(visit.tally).to_have_text("2 computed")
    visit.page.locator("#file").set_input_files(CAT)
    expect(visit.tally).to_have_text("3 computed")
    expect(visit.notice).to_have_count(0)
    session.send("Storage.overrideQuotaForOrigin", {"origin": visit.root})


def test_the_browser_converts_heic_and_scales_large_photos_down(visit: Pictures) -> None:
    cat = CAT.read_bytes()
    # Chromium decodes no HEIC, but it goes by the content: a JPEG that is named .HEIC can be read.
    heic = {"name": "photo.HEIC", "mimeType": "", "buffer": cat}
    other = {"name": "other.heic", "mimeType": "image/heic", "buffer": b"\0\0\0\x18ftypheic" + bytes(400)}
    visit.page.locator("#file").set_input_files(
        [heic, other, {"name": "a.txt", "mimeType": "text/plain", "buffer": b"a"}]
    )
    visit.finished(1)
    expect(visit.caption).to_contain_text("converted from HEIC before it was sent")
    assert b"Content-Type: image/jpeg" in (visit.sent[0].post_data_buffer or b"")
    expect(visit.notice).to_contain_text("other.heic cannot be read")
    expect(visit.notice).to_contain_text("does not decode HEIC")
    expect(visit.page.locator("picture-strip")).to_be_hidden()
    photo = io.BytesIO()
    Image.linear_gradient("L").resize((8000, 6000)).save(photo, "PNG", compress_level=1)
    assert len(photo.getvalue()) > 2**17
    visit.page.locator("#file").set_input_files(
        {"name": "large.png", "mimeType": "image/png", "buffer": photo.getvalue()}
    )
    expect(visit.caption).to_contain_text("scaled down from 8000 × 6000 before it was sent")
    visit.finished(1)
    visit.page.reload()
    visit.finished(1)
    expect(visit.caption).to_contain_text("scaled down from 8000 × 6000 before it was sent")


def test_a_picture_can_be_dropped_anywhere_on_the_workbench(visit: Pictures) -> None:
    visit.take("rocket")
    data = {"dataTransfer": visit.transfer("cat.jpg", "image/jpeg", CAT.read_bytes())}
    maps = visit.page.locator("map-panel").first
    maps.dispatch_event("dragover", data)
    veil = visit.page.locator(".drop-veil")
    expect(veil).to_have_text("Drop to explain the picture")
    visit.page.evaluate("() => dispatchEvent(new DragEvent('dragleave'))")
    expect(veil).to_have_count(0)
    maps.dispatch_event("dragover", data)
    maps.dispatch_event("drop", data)
    expect(veil).to_have_count(0)
    expect(visit.thumbs.nth(1)).to_be_checked()
    visit.finished(1)
    # A wrong size is reported as an error at its field.
    size = visit.page.get_by_role("textbox", name="Input size")
    size.fill("large")
    size.press("Enter")
    expect(visit.page.locator("input-fields [role=alert]")).to_contain_text("A size is one side in pixels")
    expect(size).to_have_attribute("aria-invalid", "true")
