"""The pages of the lab in a real browser: controls, address, figures, findings; both languages and themes, a phone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from gradoscope.web import texts
from playwright.sync_api import Browser, Locator, Request, Route, expect

from tests.support.browser import LONG, Visit, visiting
from tests.support.lab_wire import KINDS, RUNS, answer, asked, figure

expect.set_options(timeout=LONG)
PAGE = "/lab/through_time"
PHONE: Any = {"width": 390, "height": 844}
PROBLEM = "application/problem+json"


class Lab(Visit):
    """A visit to an experiment whose answers are made up."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.runs: list[Request] = []
        self.page.on("request", lambda request: "/api/v1/experiments/" in request.url and self.runs.append(request))

    def experiment(self, query: str = "", kinds: tuple[str, ...] = ("lines",), **more: Any) -> None:
        self.page.route(RUNS, lambda route: answer(route, kinds, **more))
        self.page.goto(f"{self.root}{PAGE}{query}")
        self.settled()

    def settled(self) -> None:
        expect(self.page.locator(".results[aria-busy=false]")).to_be_visible()
        self.wait_for_frame()  # figures are drawn once more where their place has got another width

    @property
    def last(self) -> dict[str, Any]:
        """The parameters of the last run."""
        return asked(self.runs[-1])["parameters"]

    def control(self, name: str) -> Locator:
        return self.page.locator(f"[data-control={name}]")

    def until(self, name: str, value: Any) -> None:
        """Until a run was asked with this value."""
        for _ in range(600):
            if self.runs and self.last[name] == value:
                return
            self.page.wait_for_timeout(50)
        raise AssertionError((name, value, self.runs and self.last))


@pytest.fixture
def lab(browser: Browser, server_url: str) -> Iterator[Lab]:
    with visiting(browser, server_url, Lab) as visit:
        yield visit


# Controls


def test_a_slider_by_keyboard_asks_anew_and_stands_in_the_address(lab: Lab) -> None:
    lab.experiment()
    assert lab.last["length"] == 50
    slider = lab.control("length").get_by_role("slider")
    slider.press("ArrowRight")
    lab.until("length", 51)
    expect(lab.control("length").get_by_role("textbox")).to_have_value("51")
    expect(lab.page).to_have_url(re.compile(r"\?length=51$"))
    lab.page.go_back()
    expect(lab.control("length").get_by_role("textbox")).to_have_value("50")
    lab.until("length", 50)


def test_choices_switches_and_typed_numbers(lab: Lab) -> None:
    lab.experiment()
    lab.control("cell").get_by_role("radio", name="LSTM").check()
    lab.until("cell", "lstm")
    lab.control("mixed_lengths").get_by_role("switch").press("Space")
    lab.until("mixed_lengths", True)
    box = lab.control("rate").get_by_role("textbox")
    box.fill("0.2")
    lab.until("rate", 0.2)
    box.press("Enter")
    expect(lab.page).to_have_url(re.compile(r"cell=lstm.*rate=0\.2"))
    lab.page.get_by_role("button", name="Defaults").click()
    lab.until("cell", "tanh")
    expect(lab.page).to_have_url(re.compile(rf"{PAGE}$"))


def test_a_drag_of_a_slider_leaves_one_step_in_the_history(lab: Lab) -> None:
    lab.experiment()
    before = lab.page.evaluate("history.length")
    slider = lab.control("hidden").get_by_role("slider")
    box = slider.bounding_box()
    assert box
    lab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    lab.page.mouse.down()
    for share in (0.6, 0.7, 0.8, 1.0):
        lab.page.mouse.move(box["x"] + share * box["width"] + 4, box["y"] + box["height"] / 2)
    lab.page.mouse.up()
    lab.until("hidden", 64)
    assert lab.page.evaluate("history.length") == before + 1


