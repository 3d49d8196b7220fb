"""What leaves the page: panels, figures and archives as files, and that nothing else goes to any other host."""

from __future__ import annotations

import io
import json
import re
import zipfile
from urllib.parse import urlsplit
from xml.etree import ElementTree

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Route, expect

from tests.support.browser import LONG, cheaply, visiting
from tests.support.keeping import CHEAP, Keeping

expect.set_options(timeout=LONG)

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"


def picture(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


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
    layer = next(panel["diagnostics"]["layer"] for panel in keep.record()["panels"] if panel["method"] == "grad_cam")
    texts = [text.text or "" for text in svg.iter(f"{SVG}text")]
    words = " ".join(texts)
    for wanted in (
        "Why tiger cat and not espresso", "451 × 300", "EfficientNet-Lite0", "Score: logit", "seed 5",
        "percentile 95",
        "Vanilla gradient", "2013", "Grad-CAM", "2016", "Integrated gradients", "Steps 3, Baseline white",
        f"layer {layer}", f"/e/{keep.id}#reduce=sum&clip=95", "gradoscope", "torch",
    ):  # fmt: skip
        assert wanted in words, wanted
    assert re.search(r"sum \S+ % (off|too (high|low))", words)
    assert re.search(r"EfficientNet-Lite0: tiger cat \.\d+ · .+ \.\d+ · .+ \.\d+", words), "labels have commas"
    assert "map over picture" not in words, "the map hides the picture"
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


def test_a_figure_of_some_methods(keep: Keeping) -> None:
    """Unticked in the menu, a method is hidden in the grid and not in the figure; the last one stays."""
    keep.cheap()
    menu = keep.export()
    ticks = menu.get_by_role("group", name="Methods shown")
    expect(ticks.get_by_role("checkbox")).to_have_count(len(CHEAP))
    ticks.get_by_label("Vanilla gradient").uncheck()
    expect(keep.page.locator("map-panel")).to_have_count(len(CHEAP) - 1)
    expect(menu).to_be_visible()
    svg = keep.saved(menu.get_by_role("button", name="Grid, .svg").click)[1].decode()
    assert ">Grad-CAM</text>" in svg
    assert ">Vanilla gradient</text>" not in svg
    expect(ticks.get_by_role("checkbox", checked=True)).to_be_disabled()
    ticks.get_by_label("Vanilla gradient").check()
    expect(ticks.get_by_role("checkbox", disabled=True)).to_have_count(0)
    expect(keep.page.locator("map-panel", has_text="Vanilla gradient")).to_have_count(1)
    assert keep.axe_in_both_themes("export-menu") == []


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
    keep.copied("curl")
    keep.page.keyboard.press("Escape")
    details = keep.details("Grad-CAM")
    keep.saved(details.get_by_role("button", name="448 × 448").click)
    details.get_by_role("button", name="Full screen").click()
    keep.page.keyboard.press("Escape")
    expect(keep.page).not_to_have_url(re.compile("full="))
    keep.wait_until_idle()
    keep.page.reload()
    keep.finished(1)
    keep.cheap()
    keep.page.locator(".prediction").nth(1).click()
    expect(keep.page.locator("panel-grid .question")).to_have_text("Why Egyptian cat")
    keep.finished(2)
    keep.history().get_by_role("link").nth(2).click()
    keep.finished(1)
    keep.history().get_by_role("button", name="Forget this explanation").click()
    keep.page.get_by_role("button", name="Forget", exact=True).click()
    keep.page.wait_for_function("() => JSON.parse(localStorage['gradoscope.history']).entries.length === 2")
    keep.wait_until_idle()
    keep.page.goto(f"{keep.root}/docs")
    keep.page.locator(".swagger-ui .opblock").first.wait_for()
    assert blocked == []
    assert len(keep.requests) > 60


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
