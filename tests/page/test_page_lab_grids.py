"""Grids of numbers on the pages of convolution and pooling: typed, dragged, resized, stepped through, read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from gradoscope.lab.registry import experiments
from gradoscope.web import texts
from playwright.sync_api import Browser, Locator, expect

from tests.page.test_page_lab import PHONE, Lab
from tests.support.browser import LONG, visiting

expect.set_options(timeout=LONG)
SIZES: list[Any] = [{"width": 1440, "height": 900}, PHONE]


class Grids(Lab):
    """A visit to an experiment whose answers are the server's own."""

    def at(self, id: str, query: str = "") -> None:
        self.page.goto(f"{self.root}/lab/{id}{query}")
        self.settled()

    def grid(self, name: str, figure: str = "windows") -> Locator:
        return self.page.locator(f"[data-figure={figure}] [data-grid={name}]")

    def shows(self, name: str, values: list[str], figure: str = "windows") -> None:
        """The texts of the numbers of a grid, row by row; the padding around it is left out."""
        expect(self.grid(name, figure).locator("td:not(.outside)")).to_have_text(
            [re.compile(rf"^{re.escape(value)}") for value in values]
        )

    def steps(self, figure: str = "windows") -> Locator:
        return self.page.locator(f"[data-figure={figure}] input.steps")

    def said(self, figure: str = "windows") -> Locator:
        return self.page.locator(f"[data-figure={figure}] .step-text")


@pytest.fixture
def lab(browser: Browser, server_url: str) -> Iterator[Grids]:
    with visiting(browser, server_url, Grids) as visit:
        yield visit


# Steps


def test_the_slider_goes_through_the_windows_and_the_gradients_grow(lab: Grids) -> None:
    lab.at("convolution")
    lab.shows("input_gradient", ["1", "3", "2", "4", "10", "6", "3", "7", "4"])
    expect(lab.said()).to_contain_text("Window 4 of 4")
    lab.steps().press("Home")
    lab.shows("input_gradient", ["0"] * 9)
    expect(lab.said()).to_contain_text("Before the first window (of 4)")
    lab.steps().press("ArrowRight")
    lab.shows("input_gradient", ["1", "2", "0", "3", "4", "0", "0", "0", "0"])
    expect(lab.grid("input").locator("td.here")).to_have_count(4)
    expect(lab.grid("output").locator("td.here")).to_have_count(1)
    expect(lab.grid("input_gradient").locator("[data-added]").nth(3)).to_have_attribute("data-added", "+4")
    expect(lab.said()).to_contain_text("1·1 + 2·2 + 4·1 = 9")
    lab.steps().press("End")
    lab.shows("input_gradient", ["1", "3", "2", "4", "10", "6", "3", "7", "4"])


def test_a_press_on_an_output_goes_to_its_window(lab: Grids) -> None:
    lab.at("convolution")
    lab.grid("output").locator("td").nth(1).click()
    expect(lab.said()).to_contain_text("Window 2 of 4")
    expect(lab.steps()).to_have_value("2")


def test_a_number_tells_what_it_was_added_up_from(lab: Grids) -> None:
    lab.at("convolution")
    cells = lab.grid("input_gradient").locator("td")
    cells.nth(4).hover()
    expect(lab.said()).to_contain_text("added up from 4 windows: 4 + 3 + 2 + 1 = 10")
    lab.page.mouse.move(2, 2)
    expect(lab.said()).not_to_contain_text("added up")
    cells.nth(0).focus()
    expect(lab.said()).to_contain_text("∂L/∂X, row 1, column 1: 1")
    lab.page.keyboard.press("ArrowRight")
    expect(lab.said()).to_contain_text("row 1, column 2, added up from 2 windows: 2 + 1 = 3")
    lab.page.keyboard.press("ArrowDown")
    expect(cells.nth(4)).to_be_focused()
    expect(lab.grid("input_gradient").locator("td[tabindex='0']")).to_have_count(1)


def test_the_turned_kernel_gives_the_same_gradient(lab: Grids) -> None:
    lab.at("convolution", "?stride=2&input=[[1,2,0],[0,1,3],[2,1,1],[1,0,0],[2,2,1]]")
    lab.shows("spaced", ["1", "0", "1"], "backward")
    lab.shows("turned_kernel", ["4", "3", "2", "1"], "backward")
    expected = ["1", "2", "0", "3", "4", "0", "1", "2", "0", "3", "4", "0", "0", "0", "0"]
    lab.shows("input_gradient", expected)
    lab.shows("turned_gradient", expected, "backward")
    lab.steps("backward").press("Home")
    expect(lab.said("backward")).to_contain_text("Zeros between two neighbours of ∂L/∂Y: 1.")
    found = lab.page.locator("[data-findings] > li").first
    expect(found.locator(".verdict")).to_have_text("Depends")


