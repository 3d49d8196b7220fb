"""A visit to the page in a real browser: Chromium, one fresh context, and what it asked of the server."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Playwright, Request, Route

from tests.support.paths import SAMPLES
from tests.support.server import WAITING_SIDE

CAT = SAMPLES / "cat.jpg"
SIX = 6
LONG = 90_000  # timeout in milliseconds for what a slow machine computes
EXPLANATIONS = "**/api/v1/explanations"
FETCHES = 3  # tries of a request that is passed on: the server may just then close a connection that was idle
SPARE = 6  # contexts that are kept for later visits
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
# Collects in `heard` each text of a live region, which a screen reader says aloud.
HEARD = """
globalThis.heard = [];
new MutationObserver(records => {
  for (const { target } of records) {
    const line = (target.nodeType === 1 ? target : target.parentElement)?.closest('[role=status], [role=alert]');
    const text = line?.textContent.trim();
    if (text && text !== globalThis.heard.at(-1)) globalThis.heard.push(text);
  }
}).observe(document, { subtree: true, childList: true, characterData: true });
"""
BY_COLOUR = ("color-contrast", "link-in-text-block")  # axe's rules that look at colours
OPEN_OVER_PAGE = "dialog[open], [popover]:popover-open"
AXE = """async ([within, options]) => {
  const include = within === 'html' ? document : { include: [...document.querySelectorAll(within)] };
  if (include.include?.length === 0) throw new Error(`there is no ${within}`);
  const { violations } = await axe.run(include, options);
  return violations.map(({ id, impact, nodes }) =>
    ({ id, impact, nodes: nodes.map(({ html, failureSummary }) => ({ html, failureSummary })) }));
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
        self._fetching: set[Request] = set()
        context.on("request", self._count)
        context.on("requestfinished", self._arrived)
        context.on("requestfailed", self._arrived)

    def _count(self, request: Request) -> None:
        self.requests.append(request)
        if request.is_navigation_request():
            self._fetching.clear()  # what the page before was fetching is dropped
        elif request.method == "GET" and request.url.startswith("http"):
            self._fetching.add(request)

    def _arrived(self, request: Request) -> None:
        self._fetching.discard(request)

    def forget_storage(self) -> None:
        """Deletes what an earlier visitor of this context has stored."""
        session = self.context.new_cdp_session(self.page)
        session.send("Storage.clearDataForOrigin", {"origin": self.root, "storageTypes": STORAGES})
        session.detach()

    def leave(self) -> None:
        """Closes all pages; the context is as before the visit, but for the browser's cache."""
        for page in self.context.pages:
            page.close()
        self.context.remove_listener("request", self._count)
        for event in ("requestfinished", "requestfailed"):
            self.context.remove_listener(event, self._arrived)
        self.context.unroute_all()
        self.context.clear_cookies()
        self.context.clear_permissions()

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
    def posted(self) -> list[Request]:
        """All POST requests so far."""
        return [r for r in self.requests if r.method == "POST"]

    @property
    def asked(self) -> list[Request]:
        """The POST requests that had the server compute or fetch something. The page asks for estimates at any time."""
        return [r for r in self.posted if not r.url.endswith("/estimates")]

    @property
    def sent(self) -> dict[str, list[str]]:
        """The fields of the last request for an explanation."""
        return fields(next(r for r in reversed(self.asked) if r.url.endswith("/explanations")))

    @property
    def explanation_id(self) -> str:
        """The id of the explanation in the page's address."""
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

    def add_method(self, title: str) -> None:
        """Adds a method to the grid by its title."""
        self.page.get_by_role("button", name="Add a method").click()
        search = self.page.get_by_role("combobox", name="Add a method")
        search.fill(title)
        self.page.get_by_role("option", name=title).first.click()

    def finished(self, count: int = SIX) -> None:
        """Waits until the answer is complete and that many maps are drawn from their raw arrays.

        It uses CSS selectors, because Playwright's `get_by_role` computes the names of the whole page at each poll.
        """
        self.page.locator("button.export-button:visible").wait_for()
        self.page.locator("map-panel[data-status=done]:has(canvas.map:not([hidden]))").nth(count - 1).wait_for()
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Waits until nothing is being fetched, and two frames more: drawing waits for the next frame.

        Playwright's `networkidle` is true of a document for good once it was; what is fetched later is counted here.
        """
        self.page.wait_for_load_state("networkidle")
        deadline = time.monotonic() + LONG / 1000
        while True:
            self.wait_for_frame()
            if not self._fetching:
                return
            assert time.monotonic() < deadline, f"still being fetched: {[request.url for request in self._fetching]}"
            self.page.wait_for_timeout(20)

    def wait_for_frame(self) -> None:
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def wait_for(self, script: str, arg: Any = None) -> Any:
        """What an asynchronous function gives, once that is true: to `wait_for_function` a promise is true at once."""
        deadline = time.monotonic() + LONG / 1000
        while not (found := self.page.evaluate(script, arg)):
            assert time.monotonic() < deadline, f"not within {LONG} ms: {script}"
            self.page.wait_for_timeout(50)
        return found

    def pixels(self) -> list[dict[str, int]]:
        self.wait_for_frame()
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

    def axe(self, only: tuple[str, ...] = (), within: str = "html") -> list[str]:
        """What axe finds wrong with the page as it is, or with a part of it; `only` names the rules, by default all."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text("utf-8"))
        # By default axe does not check that targets are 24 px large (WCAG 2.5.8).
        options: dict[str, Any] = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
        if only:
            options = {"resultTypes": ["violations"], "runOnly": {"type": "rule", "values": only}}
        found = self.page.evaluate(AXE, [within, options])
        return [
            f"{v['id']} ({v['impact']}): {n['html'][:200]} {n['failureSummary']}" for v in found for n in v["nodes"][:3]
        ]

    def axe_in_both_themes(self, within: str = "html") -> list[str]:
        """All rules in the light theme. In the dark one only those about colours: the others would find the same."""
        self.page.emulate_media(color_scheme="light")
        found = self.axe(within=within)
        self.page.emulate_media(color_scheme="dark")
        self.repainted()
        found += [f"dark: {each}" for each in self.axe(BY_COLOUR, within)]
        self.page.emulate_media(color_scheme="light")
        self.repainted()
        return found

    def repainted(self) -> None:
        """Until colours that change over a moment have reached their end."""
        self.wait_for_frame()
        self.page.evaluate("() => Promise.allSettled(document.getAnimations().map(animation => animation.finished))")

    def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        return self.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")


V = TypeVar("V", bound=Visit)
# Contexts of earlier visits, by their options, for reuse: the page's files in their cache need not be fetched and
# compiled again. What a visitor leaves behind (storage, cookies, permissions, routes) is removed.
_free: WeakKeyDictionary[Browser, dict[str, BrowserContext]] = WeakKeyDictionary()
STORAGES = "local_storage,indexeddb,cache_storage,service_workers"


@contextmanager
def visiting(browser: Browser, root: str, kind: type[V] = Visit, *, first: bool = False, **options: Any) -> Iterator[V]:  # type: ignore[assignment]
    """A visit that must end without an error of the page and without a request to another host.

    `first`: nothing of an earlier visit is in the browser's cache. Storage and cookies are empty in any case.
    """
    options = {"viewport": {"width": 1440, "height": 900}, **options}
    free, key = _free.setdefault(browser, {}), repr(sorted(options.items()))
    context = browser.new_context(**options) if first or key not in free else free.pop(key)
    visit = None
    try:
        visit = kind(context, root)
        visit.forget_storage()
        yield visit
        assert not visit.complaints, visit.complaints
        assert not visit.foreign, visit.foreign
    finally:
        if visit is None or key in free:
            context.close()
        else:
            if len(free) == SPARE:
                free.pop(next(iter(free))).close()
            visit.leave()
            if permissions := options.get("permissions"):
                context.grant_permissions(permissions)
            free[key] = context


def module(path: str) -> str:
    """JavaScript that imports a module of static/js/: the instance that the page uses, so with the page's state."""
    return f"import(new URL('../{path}', document.querySelector('script[type=module]').src))"


def transferred(visit: Visit) -> list[int]:
    """The sizes of what the network carries from now on, as the browser counts them."""
    sizes: list[int] = []
    network = visit.context.new_cdp_session(visit.page)
    network.send("Network.enable")

    def count(event: dict[str, Any]) -> None:
        sizes.append(int(event["encodedDataLength"]))

    network.on("Network.loadingFinished", count)
    return sizes


def fingers(visit: Visit, place: Locator) -> Callable[..., None]:
    """A function that tells the page of touches on a place: their kind, and how far right of its middle each is."""
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    assert box
    session = visit.context.new_cdp_session(visit.page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def touch(kind: str, *across: float) -> None:
        points = [{"x": x + by, "y": y, "id": number} for number, by in enumerate(across)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    return touch


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


def slowly(route: Route, methods: tuple[str, ...] = (), **options: dict[str, Any]) -> None:
    """A route handler. It changes the input size to the one at which the quick stand-in (quick_model.py) waits in each
    pass, so that the answer takes long enough to be watched and cancelled.

    `methods` are added before those that the request names, `options` are the parameters of methods.
    """
    body = with_fields(route.request, size=str(WAITING_SIDE), options=json.dumps(options))
    for method in reversed(methods):
        body = with_fields(route.request, body, method=method)
    route.continue_(post_data=body)


def cheaply(route: Route) -> None:
    """A route handler: a request that names no method gets a cheap one."""
    named = b'name="method"' in (route.request.post_data_buffer or b"")
    route.continue_(post_data=None if named else with_fields(route.request, method="grad_cam"))


def new_picture() -> bytes:
    """The cat with a dot of a colour that no earlier test has sent, so that nothing comes from the store."""
    image = Image.open(CAT).convert("RGB")
    image.paste(tuple(random.randbytes(3)), (200, 100, 208, 108))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def events(*pairs: tuple[str, Any]) -> str:
    """The text of an event stream."""
    return "".join(f"event: {name}\r\ndata: {json.dumps(data)}\r\n\r\n" for name, data in pairs)
