"""The trust dialog: every metric of a map, the picture at any point of a curve, cancelling, reloading."""

from __future__ import annotations

import base64
import io
import json
import re
import time
from typing import Any

import httpx
import numpy as np
import pytest
from gradoscope.attribution.metrics.base import metrics
from gradoscope.web import texts
from PIL import Image
from playwright.sync_api import Browser, Locator, Route, expect

from tests.support.browser import FETCHES, LONG, Visit, visiting

expect.set_options(timeout=LONG)
SIDE = 128  # of the input: a third of the pixels of the model's own size
METHOD = "integrated_gradients"
SMALL = {
    "deletion": {"steps": 10},
    "insertion": {"steps": 10},
    "randomisation": {"stages": 4},
    "gradient_check": {"directions": 4},
    "completeness": {"tolerance": 0.001},
    "relevance_mass": {"box": "30,20,90,100"},
    "road": {"steps": 3},
}
PHONE: Any = {"width": 390, "height": 844}
NAMES = re.compile(r"\{(\w+)\}")
MEASURING = "**/panels/*/metrics"
READ = """canvas => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  return [canvas.height, canvas.width, new Uint8Array(data.buffer).toBase64()];
}"""


@pytest.fixture(scope="module")
def record(server_url: str) -> Any:
    """An explanation with a map of poor completeness, and one of a method that is no path method."""
    options = {METHOD: {"steps": 4}}
    data = {"sample": "cat", "method": [METHOD, "grad_cam"], "options": json.dumps(options), "size": SIDE}
    answer = httpx.post(f"{server_url}/api/v1/explanations", data=data, timeout=300)
    assert answer.status_code == 200, answer.text
    return answer.json()


class Trust:
    """The trust dialog of one map."""

    def __init__(self, visit: Visit, method: str = "Integrated gradients") -> None:
        self.visit, self.page = visit, visit.page
        self.dialog = self.page.get_by_role("dialog", name=f"Trust: {method}")

    def open(self, record: Any, place: int = 0) -> None:
        self.page.goto(f"{self.visit.root}/e/{record['id']}")
        self.page.locator("map-panel canvas.map").nth(len(record["panels"]) - 1).wait_for()
        self.button(place).click()
        self.dialog.wait_for()

    def button(self, place: int = 0) -> Locator:
        return self.page.locator(".trust-open").nth(place)

    def metric(self, id: str) -> Locator:
        return self.dialog.locator(f"trust-metric[data-metric={id}]")

    def set(self, id: str, **values: float) -> None:
        self.metric(id).locator("summary").click()
        for name, value in values.items():
            self.metric(id).locator(f"parameter-field[data-name={name}] input").fill(str(value))

    def measured(self, record: Any, place: int = 0) -> dict[str, Any]:
        """The metrics of the map in the server's record."""
        answer = httpx.get(f"{self.visit.root}/api/v1/explanations/{record['id']}", timeout=60).json()
        found: dict[str, Any] = answer["panels"][place]["metrics"]
        return found


def array(visit: Visit, url: str) -> np.ndarray:
    return np.load(io.BytesIO(httpx.get(visit.root + url, timeout=60).content))


def picture_at(visit: Visit, record: Any, found: Any, order: str, k: int) -> np.ndarray:
    """What is left of the picture at point `k` of a deletion: (H, W, 3) in 0 … 255."""
    seen = httpx.get(visit.root + record["inputs"][0]["url"], timeout=60).content
    picture = np.asarray(Image.open(io.BytesIO(seen)).convert("RGB"), np.float64)
    replacement = array(visit, found["maps"]["replacement"]).transpose(1, 2, 0) * 255
    gone = array(visit, found["maps"][order])[0].round() <= k
    return np.where(gone[..., None], replacement.clip(0, 255), picture)


def drawn(trust: Trust, id: str) -> np.ndarray:
    height, width, data = trust.metric(id).locator(".trust-point canvas").evaluate(READ)
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)[..., :3].astype(np.float64)


