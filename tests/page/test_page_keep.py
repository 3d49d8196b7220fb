"""What the page keeps and gives away: addresses, history, exports, requests to copy."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Route, expect

from tests.support.browser import CAT, LONG, Visit, cheaply, visiting

expect.set_options(timeout=LONG)

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
CHEAP = ["vanilla_gradient", "grad_cam"]
CLIPBOARD = ["clipboard-read", "clipboard-write"]


class Keeping(Visit):
    """A visit to two cheap maps of the cat."""

    id: str

    def cheap(self, fragment: str = "", **changes: Any) -> None:
        self.id = self.made(**changes)
        self.see(fragment)

    def made(self, **changes: Any) -> str:
        answer = httpx.post(
            f"{self.root}/api/v1/explanations", data={"sample": "cat", "method": CHEAP, **changes}, timeout=300
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]

    def see(self, fragment: str = "") -> None:
        self.page.goto("about:blank")
        self.page.goto(f"{self.root}/e/{self.id}{fragment}")
        self.finished(2)

    @property
    def bar(self) -> Locator:
        return self.page.locator(".maps reading-bar")

    @property
    def fragment(self) -> str:
        return urlsplit(self.page.url).fragment

    def reading(self) -> list[Any]:
        reduction = self.bar.get_by_role("radio", checked=True).get_attribute("value")
        sliders = [
            self.bar.get_by_label(name).and_(self.page.locator("input")).input_value() for name in ("Clip", "Opacity")
        ]
        return [reduction, self.bar.get_by_role("combobox").input_value(), *sliders]

    def export(self) -> Locator:
        menu = self.page.get_by_role("dialog", name="Export")
        if not menu.is_visible():
            self.page.get_by_role("button", name="Export", exact=True).click()
        return menu

    def details(self, method: str) -> Locator:
        menu = self.page.get_by_role("dialog", name=f"Details of {method}")
        if not menu.is_visible():
            self.page.get_by_role("button", name=f"Details of {method}").click()
        return menu

    def saved(self, press: Callable[[], None]) -> tuple[str, bytes]:
        with self.page.expect_download() as download:
            press()
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()

    def clipboard(self) -> str:
        return self.page.evaluate("() => navigator.clipboard.readText()")

    def record(self, id: str | None = None) -> dict[str, Any]:
        return httpx.get(f"{self.root}/api/v1/explanations/{id or self.id}").json()

    def history(self) -> Locator:
        self.page.get_by_role("button", name="History").click()
        return self.page.get_by_role("dialog", name="History")


def picture(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.fixture(scope="module")
def server_url(real_url: str) -> str:
    return real_url


@pytest.fixture
def keep(browser: Browser, server_url: str) -> Iterator[Keeping]:
    with visiting(browser, server_url, Keeping, permissions=CLIPBOARD) as visit:
        yield visit


# The address


def test_the_address_holds_the_reading_and_restores_it(keep: Keeping, browser: Browser) -> None:
    keep.cheap()
    assert keep.fragment == "", "a fresh view needs no words"
    entries = keep.page.evaluate("() => history.length")
    keep.bar.get_by_role("radio", name="Sum").check()
    for value in range(90, 97):
        keep.reading_control("Clip").fill(str(value))
    keep.reading_control("Opacity").fill("40")
    keep.bar.get_by_role("combobox").select_option("viridis")
    expect(keep.page).to_have_url(re.compile("#reduce=sum&signed-palette=viridis&clip=96&overlay=40$"))
    assert keep.page.evaluate("() => history.length") == entries, "reading is no step to go back from"
    seen, shown, address = keep.reading(), keep.pixels(), keep.page.url
    # Whoever gets the link, in a browser of their own, sees the same; nothing is computed for it.
    with visiting(browser, keep.root, Keeping) as other:
        other.page.goto(address)
        other.finished(2)
        assert (other.reading(), other.pixels(), other.page.url) == (seen, shown, address)
        assert other.asked == []
    keep.page.reload()
    keep.finished(2)
    assert (keep.reading(), keep.page.url) == (seen, address)


def test_back_and_forward_restore_each_view_without_asking(keep: Keeping) -> None:
    keep.cheap("#reduce=sum")
    keep.page.evaluate("() => { location.hash = '#reduce=max&clip=90'; }")
    expect(keep.bar.get_by_role("radio", name="Maximum")).to_be_checked()
    requests = len(keep.requests)
    keep.page.go_back()
    expect(keep.bar.get_by_role("radio", name="Sum")).to_be_checked()
    assert keep.reading()[2] == "99"
    keep.page.go_forward()
    expect(keep.bar.get_by_role("radio", name="Maximum")).to_be_checked()
    assert keep.reading()[2] == "90"
    keep.page.wait_for_timeout(500)
    assert keep.fragment == "reduce=max&clip=90"
    assert len(keep.requests) == requests


def test_what_an_address_says_wrongly_is_passed_over(keep: Keeping) -> None:
    keep.cheap("#reduce=sum&clip=900&signed-palette=nosuch&overlay=x&full=p99&frob=%E0%A4%A&=&reduce2")
    assert keep.reading() == ["sum", "blue_orange", "99", "100"]
    expect(keep.page.locator("dialog.viewer")).to_be_hidden()
    keep.reading_control("Clip").fill("97")
    expect(keep.page).to_have_url(re.compile("#reduce=sum&clip=97$"))


def test_the_map_that_is_open_is_in_the_address(keep: Keeping) -> None:
    keep.cheap()
    keep.details("Grad-CAM").get_by_role("button", name="Full screen").click()
    expect(keep.page).to_have_url(re.compile("#full=p2$"))
    keep.page.reload()
    expect(keep.page.get_by_role("dialog", name="Grad-CAM 2016")).to_be_visible()
    keep.page.keyboard.press("Escape")
    expect(keep.page).to_have_url(f"{keep.root}/e/{keep.id}")


def test_addresses_of_older_versions_are_brought_up(keep: Keeping) -> None:
    keep.open()
    pairs = keep.page.evaluate(
        """async () => {
          const { pairsOf } = await import('/static/js/url-state/address.js');
          const rename = (from, to) => ({ [from]: value, ...rest }) => ({ ...rest, [to]: value });
          const steps = [rename('old', 'middle'), rename('middle', 'new')];
          return ['#old=1&x=2', '#v=2&middle=1', '#v=3&new=1', '#v=nonsense&old=1'].map(hash => pairsOf(hash, steps));
        }"""
    )
    assert pairs == [{"x": "2", "new": "1"}, {"new": "1"}, {"new": "1"}, {"new": "1"}]


def test_copy_link(keep: Keeping) -> None:
    keep.cheap("#reduce=sum")
    keep.page.get_by_role("button", name="Copy link").click()
    expect(keep.page.get_by_role("status").filter(has_text="Link copied")).to_be_attached()
    assert keep.clipboard() == f"{keep.root}/e/{keep.id}#reduce=sum"


def test_without_a_clipboard_the_link_is_shown_to_be_copied(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url, Keeping) as keep:
        keep.page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        keep.cheap()
        keep.page.get_by_role("button", name="Copy link").click()
        field = keep.page.get_by_role("dialog", name="Copy by hand").get_by_role("textbox")
        expect(field).to_have_value(f"{server_url}/e/{keep.id}")
        assert field.evaluate("field => getSelection().toString()") == f"{server_url}/e/{keep.id}"
        keep.page.keyboard.press("Escape")
        expect(keep.page.get_by_role("button", name="Copy link")).to_be_focused()


# History


def test_history_lists_opens_and_tells_what_is_gone(keep: Keeping) -> None:
    keep.cheap()
    first = keep.id
    keep.cheap(target="285")
    keep.open()
    earlier = keep.page.locator("earlier-list a")
    expect(earlier).to_have_count(2)
    expect(earlier.first).to_contain_text(re.compile("Why Egyptian cat · EfficientNet-Lite0.*2 methods", re.S))
    thumbnail = earlier.first.locator("img").get_attribute("src")
    assert thumbnail
    assert thumbnail.startswith("data:image/jpeg")
    assert len(thumbnail) <= 8000
    earlier.nth(1).press("Enter")
    expect(keep.page).to_have_url(f"{keep.root}/e/{first}")
    keep.finished(2)

    httpx.delete(f"{keep.root}/api/v1/explanations/{keep.id}")
    sheet = keep.history()
    rows = sheet.get_by_role("listitem")
    expect(rows).to_have_count(2)
    expect(rows.nth(1).get_by_role("link")).to_have_attribute("aria-current", "page")
    rows.first.get_by_role("link").click()
    expect(rows.first).to_contain_text("The server has forgotten it")
    expect(rows.first.get_by_role("link")).to_be_focused()
    assert keep.page.url == f"{keep.root}/e/{first}", "what was on the page stays"
    rows.first.get_by_role("button").click()
    expect(rows).to_have_count(1)

    sheet.get_by_role("button", name="Clear all").click()
    expect(sheet).to_contain_text("The list is empty")
    sheet.get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(1)
    sheet.get_by_role("button", name="Clear all").click()
    keep.page.reload()
    keep.finished(2)
    expect(keep.history().get_by_role("listitem")).to_have_count(1)  # what is on the page is entered again


def test_history_keeps_fifty(keep: Keeping) -> None:
    keep.open()
    entry = {"time": 1, "name": "old", "models": ["m"], "methods": ["grad_cam"], "label": "x"}
    old = [{**entry, "id": f"{place:032x}"} for place in range(50)]
    keep.page.evaluate("text => localStorage.setItem('gradoscope.history', text)", json.dumps({"entries": old}))
    keep.cheap()
    rows = keep.history().get_by_role("listitem")
    expect(rows).to_have_count(50)
    expect(rows.first).to_contain_text("tiger cat")


@pytest.mark.parametrize("storage", ["throws", "full", "nonsense"])
def test_without_storage_all_else_works(keep: Keeping, storage: str) -> None:
    scripts = {
        "throws": "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no'); } })",
        "full": "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }",
        "nonsense": "location.host && localStorage.setItem('gradoscope.history', '{\"entries\": [3, null, {}')",
    }
    keep.page.add_init_script(scripts[storage])
    keep.cheap()
    sheet = keep.history()
    expect(sheet.get_by_role("listitem")).to_have_count(1)
    expect(sheet).to_contain_text("in this browser only" if storage == "nonsense" else "when you leave the page")


# Exports


def test_a_panel_as_shown_is_what_one_sees(keep: Keeping) -> None:
    keep.cheap("#reduce=sum&clip=95&overlay=40")
    menu = keep.details("Vanilla gradient")
    saved = {}
    for zoom in (1, 2, 3, 4):
        size = f"{224 * zoom} × {224 * zoom}"
        name, data = keep.saved(menu.get_by_role("button", name=f"PNG of {size}").click)
        suffix = f"-{zoom}x" if zoom > 1 else ""
        assert name == f"gradoscope-vanilla_gradient-tiger_cat-efficientnet_lite0{suffix}.png"
        saved[zoom] = picture(data)
        assert saved[zoom].shape == (224 * zoom, 224 * zoom, 3)
    for zoom, pixels in saved.items():
        assert np.array_equal(pixels, saved[1].repeat(zoom, 0).repeat(zoom, 1)), "each value is a square of its own"
    panel = keep.record()["panels"][0]
    query = {"colormap": "blue_orange", "reduce": "sum", "percentile": 95, "overlay": 0.4}
    served = picture(httpx.get(keep.root + panel["urls"]["png"], params=query).content)
    assert np.abs(saved[1].astype(int) - served).max() <= 3
    name, data = keep.saved(menu.get_by_role("link", name="Raw array, .npy").click)
    assert name == "gradoscope-vanilla_gradient-tiger_cat-efficientnet_lite0.npy"
    assert np.load(io.BytesIO(data)).shape == (3, 224, 224)


def test_the_grid_as_figure(keep: Keeping) -> None:
    keep.cheap(
        "#reduce=sum&clip=95", method=[*CHEAP, "integrated_gradients"],
        options=json.dumps({"integrated_gradients": {"steps": 3, "baseline": "white"}}), against="967", seed="5",
    )  # fmt: skip
    menu = keep.export()
    name, data = keep.saved(menu.get_by_role("button", name="Grid, .svg").click)
    assert name == f"gradoscope-tiger_cat-{keep.id[:8]}.svg"
    svg = ElementTree.fromstring(data)
    texts = [text.text or "" for text in svg.iter(f"{SVG}text")]
    words = " ".join(texts)
    for wanted in (
        "Why tiger cat and not espresso", "451 × 300", "EfficientNet-Lite0", "Score: logit", "seed 5",
        "percentile 95",
        "Vanilla gradient", "2013", "Grad-CAM", "2016", "Integrated gradients", "Steps 3, Baseline white", "layer bn2",
        f"/e/{keep.id}#reduce=sum&clip=95", "gradoscope", "torch",
    ):  # fmt: skip
        assert wanted in words, wanted
    assert re.search(r"sum \S+ % (off|too (high|low))", words)
    shown = keep.page.locator("map-panel .ticks span").all_inner_texts()
    assert [tick for tick in shown if tick] == [
        text for text in texts if re.fullmatch(r"(?!20\d\d)[≤≥ −.\d×⁰¹²³⁴-⁹⁻]+", text)
    ]
    images = [image.get(HREF) or "" for image in svg.iter(f"{SVG}image")]
    assert len(images) == 1 + 2 * 3, "the picture; a map and a palette for each panel"
    assert all(image.startswith("data:image/png;base64,") for image in images)
    assert sum(image.get("image-rendering") == "pixelated" for image in svg.iter(f"{SVG}image")) == 3
    linked = re.findall(r'(?:href|src)="(?!data:)([^"]*)', data.decode())
    assert linked == []

    width, height = int(svg.attrib["width"]), int(svg.attrib["height"])
    for zoom in (1, 4):
        name, data = keep.saved(menu.get_by_role("button", name=f"Grid as PNG at {zoom}×").click)
        assert name == f"gradoscope-tiger_cat-{keep.id[:8]}{'-4x' if zoom > 1 else ''}.png"
        figure = picture(data)
        assert figure.shape == (height * zoom, width * zoom, 3)
        assert figure[0, 0].tolist() == [255, 255, 255]
    # The first map stands in it pixel by pixel, as the panel's own file has it.
    place = next(image for image in svg.iter(f"{SVG}image") if image.get("image-rendering"))
    x, y = int(place.attrib["x"]), int(place.attrib["y"])
    expect(menu.get_by_role("status")).to_have_text(f"Saved as {name}")
    keep.page.keyboard.press("Escape")
    panel = keep.details("Vanilla gradient").get_by_role("button", name="896 × 896")
    expected = picture(keep.saved(panel.click)[1])
    assert np.array_equal(figure[4 * y : 4 * (y + 224), 4 * x : 4 * (x + 224)], expected)


def test_everything_as_zip(keep: Keeping) -> None:
    keep.cheap()
    keep.page.get_by_role("button", name="Export", exact=True).press("Enter")
    keep.page.keyboard.press("Tab")
    expect(keep.page.get_by_role("button", name="Grid as PNG at 1×")).to_be_focused()
    link = keep.export().get_by_role("link", name="All as ZIP")
    link.focus()
    name, data = keep.saved(lambda: link.press("Enter"))
    assert name == f"gradoscope-{keep.id[:8]}.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        assert "np.load" in archive.read("README.md").decode()
    assert {"explanation.json", "image.png"} < set(names)
    assert sum(name.endswith(".npy") for name in names) == 2


# The request that made it


def runs(code: str, language: str, folder: Path) -> str:
    command = ["bash", "-euc", code] if language == "curl" else [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{code}\n{done.stderr}"
    return done.stdout


def copied(keep: Keeping, language: str) -> str:
    menu = keep.export()
    menu.get_by_role("button", name=f"Copy as {language}").click()
    expect(menu.get_by_role("status")).to_contain_text("on the clipboard")
    return keep.clipboard()


def test_copied_requests_make_the_same_again(keep: Keeping, tmp_path: Path) -> None:
    options = {"grad_cam": {"relu": False}, "smooth_grad": {"samples": 2}}
    keep.cheap(
        method=["grad_cam", "smooth_grad"], target="285", against="967", seed="7", fit="pad", size="192",
        options=json.dumps(options),
    )  # fmt: skip
    made = keep.record()
    curl = copied(keep, "curl")
    assert f"-F from={keep.id}" in curl
    again = json.loads(runs(curl, "curl", tmp_path))
    same = ("method", "model", "target", "against", "parameters", "shape", "statistics")
    assert [[panel[key] for key in same] for panel in again["panels"]] == [
        [panel[key] for key in same] for panel in made["panels"]
    ]
    assert (again["seed"], again["score"]) == (7, "logit")
    assert again["inputs"][0]["size"] == [192, 192]
    assert again["inputs"][0]["fit"] == "pad"
    printed = runs(copied(keep, "Python"), "Python", tmp_path)
    assert re.search(r"^efficientnet_lite0 grad_cam Egyptian cat \(1, 192, 192\) ", printed, re.M)
    assert re.search(r"^efficientnet_lite0 smooth_grad Egyptian cat \(3, 192, 192\) ", printed, re.M)


def test_a_file_is_named_in_the_copied_request(keep: Keeping, tmp_path: Path) -> None:
    name = 'my cat\'s; "best", 2.jpg'
    (tmp_path / name).write_bytes(CAT.read_bytes())
    keep.open()
    keep.page.route("**/api/v1/explanations", cheaply)
    keep.page.locator("#file").set_input_files({"name": name, "mimeType": "image/jpeg", "buffer": CAT.read_bytes()})
    keep.finished(1)
    curl = copied(keep, "curl")
    assert json.loads(runs(curl, "curl", tmp_path))["panels"][0]["method"] == "grad_cam"
    assert "grad_cam tiger cat (1, 224, 224)" in runs(copied(keep, "Python"), "Python", tmp_path)
    keep.page.reload()
    keep.finished(1)
    assert "-F from=" in copied(keep, "curl"), "after a reload the server has the picture, the page has not"


# Nothing leaves


def test_no_other_host_is_ever_asked(keep: Keeping) -> None:
    """The whole flow with every request to another host blocked and counted: none is tried."""
    own, blocked = urlsplit(keep.root).netloc, []

    def guard(route: Route) -> None:
        if urlsplit(route.request.url).netloc == own:
            return cheaply(route) if route.request.method == "POST" else route.continue_()
        blocked.append(route.request.url)
        return route.abort()

    keep.context.route(lambda url: not url.startswith(("data:", "blob:")), guard)
    keep.open()
    keep.sample()
    keep.finished(1)
    keep.bar.get_by_role("radio", name="Sum").check()
    keep.reading_control("Opacity").fill("50")
    menu = keep.export()
    for label in ("Grid, .svg", "Grid as PNG at 2×"):
        keep.saved(menu.get_by_role("button", name=label).click)
    keep.saved(menu.get_by_role("link", name="All as ZIP").click)
    copied(keep, "curl")
    keep.page.keyboard.press("Escape")
    details = keep.details("Grad-CAM")
    keep.saved(details.get_by_role("button", name="448 × 448").click)
    details.get_by_role("button", name="Full screen").click()
    keep.page.keyboard.press("Escape")
    keep.page.reload()
    keep.finished(1)
    keep.cheap()
    keep.page.locator(".prediction").nth(1).click()
    expect(keep.page.locator("panel-grid .question")).to_have_text("Why Egyptian cat")
    keep.finished(2)
    keep.history().get_by_role("link").nth(2).click()
    keep.finished(1)
    keep.export().get_by_role("button", name="Forget this explanation").click()
    keep.page.get_by_role("button", name="Forget", exact=True).click()
    expect(keep.page.locator("earlier-list a")).to_have_count(2)
    keep.page.goto(f"{keep.root}/docs")
    keep.page.locator(".swagger-ui .opblock").first.wait_for()
    assert blocked == []
    assert len(keep.requests) > 100


# Small windows


def test_menus_and_sheet_fit_a_phone(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url, Keeping, viewport={"width": 360, "height": 640}, has_touch=True) as keep:
        keep.cheap()
        menu = keep.export()
        for place in (menu, *menu.locator("button, a").all()):
            box = place.bounding_box()
            assert box
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 360
            assert box["height"] >= 24
        keep.page.keyboard.press("Escape")
        expect(keep.page.get_by_role("button", name="Export", exact=True)).to_be_focused()
        sheet = keep.history()
        expect(sheet.get_by_role("listitem")).to_have_count(1)
        assert keep.overflow() <= 0
