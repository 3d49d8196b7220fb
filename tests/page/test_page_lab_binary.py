"""The pages of `binary` and `plasticity` on the real wire: the scrubber over the progress, and figures that stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import LONG, Visit, visiting

expect.set_options(timeout=LONG)
PHONE: Any = {"width": 390, "height": 844}
BINARY = "/lab/binary?train_steps=10&seeds=3"
PLASTICITY = "/lab/plasticity?tasks=4&steps_per_task=50&seeds=3"


@pytest.fixture
def lab(browser: Browser, server_url: str) -> Iterator[Visit]:
    with visiting(browser, server_url) as visit:
        yield visit


def settled(lab: Visit, address: str) -> None:
    lab.page.goto(f"{lab.root}{address}")
    expect(lab.page.locator(".results[aria-busy=false]")).to_be_visible()


def test_the_progress_is_scrubbed_by_keyboard_and_by_hand(lab: Visit) -> None:
    """The slope at 0 of EDE is t = 10 at the end, and is read from the figure."""
    settled(lab, BINARY)
    control = lab.page.locator("[data-control=progress]")
    slider = control.get_by_role("slider")
    slider.press("End")
    expect(lab.page).to_have_url(re.compile(r"progress=1(&|$)"))
    derivative = lab.page.locator("[data-finding=derivative]")
    expect(derivative).to_contain_text("it says 10")
    accuracy = lab.page.locator("[data-finding=trains]").inner_text()
    box = slider.bounding_box()
    assert box
    lab.page.mouse.click(box["x"] + 2, box["y"] + box["height"] / 2)
    expect(control.get_by_role("textbox")).to_have_value("0")
    expect(derivative).to_contain_text("the estimator says 0.9901")
    expect(lab.page.locator("[data-finding=trains]")).to_have_text(re.compile(re.escape(accuracy.split("\n")[-1])))


def test_t_max_below_t_min_is_told_at_its_control(lab: Visit) -> None:
    settled(lab, BINARY)
    lab.page.locator("[data-control=t_max]").get_by_role("textbox").fill("0.05")
    expect(lab.page.locator("[data-control=t_max]").get_by_role("alert")).to_contain_text("at least t_min, 0.1")


def test_plasticity_shows_its_curves_and_verdicts(lab: Visit) -> None:
    settled(lab, PLASTICITY)
    for name in ("relative", "error", "dead", "rank", "size", "correction"):
        expect(lab.page.locator(f"[data-figure={name}] svg").first).to_be_visible()
    expect(lab.page.locator("[data-finding=correction]")).to_contain_text("counts 0.634 at the age of 100")
    lab.page.locator("[data-control=algorithm] select").select_option("adam")
    expect(lab.page.locator("[data-finding=keeps_adam]")).to_be_visible()
    expect(lab.page.locator("[data-finding=keeps_backprop]")).to_have_count(0)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("address", [BINARY, PLASTICITY])
def test_axe_finds_nothing_on_a_phone(browser: Browser, server_url: str, address: str, language: str) -> None:
    with visiting(browser, server_url, viewport=PHONE, has_touch=True) as lab:
        settled(lab, f"{address}&lang={language}")
        assert lab.axe_in_both_themes() == []
        assert lab.overflow() <= 0
