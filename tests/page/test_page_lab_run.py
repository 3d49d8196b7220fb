"""The page of a recorded run: a sample, a file that is chosen or dropped, what is refused; languages, phone, axe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from gradoscope.settings import shipped
from gradoscope.web import texts
from playwright.sync_api import Browser, expect

from tests.support.browser import LONG, Visit, visiting

expect.set_options(timeout=LONG)
PAGE = "/lab/run"
TROUBLE = shipped("static") / "runs" / "trouble.jsonl"
DROP = """data => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([data], 'mine.jsonl'));
  document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


class Run(Visit):
    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.root}{PAGE}{query}")

    def drawn(self) -> None:
        expect(self.page.locator("[data-findings] > li").nth(5)).to_be_visible()
        expect(self.page.locator("[data-figure=layers] svg")).to_be_visible()


@pytest.fixture
def run(browser: Browser, server_url: str) -> Iterator[Run]:
    with visiting(browser, server_url, Run) as visit:
        yield visit


def test_a_sample_is_drawn_and_stands_in_the_address(run: Run) -> None:
    run.open()
    expect(run.page.locator(".results")).to_be_hidden()
    button = run.page.locator("[data-sample=trouble]")
    button.press("Enter")
    run.drawn()
    expect(run.page).to_have_url(re.compile(r"\?run=trouble$"))
    expect(button).to_have_attribute("aria-pressed", "true")
    vanishing = run.page.locator("[data-finding=vanishing_spread]")
    expect(vanishing.locator(".verdict")).to_have_text("Does not hold")
    expect(vanishing).to_contain_text("since step 40")
    layers = run.page.locator("[data-figure=layers]")
    expect(layers.locator("svg")).to_contain_text("lower1")
    reader = layers.get_by_role("slider").nth(1)
    reader.focus()
    reader.press("ArrowDown")
    expect(layers.locator(".tip")).to_contain_text(re.compile("lower|upper|head|input"))
    run.page.reload()
    run.drawn()


@pytest.mark.parametrize("way", ["chosen", "dropped"])
def test_a_file_of_ones_own(run: Run, way: str) -> None:
    run.open()
    if way == "chosen":
        with run.page.expect_file_chooser() as chooser:
            run.page.get_by_role("button", name="Choose a file").click()
        chooser.value.set_files({"name": "mine.jsonl", "mimeType": "", "buffer": TROUBLE.read_bytes()})
    else:
        run.page.evaluate(DROP, TROUBLE.read_text("utf-8"))
    run.drawn()
    expect(run.page.locator("[data-facts]")).to_contain_text("mine.jsonl")
    for kind in ("SVG", "PNG", "CSV"):
        with run.page.expect_download() as download:
            run.page.locator("[data-figure=layers]").get_by_role("button", name=f"as {kind}").click()
        assert download.value.suggested_filename == f"run-layers.{kind.lower()}"
        if kind == "CSV":
            assert "\r\ninput," in download.value.path().read_bytes().decode()


def test_what_is_no_run_is_refused_in_words(run: Run) -> None:
    run.open()
    run.page.evaluate(DROP, "no run at all")
    notice = run.page.locator("[data-problem] [role=alert]")
    expect(notice).to_contain_text("This is no file of a run")
    run.page.evaluate(DROP, "x" * (5 * 2**20))
    expect(notice).to_contain_text("at most 4.0 MiB")
    run.page.locator("[data-sample=healthy]").click()
    run.drawn()
    expect(notice).to_be_hidden()


@pytest.mark.parametrize("language", sorted(texts.LANGUAGES))
@pytest.mark.parametrize("viewport", [{"width": 1440, "height": 900}, {"width": 390, "height": 844}])
def test_axe_finds_nothing(browser: Browser, server_url: str, language: str, viewport: Any) -> None:
    with visiting(browser, server_url, Run, viewport=viewport) as run:
        run.open(f"?lang={language}")
        assert run.axe_in_both_themes() == []
        assert run.overflow() <= 0
        run.page.locator("[data-sample=trouble]").click()
        run.drawn()
        assert run.axe_in_both_themes() == []
        assert run.overflow() <= 0


def test_the_lab_leads_here(run: Run) -> None:
    run.page.goto(f"{run.root}/lab")
    run.page.get_by_role("link", name="record a loop").click()
    expect(run.page).to_have_url(re.compile(rf"{PAGE}$"))