def test_a_logarithmic_slider_passes_places_of_the_same_value(lab: Lab) -> None:
    lab.page.route(RUNS, lambda route: answer(route))
    lab.page.goto(f"{lab.root}/lab/saturation")
    lab.settled()
    slider = lab.control("steps").get_by_role("slider")
    slider.press("Home")
    lab.until("steps", 1)
    for _ in range(30):
        slider.press("ArrowRight")
    lab.until("steps", 3)
    slider.press("End")
    lab.until("steps", 2000)


def test_a_word_gives_place_to_a_number(lab: Lab) -> None:
    lab.page.route(RUNS, lambda route: answer(route))
    lab.page.goto(f"{lab.root}/lab/optimisers")
    lab.settled()
    assert lab.last["rate"] == "best"
    lab.control("rate").get_by_role("combobox").select_option("")
    lab.until("rate", 0.01)
    lab.control("rate").get_by_role("textbox").fill("0.5")
    lab.until("rate", 0.5)
    lab.control("rate").get_by_role("combobox").select_option("default")
    lab.until("rate", "default")
    expect(lab.control("rate").get_by_role("textbox")).to_be_hidden()


def test_a_number_out_of_bounds_is_told_and_not_asked(lab: Lab) -> None:
    lab.experiment()
    asked_before = len(lab.runs)
    box = lab.control("length").get_by_role("textbox")
    box.fill("900")
    expect(lab.control("length").get_by_role("alert")).to_have_text("From 2 to 200.")
    expect(box).to_have_attribute("aria-invalid", "true")
    box.fill("2.5")
    expect(lab.control("length").get_by_role("alert")).to_have_text("Only whole numbers.")
    assert len(lab.runs) == asked_before
    box.fill("20")
    lab.until("length", 20)
    expect(lab.control("length").locator(".complaint")).to_be_hidden()


def test_an_address_opens_the_same_experiment(lab: Lab) -> None:
    lab.experiment("?cell=gru&length=30&mixed_lengths=true&seed=7&train_steps=nonsense")
    assert lab.last | {"cell": "gru", "length": 30, "mixed_lengths": True} == lab.last
    assert asked(lab.runs[-1])["seed"] == 7
    expect(lab.control("cell").get_by_role("radio", name="GRU")).to_be_checked()
    lab.page.get_by_role("button", name="Another").click()
    expect(lab.page).to_have_url(re.compile("seed=8"))


def test_a_try_sets_its_controls(lab: Lab) -> None:
    lab.experiment()
    button = lab.page.locator("[data-try]").nth(1)
    button.click()
    lab.until("spectral_radius", 1.1)
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(lab.page).to_have_url(re.compile("spectral_radius=1.1"))


def test_what_the_server_refuses_stands_at_its_control(lab: Lab) -> None:
    lab.experiment()
    lab.page.unroute(RUNS)
    errors = [{"field": "parameters.hidden", "detail": "hidden: too many units."}]
    body = {"title": "Bad value", "status": 422, "detail": "hidden: too many units.", "errors": errors}
    lab.page.route(RUNS, lambda route: route.fulfill(status=422, content_type=PROBLEM, body=json.dumps(body)))
    lab.control("hidden").get_by_role("slider").press("ArrowRight")
    expect(lab.control("hidden").get_by_role("alert")).to_have_text("hidden: too many units.")
    expect(lab.page.locator("[data-problem]")).to_be_hidden()


def test_an_address_that_is_refused_says_why_in_place_of_the_figures(lab: Lab) -> None:
    detail = "parameters.hidden: too many units."
    body = {"title": "Bad value", "status": 422, "detail": detail}
    body["errors"] = [{"field": "parameters.hidden", "detail": detail}]
    lab.page.route(RUNS, lambda route: route.fulfill(status=422, content_type=PROBLEM, body=json.dumps(body)))
    lab.page.goto(f"{lab.root}{PAGE}")
    expect(lab.page.locator("[data-problem] [role=alert]")).to_contain_text("too many units.")
    expect(lab.control("hidden").get_by_role("alert")).to_have_text("too many units.")


