"""The pictures of the page in README and docs, as the page is now: `python -m tools.make_screenshots`

On a server of its own with the shipped model: anybody gets the same maps. Each is written as docs/NAME.webp.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.checks import VERDICT
from tests.support.browser import SIX, Visit, launch, visiting
from tests.support.server import Server

DOCS = Path(__file__).resolve().parents[1] / "docs"
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LONG = 30 * 60 * 1000  # milliseconds
SETTLE = 700  # milliseconds, for what moves


def six_maps(visit: Visit) -> None:
    visit.page.locator("first-steps .icon-button").click()


def comparison(visit: Visit) -> None:
    visit.page.get_by_role("button", name="Compare", exact=True).first.click()
    dialog = visit.page.get_by_role("dialog", name="Two maps")
    dialog.get_by_label("Map A").select_option(index=1)
    dialog.get_by_label("Map B").select_option(index=4)
    dialog.locator(".compare-says").filter(has_text="rank correlation").wait_for()


def checks(visit: Visit) -> None:
    """The table while it is filled: half of the maps have a verdict."""
    visit.page.locator(".maps .check-open").click()
    visit.page.locator(".checks-run").click()
    visit.page.wait_for_function(
        "([verdict, count]) => [...document.querySelectorAll('.checks tbody tr')]"
        ".filter(row => row.querySelector(verdict)).length >= count",
        arg=[VERDICT, SIX // 2],
        timeout=LONG,
    )


def methods(page: Page, root: str) -> None:
    page.goto(f"{root}/methods#smooth_grad")
    page.locator("#smooth_grad").scroll_into_view_if_needed()


# name of the file → what is done with six maps, and the browser
SHOTS: dict[str, tuple[Callable[[Visit], None], dict[str, Any]]] = {
    "workbench": (six_maps, {**DESKTOP, "color_scheme": "light"}),
    "compare": (comparison, {**DESKTOP, "color_scheme": "light"}),
    "checks": (checks, {**DESKTOP, "color_scheme": "light"}),
    "phone": (six_maps, {**PHONE, "color_scheme": "dark", "locale": "zh-CN"}),
}


def take(browser: Browser, root: str, name: str, address: str) -> None:
    act, options = SHOTS[name]
    with visiting(browser, root, **options) as visit:
        visit.page.goto(address)
        visit.finished()
        act(visit)
        save(visit.page, name)


def save(page: Page, name: str) -> None:
    page.mouse.move(0, 0)
    page.wait_for_timeout(SETTLE)
    Image.open(io.BytesIO(page.screenshot())).save(DOCS / f"{name}.webp", quality=82, method=6)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("names", nargs="*", help=f"of {', '.join(SHOTS)}, methods; all without any")
    names = options.parse_args().names or [*SHOTS, "methods"]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder) / "store")
        browser = launch(playwright)
        try:
            with visiting(browser, server.url) as visit:
                visit.cat()
                address = visit.page.url
            for name in names:
                if name in SHOTS:
                    take(browser, server.url, name, address)
                else:
                    with visiting(browser, server.url, **DESKTOP, color_scheme="dark") as visit:
                        methods(visit.page, server.url)
                        save(visit.page, name)
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
