"""Verdicts where the maps are: in each panel, in the table of all maps and metrics, and in what is exported."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import httpx
import pytest
from gradoscope.attribution.metrics.base import metrics
from gradoscope.web import texts
from playwright.sync_api import Browser, Locator, Route, expect

from tests.support.browser import LONG, visiting
from tests.support.keeping import Keeping

expect.set_options(timeout=LONG)
SIDE = 64  # pixels of the input
METHODS = ["integrated_gradients", "vanilla_gradient", "grad_cam"]
CELLS = len(METHODS) * len(metrics())  # of the table
MEASURING = "**/panels/*/metrics"
LEVELS = {"against": "doubt", "for": "support", "notes": "note"}
# The heads of columns and rows with a line that is wider than they are.
CUT_HEADS = """() => [...document.querySelectorAll('.checks th')].filter(head => {
  const range = document.createRange();
  range.selectNodeContents(head);
  const { left, right } = head.getBoundingClientRect();
  return [...range.getClientRects()].some(line => line.left < left || line.right > right);
}).map(head => head.textContent)"""
DURATIONS = """async values => {
  const { duration } = await import('/static/js/shared/format.js');
  return values.map(duration);
}"""


@pytest.fixture(scope="module")
def record(server_url: str) -> Any:
    return explained(server_url)


def explained(root: str, **changes: Any) -> Any:
    options = {"integrated_gradients": {"steps": 4}}
    data = {"sample": "cat", "method": METHODS, "options": json.dumps(options), "size": SIDE, **changes}
    answer = httpx.post(f"{root}/api/v1/explanations", data=data, timeout=300)
    assert answer.status_code == 200, answer.text
    return answer.json()


class Checking(Keeping):
    """A visit to three maps, and to the table of their checks."""

    def see_maps(self, record: Any, fragment: str = "") -> None:
        self.id = record["id"]
        self.page.goto(f"{self.root}/e/{self.id}{fragment}")
        self.finished(len(record["panels"]))

    @property
    def opener(self) -> Locator:
        return self.page.locator(".maps check-bar .check-open")

    @property
    def said(self) -> Locator:
        """The text of the opener; a hidden span before it only keeps its width."""
        return self.opener.locator("span").last

    @property
    def table(self) -> Locator:
        return self.page.locator("dialog.checks")

    @property
    def order(self) -> list[str]:
        """The metrics from the top of the table down."""
        titles = {texts.texts("en")[f"trust.metric.{id}"]: id for id in metrics()}
        return [titles[head.locator("span").first.inner_text()] for head in self.heads.all()]

    @property
    def heads(self) -> Locator:
        """The heads of the metrics' rows."""
        return self.table.locator("tbody th[scope=row]")

    def cell(self, place: int, metric: str) -> Locator:
        row = self.table.locator("tbody tr").nth(self.order.index(metric))
        return row.locator(".check-cell").nth(place)

    def panels(self) -> Any:
        return self.record()["panels"]


def briefly(panel: Any) -> str:
    """What the findings of a panel's record say, as its panel on the page has it."""
    levels = [finding["level"] for each in panel["metrics"].values() for finding in each["findings"]]
    told = [f"{levels.count(level)} {word}" for word, level in LEVELS.items() if level in levels and word != "notes"]
    return " · ".join(told) or "undecided"


def test_all_maps_are_checked_the_cheapest_metric_first(browser: Browser, server_url: str, record: Any) -> None:
    """What is known is filled at once; one that fails does not stop the rest; it goes on while the table is closed."""
    known = f"{server_url}/api/v1/explanations/{record['id']}/panels/{record['panels'][2]['id']}/metrics"
    assert httpx.post(known, data={"metrics": "stability"}, timeout=300).status_code == 200
    with visiting(browser, server_url, Checking) as visit:
        visit.see_maps(record)
        expect(visit.page.locator("map-panel .trust-open").nth(2)).to_have_text(briefly(visit.panels()[2]))
        visit.opener.click()
        costs_are_shown_first(visit)
        asked = fail_once(visit, "infidelity", record["panels"][1]["id"])
        visit.table.get_by_role("button", name=f"Check the remaining {CELLS - 1}").click()
        visit.page.keyboard.press("Escape")
        expect(visit.table).to_be_hidden()
        expect(visit.opener).to_be_focused()
        expect(visit.said).to_have_text(re.compile(rf"^\d+ of {CELLS - 1}$"))
        expect(visit.page.locator("check-bar").get_by_role("progressbar")).to_have_attribute(
            "aria-valuemax", str(CELLS - 1)
        )
        expect(visit.page.locator("#status")).to_have_text(f"{CELLS - 1} checks are done, 1 failed")
        expect(visit.said).to_have_text("Check all")
        briefs = visit.page.locator("map-panel .trust-open")
        for place, panel in enumerate(visit.panels()):
            expect(briefs.nth(place)).to_have_text(briefly(panel))
        visit.opener.click()
        order = visit.order
        assert [order.index(metric) for metric in asked] == sorted(order.index(metric) for metric in asked)
        cells_are_the_servers(visit)
        csv_is_the_servers(visit)
        a_cell_opens_its_figure(visit)
        the_rest_is_what_failed(visit)
        assert visit.axe_in_both_themes("dialog.checks[open]") == []
        visit.page.keyboard.press("Escape")
        the_figure_says_it_too(visit)


