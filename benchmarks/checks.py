"""How soon is there a verdict, and how long does everything take? `make bench-checks`

In a real browser, on a server of its own with the default model: six maps of a picture, then «Check all maps», pressed
as soon as it can be. Prints the seconds from that press until the first verdict (a finding for or against a map), until
each map has one, and until all is measured; and the cost that the page estimates before. Asserts nothing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.support.browser import SIX, Visit, launch, visiting
from tests.support.server import Server

VERDICT = ".check-cell:is([data-kind=support], [data-kind=doubt])"
LONG = 30 * 60 * 1000  # milliseconds


def since(begun: float) -> str:
    return f"{time.monotonic() - begun:6.1f} s"


def check_all(visit: Visit, whole: bool) -> None:
    page = visit.page
    visit.cat()
    opened = time.monotonic()
    page.locator(".maps .check-open").click()
    page.locator(".checks-run").wait_for()
    page.locator("dialog.checks tbody tr").nth(SIX - 1).wait_for()
    print(f"{since(opened)}  from «Check all maps» to the table")
    page.wait_for_function("() => /\\d/.test(document.querySelector('.checks-total').textContent)")
    print(f"{since(opened)}  to the passes: {page.locator('.checks-total').inner_text()}")
    begun = time.monotonic()
    page.locator(".checks-run").click()
    page.locator(VERDICT).first.wait_for()
    print(f"{since(begun)}  from the press that begins to the first verdict; {since(opened)} from the first press")
    for count in range(1, SIX + 1):
        page.wait_for_function(
            "([verdict, count]) => [...document.querySelectorAll('.checks tbody tr')]"
            ".filter(row => row.querySelector(verdict)).length >= count", arg=[VERDICT, count], timeout=LONG,
        )  # fmt: skip
        print(f"{since(begun)}  to a verdict on {count} of {SIX} maps; {page.locator('.checks-total').inner_text()}")
        if not whole and count == SIX:
            return
    finish(page, begun)


def finish(page: Page, begun: float) -> None:
    page.locator(".checks-run:not([hidden])").wait_for(state="hidden", timeout=LONG)
    print(f"{since(begun)}  to the last cell; {page.locator('.checks-total').inner_text()}")
    for row in page.locator("dialog.checks tbody tr").all():
        print("  ", " | ".join(text.replace("\n", " ") for text in row.locator("th, td").all_inner_texts()))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--whole", action="store_true", help="wait until all is measured (minutes)")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "store")
        try:
            with sync_playwright() as playwright:
                browser = launch(playwright)
                with visiting(browser, server.url) as visit:
                    check_all(visit, given.whole)
                browser.close()
        finally:
            server.stop()


if __name__ == "__main__":
    main()