def test_every_metric_of_a_map(browser: Browser, server_url: str, record: Any) -> None:
    with visiting(browser, server_url) as visit:
        trust = Trust(visit)
        trust.open(record)
        check_costs_are_shown_first(trust, record)
        for id, values in SMALL.items():
            trust.set(id, **values)
        expect(trust.metric("deletion")).to_contain_text("88 forward passes")
        trust.dialog.get_by_role("button", name="Measure all").click()
        for id in metrics():
            expect(trust.metric(id)).to_have_attribute("data-status", "done")
        expect(trust.dialog.locator(".status-line")).to_have_text("Everything is measured")
        found = trust.measured(record)
        assert found.keys() == metrics().keys()
        check_verdict_is_the_servers(trust, found)
        check_curves_are_drawn(trust, record, found["deletion"])
        check_stages_name_their_layers(trust, found["randomisation"])
        check_figures_are_shown(trust, found)
        check_reload_keeps_it(trust, record)


def check_costs_are_shown_first(trust: Trust, record: Any) -> None:
    for id in metrics():
        expect(trust.metric(id).locator(".trust-cost")).to_have_text(re.compile(r"about [\d.]+ s$|^Costs nothing"))
    expect(trust.dialog.locator(".trust-all p")).to_have_text(re.compile("^[0-9]+ forward passes · [0-9]+ gradients"))
    assert trust.measured(record) == {}, "nothing is measured before it is asked for"


def check_verdict_is_the_servers(trust: Trust, found: Any) -> None:
    findings = [finding for metric in found.values() for finding in metric["findings"]]
    links = trust.dialog.locator("trust-verdict .trust-group li a")
    expect(links).to_have_count(len(findings))
    assert {link.get_attribute("href") for link in links.all()} == {finding["url"] for finding in findings}


def check_curves_are_drawn(trust: Trust, record: Any, found: Any) -> None:
    section = trust.metric("deletion")
    section.scroll_into_view_if_needed()
    section.locator(f"canvas[width='{SIDE}']").wait_for()
    slider, readout = section.get_by_role("slider"), section.locator(".trust-readout")
    figures = found["figures"]
    for choice, order, curve in (
        ("This map", "order", figures["map"]),
        ("Chance", "order_random", figures["random"][0]),
        ("Centre first", "order_gaussian", figures["gaussian"]),
    ):
        section.get_by_role("radio", name=choice).check()
        for k in (0, 3, 10):
            slider.fill(str(k))
            expect(readout).to_have_text(re.compile(f"^{10 * k} % of the pixels taken away"))
            probability = curve["probabilities"][k]
            assert readout.inner_text().endswith(short(probability))
            assert np.abs(drawn(trust, "deletion") - picture_at(trust.visit, record, found, order, k)).max() <= 1
    slider.focus()
    trust.page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^0 % of the pixels"))
    assert f"{figures['map']['area']:#.3g}" in section.locator(".trust-facts").inner_text()


def short(probability: float) -> str:
    return "<.01" if probability < 0.005 else f"{probability:.2f}".removeprefix("0")


def check_stages_name_their_layers(trust: Trust, found: Any) -> None:
    section = trust.metric("randomisation")
    stages = section.locator(".trust-stage")
    expect(stages).to_have_count(1 + len(found["figures"]["stages"]))
    stages.nth(2).focus()
    expect(section.locator(".trust-readout")).to_contain_text(found["figures"]["stages"][1]["layer"])
    stages.nth(3).hover()
    expect(section.locator(".trust-readout")).to_contain_text(found["figures"]["stages"][2]["layer"])
    expect(section.locator(f"small-map canvas[width='{SIDE}']")).to_have_count(1 + len(found["figures"]["stages"]))


def check_figures_are_shown(trust: Trust, found: Any) -> None:
    for entry in found["class_sensitivity"]["figures"]["classes"]:
        expect(trust.metric("class_sensitivity")).to_contain_text(entry["label"])
    expect(trust.metric("stability").locator("li")).to_have_count(1 + len(found["stability"]["figures"]["trials"]))
    expect(trust.metric("gradient_check").locator("circle")).to_have_count(4)
    expect(trust.metric("completeness")).to_contain_text("With half of them the sum was")
    for id, name in (("infidelity", "infidelity"), ("max_sensitivity", "max_sensitivity")):
        expect(trust.metric(id)).to_contain_text(f"{found[id]['figures'][name]:#.3g}")


