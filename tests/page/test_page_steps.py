"""Going back: each dialog or sheet that is open is a step, an entry of the browser's history that Back closes."""

from __future__ import annotations

import json
from collections.abc import Callable

from playwright.sync_api import Browser, Locator, Route, expect

from tests.support.browser import EXPLANATIONS, LONG, Visit, visiting
from tests.support.keeping import CLIPBOARD, Keeping

expect.set_options(timeout=LONG)
OPEN = "dialog[open]"


# Says of each answer to a question whether the page reads it to its end, which comes a while after the last event.
ENDS = """{
  window.ends = [];
  const plain = window.fetch;
  window.fetch = async (...given) => {
    const response = await plain(...given);
    const [url, { method, signal } = {}] = given;
    if (method !== "POST" || !String(url).endsWith("/explanations")) return response;
    const reader = response.body.getReader();
    signal.addEventListener("abort", () => window.ends.push("aborted"));
    const body = new ReadableStream({
      async pull(controller) {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        await new Promise((go) => setTimeout(go, 500));
        window.ends.push("read");
        controller.close();
      },
      cancel() { window.ends.push("cancelled"); },
    }, { highWaterMark: 0 });
    return new Response(body, response);
  };
}"""


def history_length(visit: Visit) -> int:
    return int(visit.page.evaluate("() => history.length"))


def step(visit: Visit) -> int:
    """How many steps are open."""
    return int(visit.page.evaluate("() => history.state?.step ?? 0"))


def at_step(visit: Visit, count: int) -> None:
    visit.page.wait_for_function("count => (history.state?.step ?? 0) === count", arg=count)


def menu(visit: Visit, entry: str) -> None:
    visit.page.get_by_role("button", name="Details of Grad-CAM").click()
    visit.page.locator(".menu:popover-open").get_by_role("button", name=entry, exact=True).click()


def forget(visit: Visit) -> None:
    visit.page.get_by_role("button", name="History", exact=True).click()
    visit.page.get_by_role("button", name="Forget this explanation").click()


def held_until(visit: Visit, asks: Callable[[], None], does: Callable[[], None]) -> None:
    """Asks a question that reaches the server only when `does` is over; returns when the address is of its answer."""
    routes: list[Route] = []
    before = visit.page.url.split("#")[0]
    visit.page.route(EXPLANATIONS, lambda route: routes.append(route), times=1)
    with visit.page.expect_request(EXPLANATIONS):
        asks()
    does()
    assert visit.page.url.split("#")[0] == before
    while not routes:
        visit.wait_for_frame()
    routes.pop().continue_()
    visit.page.wait_for_function("before => location.href.split('#')[0] !== before", arg=before)


def test_back_closes_what_is_open(keep: Keeping) -> None:
    keep.cheap()
    page, address, begun = keep.page, keep.page.url, history_length(keep)
    asked = len(keep.asked)
    ways: dict[str, Callable[[], None]] = {
        "full screen": lambda: page.locator("map-panel map-lens").first.click(),
        "comparison": lambda: page.get_by_role("button", name="Compare").first.click(),
        "trust": lambda: page.locator("map-panel .trust-open").first.click(),
        "gradient flow": lambda: page.locator(".grid-flow").click(),
        "parameters": lambda: menu(keep, "Parameters …"),
        "history": lambda: page.get_by_role("button", name="History").click(),
        "forgetting": lambda: forget(keep),
    }
    for name, opens in ways.items():
        opens()
        expect(page.locator(OPEN), name).to_have_count(1)
        at_step(keep, 1)
        page.go_back()
        expect(page.locator(OPEN), name).to_have_count(0)
        assert step(keep) == 0, name
        opens()
        expect(page.locator(OPEN), name).to_have_count(1)
        at_step(keep, 1)
        page.keyboard.press("Escape")
        expect(page.locator(OPEN), name).to_have_count(0)
        at_step(keep, 0)
        assert page.url.split("#")[0] == address.split("#")[0], name
    # However often something was opened, only one entry was added: the one that Forward leads to.
    assert history_length(keep) == begun + 1
    assert len([r for r in keep.asked[asked:] if "/explanations" in r.url and "/panels/" not in r.url]) == 0


def test_what_was_opened_before_the_answer_stays_open_over_it(keep: Keeping) -> None:
    keep.cheap()
    page, dialog = keep.page, keep.page.locator(OPEN)
    predictions = page.locator(".prediction")
    ways: dict[str, Callable[[], None]] = {
        "history": lambda: page.get_by_role("button", name="History").click(),
        "keys": lambda: page.keyboard.press("?"),
        "full screen": lambda: page.locator("map-panel map-lens").first.click(),
        "comparison": lambda: page.get_by_role("button", name="Compare").first.click(),
        "parameters": lambda: menu(keep, "Parameters …"),
        "gradient flow": lambda: page.locator(".grid-flow").click(),
    }

    def opened(name: str, opens: Callable[[], None]) -> None:
        opens()
        expect(dialog, name).to_have_count(1)
        at_step(keep, 1)

    for place, (name, opens) in enumerate(ways.items()):
        old = keep.explanation_id
        asked = predictions.nth(1 - place % 2)
        held_until(keep, asked.click, lambda name=name, opens=opens: opened(name, opens))  # type: ignore[misc]
        new = keep.explanation_id
        at_step(keep, 1)
        keep.finished(2)
        expect(dialog, name).to_have_count(1)
        expect(dialog, name).to_be_visible()
        # The steps below it are in order: it, the new answer, the old one.
        page.go_back()
        expect(dialog, name).to_have_count(0)
        assert (keep.explanation_id, step(keep)) == (new, 0), name
        page.go_back()
        keep.finished(2)
        assert keep.explanation_id == old, name
        page.go_forward()
        keep.finished(2)
        assert keep.explanation_id == new, name