def test_what_else_goes_wrong_can_be_tried_again(lab: Lab) -> None:
    lab.experiment()
    lab.page.unroute(RUNS)
    lab.page.route(RUNS, lambda route: route.abort())
    lab.control("hidden").get_by_role("slider").press("ArrowRight")
    notice = lab.page.locator("[data-problem] [role=alert]")
    expect(notice).to_contain_text("The server cannot be reached")
    lab.page.unroute(RUNS)
    lab.page.route(RUNS, lambda route: answer(route))
    notice.get_by_role("button", name="Try again").click()
    expect(notice).to_be_hidden()


# Runs


def test_a_newer_wish_cancels_a_run_that_is_slow(lab: Lab) -> None:
    lab.experiment()
    lab.page.unroute(RUNS)
    waiting: list[Route] = []
    lab.page.route(RUNS, lambda route: waiting.append(route))
    failed: list[Request] = []
    lab.page.on("requestfailed", lambda request: failed.append(request))
    slider = lab.control("length").get_by_role("slider")
    slider.press("ArrowRight")
    expect(lab.page.locator(".results.is-old")).to_be_visible()
    expect(lab.page.get_by_role("progressbar", name="Computing")).to_be_visible()
    lab.page.wait_for_timeout(400)  # longer than a run that is as good as done
    slider.press("ArrowRight")
    while not failed or len(waiting) < 2:
        lab.page.wait_for_timeout(20)
    assert asked(failed[0])["parameters"]["length"] == 51
    answer(waiting[-1])
    lab.settled()
    assert lab.last["length"] == 52
    expect(lab.page.locator(".results.is-old")).to_have_count(0)


def test_a_run_streams_its_figures(lab: Lab) -> None:
    """On the real wire: figures of training come while it trains, and all claims have their verdict at the end."""
    lab.page.goto(f"{lab.root}/lab/graph")
    lab.settled()
    lab.page.get_by_role("textbox", name="Formula").fill("a*a + a")
    lab.page.get_by_role("textbox", name="a", exact=True).fill("3")
    expect(lab.page.locator("[data-figure=graph]")).to_contain_text("1 + 3 + 3 = 7")
    steps = lab.page.locator("[data-figure=graph]").get_by_role("slider")
    steps.press("Home")
    expect(lab.page.locator("[data-figure=graph] .step-text")).to_contain_text("Forward")
    steps.press("ArrowRight")
    expect(lab.page.locator("[data-figure=graph] .step-text")).to_contain_text("its gradient is 1")
    expect(lab.page.locator("[data-findings] > li").first).to_contain_text(re.compile("Holds|Does not hold"))


# Figures and findings


READ = {"lines": "falling", "bars": "sum", "histogram": "3", "heatmap": "k 0", "contour": "sgd", "grids": "second"}


def test_each_kind_of_figure_is_drawn_read_and_saved(lab: Lab) -> None:
    lab.experiment(kinds=tuple(KINDS))
    for kind in KINDS:
        place = lab.page.locator(f"[data-figure=my_{kind}]")
        expect(place.get_by_role("heading", level=3)).to_have_text(f"A figure of {kind}")
        expect(place.locator("table" if kind in ("matrix", "table", "grids") else "svg").first).to_be_visible()
        if kind in READ:
            slider = place.get_by_role("slider").first
            slider.focus()
            assert slider.get_attribute("aria-valuetext")
            expect(place.locator(".tip:visible, .step-text:visible")).to_contain_text(READ[kind])


