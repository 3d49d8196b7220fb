"""How soon a link to an explanation shows names and maps on a slow connection. `make bench-slow-link`

In a real browser that has never been there, on a server of its own with the shipped model, through «Fast 3G» as
Chromium's developer tools have it (562 ms, 1.44 Mbit/s down). Prints the seconds from the request of the page until its
names stand there, until something of all six maps is seen, and until all have their arrays; asserts nothing.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.support.browser import SIX, launch, transferred, visiting
from tests.support.server import Server

FAST_3G = {"latency": 562.5, "downloadThroughput": 180_000, "uploadThroughput": 84_375}  # ms, bytes a second
SEEN = f"""() => {{
    const panels = [...document.querySelectorAll('map-panel')];
    return panels.length === {SIX} && panels.every(
        (panel) => panel.querySelector('.has-map') || panel.querySelector('img.preview-map')?.naturalWidth);
}}"""
ROUNDS = 3


def measure(browser: Browser, url: str, path: str) -> tuple[list[float], int, int]:
    """Seconds to names, maps seen and arrays; how many requests, and how many bytes."""
    with visiting(browser, url, first=True) as visit:
        network = visit.context.new_cdp_session(visit.page)
        network.send("Network.enable")
        network.send("Network.emulateNetworkConditions", {"offline": False, **FAST_3G})
        sizes = transferred(visit)
        begun, seconds = time.monotonic(), []
        visit.page.goto(url + path, wait_until="commit")
        visit.page.locator("map-panel .panel-title").nth(SIX - 1).wait_for()
        seconds.append(time.monotonic() - begun)
        visit.page.wait_for_function(SEEN)
        seconds.append(time.monotonic() - begun)
        visit.finished()
        seconds.append(time.monotonic() - begun)
        return seconds, len(visit.requests), sum(sizes)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    count = options.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server, browser = Server(Path(folder) / "store"), launch(playwright)
        try:
            with visiting(browser, server.url) as visit:
                visit.cat()
                path = f"/e/{visit.explanation_id}"
            rounds = [measure(browser, server.url, path) for _ in range(count)]
        finally:
            server.stop()
            browser.close()
    print("| on Fast 3G | seconds, median | of each round |\n| --- | --- | --- |")
    for place, title in enumerate(("names of the maps", "all six maps seen", "all arrays")):
        found = [seconds[place] for seconds, _, _ in rounds]
        print(f"| {title} | {statistics.median(found):.1f} | {', '.join(f'{value:.1f}' for value in found)} |")
    _, requests, size = rounds[-1]
    print(f"\n{requests} requests, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