def test_an_answer_closes_the_question_whether_to_forget_the_one_before(keep: Keeping) -> None:
    keep.cheap()
    dialog = keep.page.get_by_role("dialog", name="Forget this explanation?")

    def asks() -> None:
        forget(keep)
        expect(dialog).to_be_visible()

    held_until(keep, keep.page.locator(".prediction").nth(1).click, asks)
    expect(keep.page.locator(OPEN)).to_have_count(0)
    at_step(keep, 0)


def test_steps_stack_and_survive_a_reload(keep: Keeping) -> None:
    keep.cheap()
    page = keep.page
    page.locator("map-panel map-lens").first.click()
    viewer = page.locator("map-viewer dialog[open]")
    viewer.get_by_role("button", name="Trust").click()
    expect(page.locator(OPEN)).to_have_count(2)
    at_step(keep, 2)
    page.go_back()
    expect(page.locator(OPEN)).to_have_count(1)
    expect(viewer).to_be_visible()
    viewer.get_by_role("button", name="Next map").click()
    expect(viewer).to_contain_text("Grad-CAM")
    page.reload()
    expect(viewer).to_contain_text("Grad-CAM")
    keep.wait_until_idle()
    assert step(keep) == 1
    page.go_back()
    expect(page.locator(OPEN)).to_have_count(0)
    assert "full=" not in page.url
    page.go_forward()
    expect(viewer).to_contain_text("Grad-CAM")
    page.keyboard.press("Escape")
    at_step(keep, 0)
    # A dialog that a reload does not open again leaves no entry behind.
    menu(keep, "Parameters …")
    at_step(keep, 1)
    page.reload()
    keep.finished(2)
    at_step(keep, 0)
    expect(page.locator(OPEN)).to_have_count(0)


def test_a_link_to_full_screen_leads_back_to_the_maps(keep: Keeping) -> None:
    keep.cheap()
    panel = keep.page.request.get(f"{keep.root}/api/v1/explanations/{keep.id}").json()["panels"][0]["id"]
    keep.see(f"#full={panel}&clip=95")
    expect(keep.page.locator("map-viewer dialog[open]")).to_be_visible()
    at_step(keep, 1)
    assert f"full={panel}" in keep.page.url
    keep.page.go_back()
    expect(keep.page.locator(OPEN)).to_have_count(0)
    assert keep.page.url == f"{keep.root}/e/{keep.id}#clip=95"


def test_sheets_on_a_phone_are_steps(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url, Keeping, permissions=CLIPBOARD, viewport={"width": 390, "height": 844}) as keep:
        keep.cheap()
        for name in ("Ask", "Reading"):
            keep.page.locator("sheet-bar").get_by_role("button", name=name).click()
            expect(keep.page.locator(OPEN)).to_have_count(1)
            at_step(keep, 1)
            keep.page.go_back()
            expect(keep.page.locator(OPEN)).to_have_count(0)
        # A question that is sent from a sheet closes it and takes its place in the history.
        begun = history_length(keep)
        keep.page.locator("sheet-bar").get_by_role("button", name="Ask").click()
        search = keep.page.get_by_role("combobox", name="Class to explain")
        search.fill("espresso")
        keep.options.first.click()
        expect(keep.page.locator("panel-grid .question")).to_have_text("Why espresso")
        keep.finished(2)
        assert history_length(keep) <= begun + 1
        assert step(keep) == 0
        keep.page.go_back()
        expect(keep.page.locator("panel-grid .question")).not_to_have_text("Why espresso")
        assert keep.id in keep.page.url


def test_the_same_question_again_replaces_its_entry(visit: Visit) -> None:
    visit.cat()
    other = visit.page.locator(".prediction").nth(1)
    question = visit.page.locator("panel-grid .question")

    def ask(prediction: Locator) -> str:
        before = visit.page.url
        prediction.click()
        expect(visit.page).not_to_have_url(before)
        visit.finished()
        return visit.explanation_id

    first = visit.explanation_id
    second = ask(other)
    count = history_length(visit)
    third = ask(other)
    assert third != second
    assert history_length(visit) == count
    # It is in the page's own history once, too.
    visit.page.wait_for_function("() => JSON.parse(localStorage['gradoscope.history']).entries.length === 2")
    entries = json.loads(visit.page.evaluate("() => localStorage['gradoscope.history']"))["entries"]
    assert [entry["id"] for entry in entries] == [third, first]
    visit.page.go_back()
    expect(question).to_have_text("Why tiger cat")
    assert visit.explanation_id == first


def test_an_answer_is_read_to_its_end(visit: Visit) -> None:
    """One that is left after its last event is a cancelled request. What the browser says of requests is no measure of
    that: on a busy machine Chromium calls some cancelled whose end it has received and the page has read."""
    visit.page.add_init_script(ENDS)
    visit.cat()
    visit.page.wait_for_function("() => window.ends.length > 0")
    assert visit.page.evaluate("() => window.ends") == ["read"]