def test_files_of_a_figure(lab: Lab) -> None:
    lab.experiment(kinds=("lines", "heatmap", "table"))
    for kind in ("lines", "heatmap", "table"):
        place = lab.page.locator(f"[data-figure=my_{kind}]")
        for suffix in ("SVG", "PNG", "CSV"):
            with lab.page.expect_download() as download:
                place.get_by_role("button", name=f"as {suffix}").click()
            assert download.value.suggested_filename == f"through_time-my_{kind}.{suffix.lower()}"
            body = download.value.path().read_bytes()
            if suffix == "SVG":
                assert "A figure of" in "".join(ElementTree.fromstring(body).itertext())
                assert b"var(" not in body
            elif suffix == "PNG":
                assert body.startswith(b"\x89PNG")
            else:
                assert len(body.decode().splitlines()) == {"lines": 61, "heatmap": 3, "table": 3}[kind]
    with lab.page.expect_download() as download:
        lab.page.get_by_role("button", name="Save the result as JSON").click()
    assert json.loads(download.value.path().read_text())["numbers"]["gap"] == 0.5


def test_the_pointer_reads_all_lines(lab: Lab) -> None:
    lab.experiment()
    place = lab.page.locator("[data-figure=my_lines]")
    box = place.locator("svg").bounding_box()
    assert box
    lab.page.mouse.move(box["x"] + box["width"] / 3, box["y"] + 120)
    expect(place.locator(".tip")).to_be_visible()
    expect(place.locator(".tip")).to_contain_text(re.compile(r"\d.*falling.*theory"))
    lab.page.mouse.move(2, 2)
    expect(place.locator(".tip")).to_be_hidden()


def test_findings_say_their_verdict_in_words_and_by_a_mark(lab: Lab) -> None:
    lab.experiment()
    found = lab.page.locator("[data-findings] > li")
    expect(found).to_have_count(3)
    for item, verdict in zip(found.all(), ("Holds", "Does not hold", "Depends"), strict=True):
        expect(item.locator(".verdict")).to_have_text(verdict)
        expect(item.locator("svg")).to_have_count(1)
    brief = lab.page.locator("[data-brief]")
    expect(brief).to_have_text("holds: 1 · does not hold: 1 · depends: 1")
    before = len(lab.runs)
    brief.click()
    expect(lab.page.locator("#findings")).to_be_in_viewport()
    lab.page.go_back()
    expect(lab.page).to_have_url(re.compile(rf"{PAGE}$"))
    assert len(lab.runs) == before, "a link within the page asks for nothing"


def test_figures_that_a_setting_has_not_are_hidden(lab: Lab) -> None:
    lab.experiment()
    expect(lab.page.locator("[data-figure=losses]")).to_be_hidden()


MOUNT = """async data => {
  const { Matrix } = await import('/static/js/lab/matrix.js');
  window.changes = [];
  const matrix = new Matrix((parameter, values, done) => {
    changes.push([parameter, values, done]);
    matrix.show({ ...data, values });
  });
  matrix.root.id = 'mounted';
  document.querySelector('.figures').prepend(matrix.root);
  matrix.show(data);
}"""


def test_a_grid_is_typed_stepped_and_dragged(lab: Lab) -> None:
    lab.experiment()
    lab.page.evaluate(MOUNT, {"values": [[1, 2], [3, 4.5]], "parameter": "length"})
    cells = lab.page.locator("#mounted input")
    cells.nth(0).fill("7")
    cells.nth(0).press("Enter")
    cells.nth(1).press("ArrowUp")
    cells.nth(3).press("ArrowDown")
    box = cells.nth(2).bounding_box()
    assert box
    lab.page.mouse.move(box["x"] + 20, box["y"] + 10)
    lab.page.mouse.down()
    lab.page.mouse.move(box["x"] + 20 + 12, box["y"] + 10, steps=3)
    lab.page.mouse.up()
    changes = lab.page.evaluate("changes")
    assert changes[-1] == ["length", [[7, 3], [5, 4.4]], True]
    cells.nth(0).fill("nothing")
    cells.nth(0).press("Enter")
    expect(cells.nth(0)).to_have_value("7")
    assert lab.page.evaluate("changes") == changes


START = """async data => {
  const { FigureView } = await import('/static/js/lab/figure.js');
  window.changes = [];
  const place = document.createElement('figure');
  place.className = 'lab-figure';
  place.id = 'mounted';
  place.innerHTML = '<h3>Surface</h3><div class="figure-body"></div>';
  document.querySelector('.figures').prepend(place);
  new FigureView(place, (...change) => changes.push(change)).show(data);
}"""


