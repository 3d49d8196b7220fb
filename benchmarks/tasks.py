"""What a visitor does, and how long it takes: actions and seconds for each task. `make bench-tasks`

In a real browser, on a server of its own with the shipped models, whose worker has computed once before. An action is a
press, a choice from a list, or a key; what is typed counts as one. The seconds go from the first action to what the
visitor waited for. Prints a table, rounds side by side; asserts nothing.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from playwright.sync_api import Locator, Page, sync_playwright

from benchmarks.checks import VERDICT
from tests.support.browser import SIX, Visit, launch, visiting
from tests.support.server import Server

ROUNDS = 3


class Visitor:
    """Acts on the page, and counts."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.page: Page = visit.page
        self.actions = 0

    def press(self, place: Locator) -> None:
        self.actions += 1
        place.click()

    def fill(self, place: Locator, text: str) -> None:
        self.actions += 1
        place.fill(text)

    # The tasks, in the order of a first visit

    def six_maps(self) -> None:
        self.press(self.page.locator(".sample").first)
        self.visit.finished()

    def another_class(self) -> None:
        self.press(self.page.locator(".prediction").nth(1))
        self.page.locator("map-panel.is-stale").first.wait_for()
        self.visit.finished()
        self.page.wait_for_function("() => !document.querySelector('map-panel.is-stale')")

    def before_and_after(self) -> None:
        self.actions += 1
        self.page.keyboard.down("p")
        self.page.locator(".previous-mark:visible").nth(SIX - 1).wait_for()
        self.visit.wait_for_frame()
        self.page.keyboard.up("p")

    def another_model(self) -> None:
        self.press(self.page.get_by_role("button", name="Add a row"))
        form = self.page.get_by_role("dialog", name="Add a row")
        self.fill(form.get_by_role("combobox", name="Model of the new row"), "EfficientNet-Lite1")
        self.press(form.get_by_role("option", name="EfficientNet-Lite1").first)
        self.press(form.get_by_role("button", name="Add", exact=True))
        self.visit.finished(2 * SIX)

    def comparison(self) -> None:
        self.press(self.page.get_by_role("button", name="Compare", exact=True).first)
        self.page.locator("dialog .compare-says").filter(has_text="rank correlation").wait_for()
        self.page.keyboard.press("Escape")

    def figure_for_a_paper(self) -> None:
        with self.page.expect_download() as download:
            self.press(self.page.get_by_role("button", name="Export", exact=True))
            self.press(self.page.get_by_role("button", name="Grid, .svg"))
        download.value.path()
        self.page.keyboard.press("Escape")

    def first_verdict(self) -> None:
        self.press(self.page.locator(".maps .check-open"))
        self.press(self.page.locator(".checks-run"))
        self.page.locator(VERDICT).first.wait_for()


TASKS: dict[str, Callable[[Visitor], None]] = {
    "from the start page to six maps": Visitor.six_maps,
    "another class": Visitor.another_class,
    "the maps of before, and back": Visitor.before_and_after,
    "another model, beside the first": Visitor.another_model,
    "two maps compared": Visitor.comparison,
    "a figure for a paper (SVG)": Visitor.figure_for_a_paper,
    "the first verdict on a map": Visitor.first_verdict,
}


def measure(visitor: Visitor) -> dict[str, tuple[int, float]]:
    """Actions and seconds of each task."""
    found = {}
    visitor.visit.open()
    for title, task in TASKS.items():
        visitor.actions, begun = 0, time.monotonic()
        task(visitor)
        found[title] = visitor.actions, time.monotonic() - begun
        visitor.visit.wait_until_idle()
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = []
    count = options.parse_args().rounds
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for _ in range(count):
            with tempfile.TemporaryDirectory() as folder:
                server = Server(Path(folder) / "store")  # with an empty store: nothing is answered from there
                try:
                    warm_up = {"sample": "espresso", "method": "vanilla_gradient"}
                    httpx.post(f"{server.url}/api/v1/explanations", data=warm_up, timeout=300).raise_for_status()
                    with visiting(browser, server.url) as visit:
                        rounds.append(measure(Visitor(visit)))
                finally:
                    server.stop()
        browser.close()
    print("| task | actions | seconds, median | of each round |\n| --- | --- | --- | --- |")
    for title in TASKS:
        seconds = [found[title][1] for found in rounds]
        each = ", ".join(f"{value:.1f}" for value in seconds)
        print(f"| {title} | {rounds[0][title][0]} | {statistics.median(seconds):.1f} | {each} |")


if __name__ == "__main__":
    main()