def costs_are_shown_first(visit: Checking) -> None:
    expect(visit.table.locator(".checks-total")).to_have_text(
        re.compile(r"^[0-9]+ forward passes · [0-9]+ gradients · about [\d.]+ s$")
    )
    assert visit.heads.count() == len(metrics())
    assert visit.page.evaluate(CUT_HEADS) == []
    assert visit.table.locator("thead th[scope=col]").count() == 1 + len(METHODS)
    free = ["completeness", "sparseness", "complexity", "relevance_mass", "relevance_rank"]  # they cost nothing
    assert visit.order[: len(free)] == free
    for head in visit.heads.all()[: len(free)]:
        expect(head).to_contain_text("free")
    for head in visit.heads.all()[len(free) :]:
        expect(head).to_have_text(re.compile(r"about [\d.]+ s$"))
    for metric in ("relevance_mass", "relevance_rank"):
        expect(visit.cell(0, metric).locator(".check-text")).to_have_text("no region")
    expect(visit.cell(0, "sparseness").locator(".check-text")).to_have_text("free")
    wide = visit.table.locator(".checks-scroll").evaluate("node => node.scrollWidth - node.clientWidth")
    assert wide <= 0, "no map is beyond the edge"
    expect(visit.cell(2, "stability")).not_to_have_attribute("data-kind", "open")
    expect(visit.table.locator(".check-cell[data-kind=open]")).to_have_count(len(METHODS) * len(metrics()) - 1)
    assert [panel["metrics"].keys() for panel in visit.panels()] == [set(), set(), {"stability"}]
    assert visit.axe_in_both_themes("dialog.checks[open]") == []


def fail_once(visit: Checking, metric: str, panel: str) -> list[str]:
    """Cuts off one measurement; returns the list of all that are asked for, as it grows."""
    asked: list[str] = []

    def take(route: Route) -> None:
        body = (route.request.post_data_buffer or b"").decode()
        found = re.search(r'name="metrics"\r\n\r\n(\w+)', body)
        assert found
        asked.append(found[1])
        if found[1] == metric and f"/panels/{panel}/" in route.request.url:
            return route.abort()
        return route.continue_()

    visit.page.route(MEASURING, take)
    return asked


def cells_are_the_servers(visit: Checking) -> None:
    ranks = ("doubt", "support", "note")
    for place, panel in enumerate(visit.panels()):
        for metric in metrics():
            measured = panel["metrics"].get(metric)
            if measured is None:
                kind = "failed"
            elif measured["status"] == "done":
                levels = [finding["level"] for finding in measured["findings"]]
                kind = next((level for level in ranks if level in levels), "silent")
            else:
                kind = measured["status"]
            expect(visit.cell(place, metric)).to_have_attribute("data-kind", kind)
    area = visit.panels()[0]["metrics"]["deletion"]["figures"]["map"]["area"]
    expect(visit.cell(0, "deletion").locator(".check-text")).to_have_text(f"{area:#.3g}")
    expect(visit.cell(0, "relevance_mass").locator(".check-text")).to_have_text("no region")
    expect(visit.cell(2, "completeness")).to_have_accessible_name(re.compile("Does not apply to this map"))


def csv_is_the_servers(visit: Checking) -> None:
    name, data = visit.saved(visit.table.get_by_role("button", name="Save as CSV").click)
    assert name.endswith(f"-{visit.id[:8]}.csv")
    lines = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    assert len(lines) == CELLS
    panels = {panel["method"]: panel for panel in visit.panels()}
    for line in lines:
        panel = panels[line["method"]]
        measured = panel["metrics"].get(line["metric"])
        assert (line["explanation"], line["model"]) == (visit.id, panel["model"])
        assert (line["class"], line["label"]) == (str(panel["target"]["index"]), panel["target"]["label"])
        assert line["status"] == (measured["status"] if measured else "open")
        if measured and measured["status"] == "done":
            levels = [finding["level"] for finding in measured["findings"]]
            assert {word: int(line[word]) for word in LEVELS} == {w: levels.count(at) for w, at in LEVELS.items()}
            assert line["findings"] == " | ".join(finding["detail"] for finding in measured["findings"])
            assert json.loads(line["parameters"]) == measured["parameters"]
            assert float(line["seconds"]) == measured["seconds"]
    (line,) = (line for line in lines if (line["method"], line["metric"]) == ("grad_cam", "max_sensitivity"))
    found = panels["grad_cam"]["metrics"]["max_sensitivity"]["figures"]["max_sensitivity"]
    assert float(line["number"]) == pytest.approx(found)


