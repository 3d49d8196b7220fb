"""The facts under the maps are in sight, however long they are: never cut off, never under the tool bar."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from gradoscope.web import texts
from playwright.sync_api import Browser, Route, expect

from tests.support.browser import LONG, SIX, Visit, visiting

expect.set_options(timeout=LONG)
SECOND_ROW = (3, 4, 5)
# The facts of the maps at these places, at each corner of a line where something else covers them.
HIDDEN = """places => {
  const panels = [...document.querySelectorAll('map-panel')];
  return places.flatMap(place => {
    const facts = panels[place].querySelector('.facts');
    const rects = [...facts.querySelectorAll('span')].flatMap(span => [...span.getClientRects()]);
    return rects.flatMap(({ left, right, top, bottom }) => [[left + 1, top + 1], [right - 1, bottom - 1]])
      .filter(([x, y]) => !facts.contains(document.elementFromPoint(x, y)))
      .map(([x, y]) => `${facts.textContent} at ${x}, ${y}`);
  });
}"""

# What a bright pixel means, of the maps where that is cut off.
CUT_BRIGHT = """() => [...document.querySelectorAll('map-panel .bright')]
  .filter(line => line.scrollHeight > line.clientHeight + 1 || line.scrollWidth > line.clientWidth)
  .map(line => line.textContent)"""
# Pixels between the lowest fact and the tool bar.
ABOVE_BAR = """() => {
  const facts = [...document.querySelectorAll('map-panel .facts span')];
  const bar = document.querySelector('.maps .instruments').getBoundingClientRect();
  return bar.top - Math.max(...facts.map(fact => fact.getBoundingClientRect().bottom));
}"""


@pytest.fixture(scope="module")
def record(server_url: str) -> Any:
    """The record of six maps, with the longest facts that diagnostics can give."""
    answer = httpx.post(f"{server_url}/api/v1/explanations", data={"sample": "cat"}, timeout=300)
    assert answer.status_code == 200, answer.text
    record = answer.json()
    for panel in record["panels"]:
        panel |= {"seconds": 12.34, "notes": []}  # a note is a sentence, and may be as long as it likes
    for panel in record["panels"][4:]:
        panel["diagnostics"]["completeness"] |= {"expected": 5.0, "attributed": 5.885, "relative_error": 0.177}
        panel["diagnostics"]["error_estimate"] = 0.075
    return record


@pytest.mark.parametrize("language", ["en", "zh"])
def test_all_facts_of_the_maps_are_in_sight(browser: Browser, server_url: str, record: Any, language: str) -> None:
    def answer_with_record(route: Route) -> None:
        route.fulfill(json=record)

    with visiting(browser, server_url, locale={"en": "en-GB", "zh": "zh-CN"}[language]) as visit:
        visit.page.route(f"**/explanations/{record['id']}", answer_with_record)
        visit.page.goto(f"{visit.root}/e/{record['id']}")
        visit.finished()
        error = texts.texts(language)["panel.error_estimate"].format(error="7.5 %")
        expect(visit.page.locator("map-panel .facts").last).to_contain_text(error)
        assert hidden(visit, range(SIX)) == [], "at 1440 × 900 all of it, without scrolling"
        assert visit.page.evaluate(CUT_BRIGHT) == []
        assert visit.page.evaluate(ABOVE_BAR) >= 4
        visit.page.set_viewport_size({"width": 1366, "height": 650})
        assert hidden(visit, range(3)) == [], "at 1366 × 650 the first row"
        visit.page.evaluate("() => scrollTo(0, document.documentElement.scrollHeight)")
        assert hidden(visit, SECOND_ROW) == [], "and scrolled down the second"


def hidden(visit: Visit, places: Any) -> list[str]:
    visit.wait_for_frame()
    found: list[str] = visit.page.evaluate(HIDDEN, list(places))
    return found
