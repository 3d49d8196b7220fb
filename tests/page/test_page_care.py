"""The page when something goes wrong, and for everyone: assistive technology, both themes, a phone."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import CAT, EXPLANATIONS, LONG, Visit, events, visiting

PROBLEM = "application/problem+json"
expect.set_options(timeout=LONG)


def refuse(status: int, **more: object) -> dict[str, object]:
    body = {
        "type": "about:blank",
        "title": "Too many requests",
        "status": status,
        "detail": "Three are running already.",
    }
    return {"status": status, "content_type": PROBLEM, "body": json.dumps(body | more)}


# When something goes wrong


def test_a_bad_file_is_refused_in_place(visit: Visit) -> None:
    visit.open()
    with visit.page.expect_file_chooser() as chooser:
        visit.page.get_by_role("button", name="Choose a picture").click()
    with visit.page.expect_response("**/api/v1/explanations") as response:
        chooser.value.set_files({"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": CAT.read_bytes()[:9000]})
    detail = response.value.json()["detail"]
    expect(visit.notice).to_contain_text(f"broken.jpg was not accepted{detail}")
    expect(visit.notice).to_have_role("alert")
    expect(visit.page.locator(".drop")).to_be_visible()
    visit.notice.get_by_role("button", name="Dismiss").click()
    expect(visit.notice).to_have_count(0)


def test_a_bad_file_does_not_cost_the_result(visit: Visit) -> None:
    visit.cat()
    before = visit.pixels()
    visit.page.locator("picture-view").dispatch_event(
        "drop", {"dataTransfer": visit.transfer("notes.txt", "text/plain", b"hello")}
    )
    expect(visit.notice).to_contain_text("notes.txt was not accepted")
    assert visit.pixels() == before
    expect(visit.page.locator("img.original")).to_have_js_property("naturalWidth", 451)


def test_too_many_requests_says_when_to_try_again(visit: Visit) -> None:
    visit.page.route(
        EXPLANATIONS, lambda route: route.fulfill(**refuse(429), headers={"Retry-After": "3", "Content-Type": PROBLEM})
    )  # type: ignore[arg-type]
    visit.open()
    visit.sample()
    visit.page.locator("#bench").wait_for()  # the start page shows the notice too, as long as it is there
    expect(visit.notice).to_contain_text("Three are running already.")
    expect(visit.notice).to_contain_text("Try again in 3 s")
    visit.page.unroute(EXPLANATIONS)
    visit.notice.get_by_role("button", name="Try again").click()
    visit.finished()
    expect(visit.notice).to_have_count(0)


def test_a_lost_connection_keeps_the_maps_and_can_be_retried(visit: Visit) -> None:
    visit.cat()
    id = visit.explanation_id
    record = visit.page.request.get(f"{visit.root}/api/v1/explanations/{id}").json()
    refused = {
        "status": "refused",
        "urls": {"npy": None, "png": None},
        "problem": {"title": "Method refused", "detail": "Not this model: mystery_activation."},
    }
    panels = [{key: panel[key] for key in ("id", "model", "method")} | {"target": None} for panel in record["panels"]]
    text = events(
        ("accepted", {"id": id, "panels": panels, "gradient_evaluations": 153}),
        (
            "prediction",
            {
                "model": panels[0]["model"],
                "input": record["inputs"][0],
                "predictions": record["inputs"][0]["predictions"],
            },
        ),
        ("panel", {"panel": record["panels"][0], "map": None}),
        ("panel", {"panel": record["panels"][1] | refused, "map": None}),
    )
    visit.page.route(EXPLANATIONS, lambda route: route.fulfill(body=text, content_type="text/event-stream"))
    visit.page.locator(".prediction").nth(1).click()
    expect(visit.notice).to_contain_text("The connection was lost")
    expect(visit.page.locator("map-panel").nth(1)).to_contain_text("mystery_activation")
    expect(visit.page.locator("map-panel").nth(0).locator("canvas.map")).to_be_visible()
    square = visit.page.locator("map-panel .map-well").nth(1).bounding_box()
    assert square
    assert square["width"] == pytest.approx(square["height"], abs=1), "a panel without a map keeps its square"
    visit.page.unroute(EXPLANATIONS)
    visit.notice.get_by_role("button", name="Try again").click()
    visit.finished()


def test_an_unreachable_server_is_told(visit: Visit) -> None:
    visit.open()
    visit.page.route(EXPLANATIONS, lambda route: route.abort())
    visit.sample()
    expect(visit.notice).to_contain_text("The server cannot be reached")
    expect(visit.notice.get_by_role("button", name="Try again")).to_be_visible()


def test_an_address_that_is_gone(visit: Visit) -> None:
    visit.open("/e/00000000000000000000000000000000")
    expect(visit.notice).to_contain_text("This explanation is gone")
    expect(visit.notice).to_contain_text("expired or never existed")
    expect(visit.page.locator(".drop")).to_be_visible()


# For everyone


@pytest.mark.parametrize("width", [360, 390])
def test_a_phone_needs_no_sideways_scroll(browser: Browser, server_url: str, width: int) -> None:
    with visiting(browser, server_url, viewport={"width": width, "height": 740}, has_touch=True) as visit:
        visit.open()
        assert visit.overflow() <= 0
        visit.sample()
        visit.finished()
        assert visit.overflow() <= 0
        boxes = [panel.bounding_box() for panel in visit.page.locator("map-panel").all()]
        assert len({round(box["x"]) for box in boxes if box}) == 2, "two columns"
        bar = visit.page.locator("sheet-bar").bounding_box()
        assert bar
        assert bar["y"] + bar["height"] == pytest.approx(740, abs=1), "the bar stays at the bottom edge"
        visit.page.get_by_role("button", name="Reading").click()
        assert visit.overflow() <= 0
        controls = visit.page.locator(".instruments").locator("select, button, .segment, input[type=range]")
        for control in controls.and_(visit.page.locator(":visible")).all():
            box = control.bounding_box()
            assert box
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
