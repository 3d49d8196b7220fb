"""A shared explanation on a slow connection: small pictures of the maps first, their arrays last."""

from __future__ import annotations

import time

from playwright.sync_api import Browser, Route, expect

from tests.support.browser import SIX, visiting
from tests.support.server import Server

SLOW = 0.5  # seconds that the record takes: more than the page waits before it asks for small pictures


def test_small_pictures_come_before_the_arrays(browser: Browser, quick_model_server: Server) -> None:
    with visiting(browser, quick_model_server.url) as visit:
        visit.cat()
        id = visit.explanation_id

    arrays: list[Route] = []

    def slowly(route: Route) -> None:
        time.sleep(SLOW)
        route.continue_()

    with visiting(browser, quick_model_server.url) as visit:
        page = visit.page
        page.route(f"**/api/v1/explanations/{id}", slowly)
        page.route("**/*.npy*", lambda route: arrays.append(route))  # gets no answer before the end
        visit.page.goto(f"{visit.root}/e/{id}")
        previews = page.locator("map-panel img.preview-map")
        expect(previews.filter(visible=True)).to_have_count(SIX)
        assert all(preview.evaluate("image => image.naturalWidth > 0") for preview in previews.all())
        assert page.locator("map-panel canvas.map").filter(visible=True).count() == 0
        urls = [request.url for request in visit.requests if "/panels/" in request.url]
        first = next(place for place, url in enumerate(urls) if ".npy" in url)
        assert sum("side=" in url for url in urls[:first]) >= SIX
        while len(arrays) < SIX:
            page.wait_for_timeout(20)
        # The small pictures cannot show this reading: they are hidden, because their colours would be wrong.
        page.get_by_role("radio", name="Maximum").first.check()
        expect(previews.filter(visible=True)).to_have_count(0)
        for route in arrays:
            route.continue_()
        expect(page.locator("map-panel canvas.map").filter(visible=True)).to_have_count(SIX)
        expect(previews.filter(visible=True)).to_have_count(0)
        assert visit.complaints == []


def test_full_screen_before_there_is_an_array(browser: Browser, quick_model_server: Server) -> None:
    """Keys that lead to the next map have none to go to."""
    with visiting(browser, quick_model_server.url) as visit:
        visit.cat()
        id = visit.explanation_id
    with visiting(browser, quick_model_server.url) as visit:
        page = visit.page
        arrays: list[Route] = []
        page.route("**/*.npy*", lambda route: arrays.append(route))
        page.goto(f"{visit.root}/e/{id}#full=p2")
        page.locator("dialog.viewer[open]").wait_for()
        for key in ("ArrowRight", "ArrowLeft"):
            page.keyboard.press(key)
        expect(page).to_have_url(f"{visit.root}/e/{id}#full=p2")
        for route in arrays:
            route.continue_()


def test_a_quick_connection_loads_no_small_pictures(browser: Browser, quick_model_server: Server) -> None:
    with visiting(browser, quick_model_server.url) as visit:
        visit.cat()
        id = visit.explanation_id
    with visiting(browser, quick_model_server.url) as visit:
        entry = f"{{ name: location.origin + '/api/v1/explanations/{id}', duration: 9 }}"
        visit.page.add_init_script(f"performance.getEntriesByType = () => [{entry}]")
        visit.page.goto(f"{visit.root}/e/{id}")
        visit.finished()
        assert not [request.url for request in visit.requests if "side=" in request.url]