def check_reload_keeps_it(trust: Trust, record: Any) -> None:
    """The address opens the dialog again, with what was measured. Escape closes it, and the button has the focus."""
    assert trust.page.url.endswith(f"#trust={record['panels'][0]['id']}")
    asked = len(trust.visit.asked)
    trust.page.reload()
    trust.dialog.wait_for()
    for id in metrics():
        expect(trust.metric(id)).to_have_attribute("data-status", "done")
    expect(trust.metric("deletion").get_by_role("slider")).to_have_attribute("max", "10")
    assert not [request for request in trust.visit.asked[asked:] if "panels" in request.url]
    trust.page.keyboard.press("Escape")
    expect(trust.dialog).to_be_hidden()
    expect(trust.button()).to_be_focused()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_in_two_languages_and_on_a_phone(browser: Browser, server_url: str, record: Any, language: str) -> None:
    """With what the test before has measured, in both themes; and for a map that some metrics refuse."""
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    words = texts.texts(language)
    with visiting(browser, server_url, locale=locale, reduced_motion="reduce") as visit:
        for place, size in ((0, None), (0, PHONE), (1, PHONE)):
            if size:
                visit.page.set_viewport_size(size)
            visit.page.goto("about:blank")
            visit.page.goto(f"{visit.root}/e/{record['id']}#trust={record['panels'][place]['id']}")
            dialog = visit.page.locator("dialog.trust[open]")
            dialog.wait_for()
            if place and language == "en":
                dialog.locator("[data-metric=completeness] .trust-run").click()
            if place:
                expect(dialog.locator(".trust-problem:visible")).to_contain_text(words["trust.refused"])
            for id in metrics():
                expect(dialog.get_by_role("heading", name=words[f"trust.metric.{id}"], exact=True)).to_be_visible()
            visit.wait_until_idle()
            assert visit.axe_in_both_themes("dialog.trust[open]") == []
            assert visit.overflow() <= 0
            assert dialog.locator(".trust-body").evaluate("node => node.scrollWidth - node.clientWidth") == 0


def finding(level: str, code: str, detail: str, **values: Any) -> dict[str, Any]:
    return {"level": level, "code": code, "detail": detail, "values": values, "url": f"/trust#{code}"}


def test_a_verdict_is_grouped_and_leads_to_its_reasons(visit: Visit, record: Any) -> None:
    trust = Trust(visit)
    code = "deletion_no_better_than_random"
    words = texts.texts("en")[f"trust.finding.{code}"]
    panel = f"{visit.root}/api/v1/explanations/{record['id']}/panels/{record['panels'][0]['id']}"
    asked = {"metrics": ["deletion", "stability"], "options": json.dumps({"deletion": SMALL["deletion"]})}
    assert httpx.post(f"{panel}/metrics", data=asked, timeout=300).status_code == 200

    def answer_with_findings(route: Route) -> None:
        answer = route.fetch(max_retries=FETCHES)
        body = answer.json()
        found = body["panels"][0]["metrics"]
        for metric in found.values():
            metric["findings"] = []
        known = finding("doubt", code, "", **dict.fromkeys(NAMES.findall(words), -0.21337))
        found["deletion"]["findings"] = [known, finding("note", "of_a_plug_in", "In the server's words: 5.")]
        found["stability"]["findings"] = [finding("support", "of_a_plug_in", "It stays.")]
        route.fulfill(response=answer, json=body)

    visit.page.route(f"**/explanations/{record['id']}", answer_with_findings)
    trust.open(record)
    verdict = trust.dialog.locator("trust-verdict")
    assert verdict.locator("h4").all_inner_texts() == ["Speaks for it", "Speaks against it", "Worth knowing"]
    expect(verdict.locator(".doubt")).to_contain_text(NAMES.sub("−0.213", words))
    expect(verdict.locator(".note [lang=en]")).to_have_text("In the server's words: 5.")
    assert "null" not in trust.dialog.inner_text()
    assert verdict.locator(".doubt a").get_attribute("href") == f"/trust#{code}"
    verdict.get_by_role("button", name="Stability").click()
    expect(trust.metric("stability").get_by_role("heading")).to_be_focused()
    expect(trust.metric("stability").get_by_role("heading")).to_be_in_viewport()