def test_a_press_on_a_surface_or_its_sliders_set_the_start(lab: Lab) -> None:
    lab.experiment()
    lab.page.evaluate(START, figure("contour", KINDS["contour"] | {"start": "start"}))
    place = lab.page.locator("#mounted")
    place.scroll_into_view_if_needed()
    surface = place.locator("image.surface")
    box = surface.bounding_box()
    assert box
    lab.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4)
    name, point, done = lab.page.evaluate("changes[0]")
    assert (name, done) == ("start", False)
    assert point == pytest.approx([2, 3], abs=0.1)
    assert lab.page.evaluate("changes.at(-1)")[::2] == ["start", True]
    place.get_by_role("slider", name="Start, x").press("ArrowRight")
    name, point, _ = lab.page.evaluate("changes.at(-1)")
    assert point[0] == pytest.approx(0.04)


# For everyone


@pytest.mark.parametrize("language", sorted(texts.LANGUAGES))
@pytest.mark.parametrize("viewport", [{"width": 1440, "height": 900}, {"width": 320, "height": 740}])
def test_axe_finds_nothing(browser: Browser, server_url: str, language: str, viewport: Any) -> None:
    with visiting(browser, server_url, Lab, viewport=viewport) as lab:
        lab.page.goto(f"{lab.root}/lab?lang={language}")
        assert lab.axe_in_both_themes() == []
        assert lab.overflow() <= 0
        lab.experiment(f"?lang={language}", kinds=tuple(KINDS))
        assert lab.axe_in_both_themes() == []
        assert lab.overflow() <= 0
        if viewport["width"] <= 720:
            lab.page.locator("[data-sheet]").click()
            assert lab.axe_in_both_themes() == []


def test_on_a_phone_the_controls_are_a_sheet_below_the_figures(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url, Lab, viewport=PHONE, has_touch=True) as lab:
        lab.experiment()
        sheet = lab.page.locator("[data-sheet]")
        expect(lab.control("length")).to_be_hidden()
        sheet.tap()
        expect(sheet).to_have_attribute("aria-expanded", "true")
        box = lab.page.locator(".controls").bounding_box()
        assert box
        assert box["y"] > 300, "the figures stay in sight"
        lab.control("cell").get_by_role("radio", name="GRU").tap()
        lab.until("cell", "gru")
        lab.page.keyboard.press("Escape")
        expect(lab.control("length")).to_be_hidden()
        expect(sheet).to_be_focused()


def test_the_list_leads_to_its_experiments_in_both_languages(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url, Lab) as lab:
        lab.page.route(RUNS, lambda route: answer(route))
        lab.page.goto(f"{lab.root}/lab")
        lab.page.get_by_role("link", name="中文").click()
        question = texts.texts("zh")["lab.through_time.question"]
        lab.page.get_by_role("link", name=question).click()
        lab.settled()
        expect(lab.page.get_by_role("heading", level=1)).to_have_text(question)
        expect(lab.page.locator("[data-findings] .verdict").first).to_have_text("成立")
        expect(lab.page.get_by_role("navigation").get_by_role("link", name="实验室")).to_be_visible()


def test_the_language_is_switched_with_the_settings(lab: Lab) -> None:
    lab.experiment("?length=30")
    lab.page.get_by_role("link", name="中文").click()
    expect(lab.page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(lab.page).to_have_url(re.compile(r"\?length=30$"))


def test_the_script_is_copied(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url, Lab, permissions=["clipboard-read", "clipboard-write"]) as lab:
        lab.experiment()
        lab.page.get_by_role("button", name="Copy").click()
        expect(lab.page.get_by_role("button", name="Copied")).to_be_visible()
        assert "import torch" in lab.page.evaluate("navigator.clipboard.readText()")
