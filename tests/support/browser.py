"""A visit to the page in a real browser: Chromium, one fresh context, and what it asked of the server."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, TypeVar
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Locator, Page, Playwright, Request, Route

from tests.support.paths import SAMPLES

CAT = SAMPLES / "cat.jpg"
SIX = 6
LONG = 90_000  # milliseconds until something computed on a slow machine is given up
EXPLANATIONS = "**/api/v1/explanations"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# How many colours a canvas shows, and a checksum of its pixels.
PIXELS = """canvas => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  const words = new Uint32Array(data.buffer);
  let sum = 0;
  for (const word of words) sum = (Math.imul(sum, 31) + word) | 0;
  return { colours: new Set(words).size, sum, width: canvas.width };
}"""
TRANSFER = """([name, type, base64]) => {
  const bytes = Uint8Array.from(atob(base64), character => character.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  return transfer;
}"""


def launch(playwright: Playwright) -> Browser:
    """The system's Chromium where there is one, else Playwright's own.

    The headless shell is the same engine without the browser around it: a visit costs a third less processor time.
    """
    names = ("chromium-headless-shell", "chromium", "chromium-browser")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    return playwright.chromium.launch(executable_path=path, args=FLAGS)


class Visit:
    """A page, with everything that it logged, threw and requested."""

    def __init__(self, context: BrowserContext, root: str) -> None:
        self.root = root.rstrip("/")
        self.context = context
        self.page: Page = context.new_page()
        self.page.set_default_timeout(LONG)
        self.console: list[str] = []
        self.thrown: list[str] = []
        self.requests: list[Request] = []
        self.page.on("console", lambda message: self._log(message.type, message.text))
        self.page.on("pageerror", lambda error: self.thrown.append(str(error)))
        context.on("request", lambda request: self.requests.append(request))

    def _log(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.console.append(text)

    @property
    def complaints(self) -> list[str]:
        """Errors of the page. A refusal by the server is not one: the browser logs those itself."""
        return self.thrown + [text for text in self.console if not text.startswith("Failed to load resource")]

    @property
    def foreign(self) -> list[str]:
        """Requests to any other host."""
        own = urlsplit(self.root).netloc
        return [
            r.url for r in self.requests if not r.url.startswith(("blob:", "data:")) and urlsplit(r.url).netloc != own
        ]

    @property
    def asked(self) -> list[Request]:
        return [r for r in self.requests if r.method == "POST"]

    @property
    def named(self) -> str:
        """Of the explanation that the address names."""
        return urlsplit(self.page.url).path.rsplit("/", 1)[1]

    def open(self, path: str = "/") -> None:
        self.page.goto(self.root + path)
        self.page.locator(".sample, map-panel").first.wait_for()

    def sample(self, place: int = 0) -> None:
        self.page.locator(".sample").nth(place).click()

    def cat(self) -> None:
        """From the start page to six finished maps."""
        self.open()
        self.sample()
        self.finished()

    def finished(self, count: int = SIX) -> None:
        """Waits until that many maps are done and drawn from their raw arrays."""
        self.page.get_by_role("button", name="Export", exact=True).wait_for()
        for place in range(count):
            panel = self.page.locator("map-panel").nth(place)
            panel.and_(self.page.locator("[data-status=done]")).wait_for()
            panel.locator("canvas.map").wait_for()
        self.settled()

    def settled(self) -> None:
        """Until nothing is being fetched, and two frames after that: drawing waits for the next frame."""
        self.page.wait_for_load_state("networkidle")
        self.frame()

    def frame(self) -> None:
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def pixels(self) -> list[dict[str, int]]:
        self.frame()
        return [canvas.evaluate(PIXELS) for canvas in self.maps.all()]

    def reading_control(self, name: str) -> Locator:
        """A control of the tool bar by its label, unfolded where it is behind «More»."""
        bar = self.page.locator(".maps .instruments")
        control = bar.get_by_label(name).and_(bar.locator("input, select"))
        if not control.is_visible():
            bar.locator(".more-reading").click()
        return control

    @property
    def maps(self) -> Locator:
        return self.page.locator("map-panel canvas.map")

    @property
    def options(self) -> Locator:
        """What the open class search offers."""
        return self.page.locator("[role=option]:visible")

    @property
    def notice(self) -> Locator:
        return self.page.locator(".notice:visible")

    def transfer(self, name: str, kind: str, data: bytes) -> Any:
        """A DataTransfer in the page that holds one file."""
        return self.page.evaluate_handle(TRANSFER, [name, kind, base64.b64encode(data).decode()])

    def axe(self, only: tuple[str, ...] = ()) -> list[str]:
        """What axe finds wrong with the page as it is now; `only` names the rules, by default all."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text("utf-8"))
        # Targets of 24 px (WCAG 2.5.8) are no rule of axe's own choice.
        options: dict[str, Any] = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
        if only:
            options = {"resultTypes": ["violations"], "runOnly": {"type": "rule", "values": only}}
        found = self.page.evaluate("options => axe.run(options)", options)["violations"]
        return [
            f"{v['id']} ({v['impact']}): {n['html'][:200]} {n['failureSummary']}" for v in found for n in v["nodes"][:3]
        ]

    def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        return self.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")


V = TypeVar("V", bound=Visit)


@contextmanager
def visiting(browser: Browser, root: str, kind: type[V] = Visit, **options: Any) -> Iterator[V]:  # type: ignore[assignment]
    """A visit that must end without an error of the page and without a request to another host."""
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
    try:
        visit = kind(context, root)
        yield visit
        assert visit.complaints == []
        assert visit.foreign == []
    finally:
        context.close()


def transferred(visit: Visit) -> list[int]:
    """The sizes of what the network carries from now on, as the browser counts them."""
    sizes: list[int] = []
    network = visit.context.new_cdp_session(visit.page)
    network.send("Network.enable")

    def count(event: dict[str, Any]) -> None:
        sizes.append(int(event["encodedDataLength"]))

    network.on("Network.loadingFinished", count)
    return sizes


def fields(request: Request) -> dict[str, list[str]]:
    """The text fields of a multipart request."""
    body = request.post_data_buffer or b""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(rb'name="([^"]+)"\r\n\r\n(.*?)\r\n--', body, re.S):
        found.setdefault(name.decode(), []).append(value.decode())
    return found


def with_fields(request: Request, body: bytes | None = None, **more: str) -> bytes:
    """The body of a multipart request, or `body`, with more fields before its own."""
    boundary = request.headers["content-type"].split("boundary=")[1]
    part = '--{}\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    parts = "".join(part.format(boundary, name, value) for name, value in more.items())
    return parts.encode() + ((request.post_data_buffer or b"") if body is None else body)


def cheaply(route: Route) -> None:
    """Lets a request that names no method ask for a cheap one."""
    named = b'name="method"' in (route.request.post_data_buffer or b"")
    route.continue_(post_data=None if named else with_fields(route.request, method="grad_cam"))


def events(*pairs: tuple[str, Any]) -> str:
    """The text of an event stream."""
    return "".join(f"event: {name}\r\ndata: {json.dumps(data)}\r\n\r\n" for name, data in pairs)