def in_flight(root: str) -> float:
    lines = httpx.get(f"{root}/metrics", timeout=60).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("gradoscope_requests_in_flight "))


def test_all_of_them_begin_with_the_cheapest_before_seconds_are_known(visit: Visit, record: Any) -> None:
    trust, asked = Trust(visit, "Grad-CAM"), []
    kept: list[Route] = []  # get no answer

    def price(route: Route) -> None:
        if b"timed" in (route.request.post_data_buffer or b""):
            route.continue_()
        else:
            kept.append(route)

    def take(route: Route) -> None:
        found = re.search(r'name="metrics"\r\n\r\n(\w+)', (route.request.post_data_buffer or b"").decode())
        assert found
        asked.append(found[1])
        route.abort()

    visit.page.route("**/api/v1/estimates", price)
    visit.page.route(MEASURING, take)
    trust.open(record, 1)
    with visit.page.expect_request(re.compile("/metrics$")):
        trust.dialog.get_by_role("button", name=re.compile("^Measure (all|the rest)")).click()
    expect(trust.metric(asked[0])).to_contain_text("Estimating the cost")
    assert kept
    assert asked[0] in ("completeness", "sparseness", "complexity", "relevance_mass", "relevance_rank")


def test_cancel_ends_it_on_the_server_too(visit: Visit, record: Any) -> None:
    trust = Trust(visit, "Grad-CAM")
    trust.open(record, 1)
    trust.set("deletion", steps=1000, draws=25)
    section = trust.metric("deletion")
    run = section.locator(".trust-run")
    run.click()
    trust.metric("stability").locator(".trust-run").click()
    expect(section.get_by_role("progressbar")).to_have_attribute("aria-valuenow", re.compile("^[1-9]"))
    expect(trust.metric("stability")).to_contain_text("Waiting")
    run.click()
    expect(section).to_contain_text(re.compile(r"Stopped at \d+ of 52052"))
    expect(run).to_be_focused()
    expect(trust.metric("stability")).to_have_attribute("data-status", "done")  # what waited goes on
    until = time.monotonic() + 30
    while in_flight(visit.root) and time.monotonic() < until:
        time.sleep(0.1)
    assert in_flight(visit.root) == 0
    assert "deletion" not in trust.measured(record, 1)


def test_an_error_is_shown_at_its_metric(visit: Visit, record: Any) -> None:
    trust = Trust(visit, "Grad-CAM")

    def gone(route: Route) -> None:
        problem = {"title": "Not found", "status": 404, "detail": "This explanation is not kept any more."}
        route.fulfill(status=404, content_type="application/problem+json", body=json.dumps(problem))

    trust.open(record, 1)
    visit.page.route(MEASURING, gone)
    trust.metric("insertion").locator(".trust-run").click()
    expect(trust.metric("insertion").locator(".trust-problem")).to_contain_text("not kept any more")
    visit.page.unroute(MEASURING)
    visit.page.route(MEASURING, lambda route: route.abort())
    trust.metric("insertion").locator(".trust-run").click()
    expect(trust.metric("insertion").locator(".trust-problem")).to_contain_text("network is down")


def test_a_dialog_that_could_not_be_loaded_can_be_tried_again(visit: Visit, record: Any) -> None:
    visit.page.route("**/texts/en/measuring.json", lambda route: route.abort())
    visit.page.goto(f"{visit.root}/e/{record['id']}")
    Trust(visit).button().click()
    visit.notice.wait_for()
    visit.page.unroute("**/texts/en/measuring.json")
    visit.notice.get_by_role("button", name="Try again").click()
    expect(Trust(visit).dialog).to_be_visible()