def test_padding_stands_around_the_input(lab: Grids) -> None:
    lab.at("convolution", "?padding=1")
    expect(lab.grid("input").locator("td.outside")).to_have_count(25 - 9)
    lab.steps().press("Home")
    lab.steps().press("ArrowRight")
    expect(lab.grid("input").locator("td.outside.here")).to_have_count(3)


# Editing


def test_a_typed_number_changes_the_gradients(lab: Grids) -> None:
    lab.at("convolution")
    cell = lab.page.get_by_role("spinbutton", name="Kernel W, Row 1, column 1")
    cell.fill("−5")
    cell.press("Enter")
    lab.until("kernel", [[-5, 2], [3, 4]])
    lab.shows("input_gradient", ["−5", "−3", "2", "−2", "4", "6", "3", "7", "4"])
    expect(lab.page).to_have_url(re.compile(quote("[[-5,2],[3,4]]", safe="")))


def test_a_dragged_number_is_followed_and_is_one_step_of_the_history(lab: Grids) -> None:
    lab.at("pooling", "?kind=max")
    before = lab.page.evaluate("history.length")
    cell = lab.page.get_by_role("spinbutton", name="Input X, Row 1, column 1")
    box = cell.bounding_box()
    assert box
    x, y = box["x"] + 20, box["y"] + 10
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    lab.page.mouse.move(x + 12, y)
    expect(cell).to_have_value("3")
    lab.shows("output", ["4"])
    lab.page.mouse.move(x + 60, y, steps=4)
    expect(cell).to_have_value("11")
    lab.shows("output", ["11"])  # while the hand still holds it
    lab.shows("input_gradient", ["1", "0", "0", "0"])
    assert lab.page.evaluate("history.length") == before
    lab.page.mouse.up()
    lab.until("input", [[11, 2], [3, 4]])
    assert lab.page.evaluate("history.length") == before + 1


def test_a_grid_is_made_larger_and_smaller_and_keeps_its_numbers(lab: Grids) -> None:
    lab.at("convolution")
    rows = lab.control("input").get_by_role("spinbutton", name="Rows")
    rows.fill("2")
    lab.until("input", [[1, 2, 0], [0, 1, 3]])
    rows.fill("4")
    lab.until("input", [[1, 2, 0], [0, 1, 3], [2, 1, 1], [0, 0, 0]])
    expect(lab.grid("input_gradient").locator("td")).to_have_count(12)
    asked = len(lab.runs)
    rows.fill("17")
    rows.blur()
    expect(rows).to_have_value("4")
    assert len(lab.runs) == asked
    lab.control("input").get_by_role("button", name="Draw numbers").click()
    lab.page.wait_for_function("n => document.querySelectorAll('[data-grid=input] input').length === n", arg=12)
    expect(lab.page).to_have_url(re.compile("input="))


def test_what_arrives_is_edited_and_is_ones_again_when_the_output_changes(lab: Grids) -> None:
    lab.at("convolution")
    cell = lab.page.get_by_role("spinbutton", name="Gradient from above ∂L/∂Y, Row 1, column 1")
    cell.fill("0")
    cell.press("Enter")
    lab.until("upstream", [[0, 1], [1, 1]])
    kernel = lab.page.get_by_role("spinbutton", name="Kernel W, Row 1, column 1")
    kernel.press("ArrowUp")
    lab.until("kernel", [[2, 2], [3, 4]])
    assert lab.last["upstream"] == [[0, 1], [1, 1]], "the output has the same size"
    lab.control("padding").get_by_role("slider").press("ArrowRight")
    lab.until("padding", 1)
    assert lab.last["upstream"] == []
    lab.settled()
    expect(lab.grid("upstream").locator("input")).to_have_count(16)
    lab.page.go_back()
    lab.until("padding", 0)
    assert lab.last["upstream"] == [[0, 1], [1, 1]]
    lab.control("upstream").get_by_role("button", name="Default numbers").click()
    lab.until("upstream", [])


def test_another_kind_keeps_what_arrives_unless_it_is_global(lab: Grids) -> None:
    lab.at("pooling", "?upstream=[[2]]")
    kind = lab.control("kind").get_by_role("combobox")
    kind.select_option("average")
    lab.until("kind", "average")
    assert lab.last["upstream"] == [[2]]
    lab.shows("input_gradient", ["0.500"] * 4)
    kind.select_option("global")
    lab.until("kind", "global")
    assert lab.last["upstream"] == []