def a_cell_opens_its_figure(visit: Checking) -> None:
    cell = visit.cell(2, "max_sensitivity")
    cell.click()
    trust = visit.page.get_by_role("dialog", name="Trust: Grad-CAM")
    heading = trust.get_by_role("heading", name="Maximum sensitivity")
    expect(heading).to_be_focused()
    expect(heading).to_be_in_viewport()
    visit.page.keyboard.press("Escape")
    expect(trust).to_be_hidden()
    expect(cell).to_be_focused()


def the_rest_is_what_failed(visit: Checking) -> None:
    visit.page.unroute(MEASURING)
    visit.table.get_by_role("button", name="Check the remaining 1").click()
    expect(visit.table.locator(".checks-total")).to_have_text(f"All {CELLS} are checked")
    assert all(panel["metrics"].keys() == metrics().keys() for panel in visit.panels())


def the_figure_says_it_too(visit: Checking) -> None:
    _, data = visit.saved(visit.export().get_by_role("button", name="Grid, .svg").click)
    svg = data.decode()
    for panel in visit.panels():
        assert f">Trust: {briefly(panel)}</text>" in svg


def test_in_chinese_on_a_phone_and_cancelled(browser: Browser, server_url: str) -> None:
    """What is asked for does not come: what is under way is seen outside the table, and ends when it is cancelled."""
    record = explained(server_url, seed=3)
    words = texts.texts("zh")
    with visiting(browser, server_url, Checking, locale="zh-CN", color_scheme="dark", reduced_motion="reduce") as visit:
        page = visit.page
        asked: list[Route] = []
        page.route(MEASURING, lambda route: asked.append(route))
        visit.see_maps(record, "#checks=open")  # the address opens it
        visit.table.get_by_role("button", name=words["checks.run"].format(count=CELLS)).click()
        expect(visit.table.locator(".check-cell[data-kind=busy]")).to_have_count(1)
        assert visit.axe_in_both_themes("dialog.checks[open]") == []
        page.keyboard.press("Escape")
        expect(visit.said).to_have_text(f"0 / {CELLS}")
        visit.wait_until_idle()
        bar = page.locator(".maps .instruments")
        assert bar.evaluate("node => node.clientWidth - node.scrollWidth") >= 0, "nothing of the bar is cut"
        assert visit.axe_in_both_themes() == []
        page.set_viewport_size({"width": 390, "height": 844})
        opener = page.locator("sheet-bar .sheet-checks")
        expect(opener).to_have_text(f"0 / {CELLS}")
        opener.click()
        expect(visit.table).to_be_visible()
        assert visit.axe_in_both_themes("dialog.checks[open]") == []
        assert visit.overflow() <= 0
        page.keyboard.press("Escape")
        expect(opener).to_be_focused()
        page.set_viewport_size({"width": 1440, "height": 900})
        page.locator(".maps check-bar").get_by_role("button", name=words["checks.cancel"]).click()
        expect(visit.opener).to_be_focused()
        expect(visit.said).to_have_text(words["checks.open"])
        expect(page.locator("#status")).to_have_text(words["announce.cancelled"])
        visit.wait_for_frame()
        assert len(asked) == 1, "what waited is not begun"
        asked[0].abort()


def test_durations_are_written_by_their_size(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url) as visit:
        visit.open()
        told = visit.page.evaluate(DURATIONS, [0.4182, 9, 12.34, 59.96, 75.2, 129.8, 3599, 7300])
    assert told == ["0.42 s", "9 s", "12.3 s", "60.0 s", "75 s", "2 min", "60 min", "2 h"]


def test_forgetting_stands_with_the_history(browser: Browser, server_url: str, record: Any) -> None:
    with visiting(browser, server_url, Checking) as visit:
        visit.see_maps(record)
        expect(visit.export()).to_be_visible()
        expect(visit.export().get_by_role("button", name="Forget")).to_have_count(0)
        visit.page.keyboard.press("Escape")
        expect(visit.history().get_by_role("button", name="Forget this explanation …")).to_be_visible()