def test_a_number_out_of_bounds_is_told_at_the_control(lab: Grids) -> None:
    lab.at("convolution")
    asked = len(lab.runs)
    cell = lab.page.get_by_role("spinbutton", name="Input X, Row 1, column 1")
    cell.fill("20000")
    cell.press("Enter")
    expect(lab.control("input").get_by_role("alert")).to_have_text("From −10000 to 10000.")
    assert len(lab.runs) == asked


def test_what_does_not_fit_is_told_at_a_control(lab: Grids) -> None:
    lab.at("convolution")
    lab.control("dilation").get_by_role("slider").press("End")
    expect(lab.control("dilation").get_by_role("alert")).to_contain_text("the kernel spans 5 rows")
    lab.control("dilation").get_by_role("slider").press("Home")
    expect(lab.control("dilation").locator(".complaint")).to_be_hidden()


# Handed over


def test_a_feature_map_is_handed_over_in_the_address(lab: Grids) -> None:
    """As a page that has one opens /lab/pooling: ?input= and a grid of up to 16 × 16 numbers."""
    grid = [[round(((37 * y + 91 * x) % 101) / 25, 3) for x in range(16)] for y in range(16)]
    text = quote(json.dumps(grid, separators=(",", ":")))
    lab.at("pooling", f"?kind=max&kernel=3&stride=2&padding=1&input={text}")
    assert lab.last["input"] == grid
    expect(lab.grid("input").locator("input")).to_have_count(256)
    expect(lab.grid("output").locator("td")).to_have_count(64)
    expect(lab.control("input").get_by_role("spinbutton", name="Columns")).to_have_value("16")
    lab.page.reload()
    lab.settled()
    assert lab.last["input"] == grid
    lab.at("convolution", f"?input={text}")
    expect(lab.grid("input_gradient").locator("td")).to_have_count(256)


# For everyone


@pytest.mark.parametrize("id", ["convolution", "pooling"])
def test_files_of_grids(lab: Grids, id: str) -> None:
    lab.at(id)
    place = lab.page.locator("[data-figure=windows]")
    for suffix in ("SVG", "PNG", "CSV"):
        with lab.page.expect_download() as download:
            place.get_by_role("button", name=f"as {suffix}").click()
        body = download.value.path().read_bytes()
        if suffix == "SVG":
            said = "".join(ElementTree.fromstring(body).itertext())
            assert "Output Y" in said
            assert "Backward" in said
        elif suffix == "PNG":
            assert body.startswith(b"\x89PNG")
        else:
            assert body.decode().startswith("grid,row,column,value\r\ninput,0,0,1\r\n")


@pytest.mark.parametrize("language", sorted(texts.LANGUAGES))
@pytest.mark.parametrize("viewport", SIZES, ids=["desktop", "phone"])
@pytest.mark.parametrize("id", ["convolution", "pooling"])
def test_axe_finds_nothing(browser: Browser, server_url: str, id: str, viewport: Any, language: str) -> None:
    with visiting(browser, server_url, Grids, viewport=viewport) as lab:
        lab.at(id, f"?lang={language}&padding=1")
        assert lab.axe_in_both_themes() == []
        assert lab.overflow() <= 0
        if viewport is PHONE:
            lab.page.locator("[data-sheet]").click()
            assert lab.axe_in_both_themes() == []


@pytest.mark.parametrize("id", ["convolution", "pooling"])
def test_every_try_is_answered(lab: Grids, id: str) -> None:
    lab.at(id)
    for tried in experiments()[id].tries:
        button = lab.page.locator(f"[data-try={tried.id}]")
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        lab.until("input", tried.parameters["input"])
        lab.settled()
        expect(lab.page.locator("[data-problem]")).to_be_hidden()
        expect(lab.page.locator(".complaint:visible")).to_have_count(0)
        expect(lab.said()).to_contain_text("Window")


def test_a_number_is_dragged_by_touch_on_a_phone(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url, Grids, viewport=PHONE, has_touch=True) as lab:
        lab.at("convolution")
        lab.page.get_by_role("spinbutton", name="Input X, Row 1, column 1").tap()
        expect(lab.page.get_by_role("spinbutton", name="Input X, Row 1, column 1")).to_be_focused()
        box = lab.steps().bounding_box()
        assert box
        lab.page.touchscreen.tap(box["x"] + 2, box["y"] + box["height"] / 2)
        expect(lab.said()).to_contain_text("Before the first")
