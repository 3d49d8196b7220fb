"""The page renders each map of golden_rendering.json with the palette indices and colours that the file expects.

tests/images/test_golden_rendering.py checks the server with the same file.
"""

from __future__ import annotations

import base64
import json
import mimetypes
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from gradoscope.contract.arrays import reduce_channels
from gradoscope.images.palettes import MAGNITUDE_PALETTE, SIGNED_PALETTE
from gradoscope.images.render import is_signed, palette_indices, scale_of
from playwright.sync_api import Browser, Page, Route

from tests.support.paths import ROOT

STATIC = ROOT / "static"
CASES: list[dict[str, Any]] = json.loads((ROOT / "tests/images/golden_rendering.json").read_text("utf-8"))
JS = "/static/js/rendering"
MODULES = {name: f"{JS}/{name}.js" for name in ("colour", "reduction", "palettes")}

RENDER = """async ([cases, modules]) => {
  const { scaleOf, paletteIndex, paint } = await import(modules.colour);
  const { reduce } = await import(modules.reduction);
  const { loadPalettes } = await import(modules.palettes);
  const palettes = await loadPalettes();
  const bytes = text => Uint8Array.from(atob(text), character => character.charCodeAt(0)).buffer;
  return cases.map(({ shape, values, reduce: reduction, palette, percentile, overlay, picture }) => {
    const { kind, colours } = palettes[palette];
    const map = reduce({ shape, values: new Float32Array(bytes(values)) }, reduction);
    const scale = scaleOf(map, percentile, { kind });
    const canvas = new OffscreenCanvas(map.width, map.height);
    const context = canvas.getContext('2d');
    const image = context.createImageData(map.width, map.height);
    paint(map, scale, colours, new Uint32Array(image.data.buffer));
    const painted = new Uint8Array(image.data);
    if (picture) {
      const over = new OffscreenCanvas(map.width, map.height);
      over.getContext('2d').putImageData(image, 0, 0);
      picture.forEach((pixel, i) => image.data.set([...pixel, 255], 4 * i));
      context.putImageData(image, 0, 0);
      context.globalAlpha = overlay;
      context.drawImage(over, 0, 0);
    }
    const seen = picture ? context.getImageData(0, 0, map.width, map.height).data : painted;
    const indices = Uint8Array.from(map.values, value => paletteIndex(value, scale));
    return { indices: indices.toBase64(), seen: new Uint8Array(seen.buffer).toBase64() };
  });
}"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """An empty page that can import the modules, straight from their files: no server is needed."""

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix("http://page.test")
        if path == "/":
            route.fulfill(body="<!doctype html>", content_type="text/html")
        else:
            file = STATIC / path.removeprefix("/static/")
            route.fulfill(body=file.read_bytes(), content_type=mimetypes.guess_type(file.name)[0] or "text/plain")

    page = browser.new_page()
    page.route("http://page.test/**", answer)
    page.goto("http://page.test/")
    yield page
    page.close()


def rendered(page: Page, cases: list[dict[str, Any]]) -> list[dict[str, np.ndarray]]:
    """Arrays go to the page and back as bytes: number by number they would take a hundred times as long."""
    sent = [{**case, "values": base64.b64encode(np.array(case["values"], np.float32)).decode()} for case in cases]
    found = page.evaluate(RENDER, [sent, MODULES])
    return [{name: np.frombuffer(base64.b64decode(text), np.uint8) for name, text in each.items()} for each in found]


def test_the_page_renders_as_the_file_expects(page: Page) -> None:
    for case, found in zip(CASES, rendered(page, CASES), strict=True):
        name = case["name"], case["reduce"], case["palette"]
        assert found["indices"].tolist() == case["indices"], name
        seen = found["seen"].reshape(-1, 4)[:, :3].astype(int)
        step = 0 if case["overlay"] is None else 1  # a browser rounds when it draws one image over another
        assert np.abs(seen - np.array([list(bytes.fromhex(colour)) for colour in case["rgb"]])).max() <= step, name


@pytest.mark.parametrize("reduce", ["sum", "abs", "max"])
@pytest.mark.parametrize("percentile", [90, 97.5, 99, 99.9])
def test_page_and_server_agree_on_whole_maps(page: Page, reduce: Any, percentile: float) -> None:
    """All palette indices are equal, because both round in the same way."""
    values = np.random.default_rng(8).standard_t(3, (3, 112, 112)).astype(np.float32)
    map = reduce_channels(values, reduce)
    case = {"shape": values.shape, "values": values, "reduce": reduce, "percentile": percentile}
    (found,) = rendered(page, [{**case, "palette": "viridis"}])
    scale = scale_of(map, "viridis", percentile, signed=is_signed(reduce))
    assert np.array_equal(found["indices"], palette_indices(map, scale).ravel())


def test_page_and_server_have_the_same_default_palettes(page: Page) -> None:
    palettes = page.evaluate("async path => (await import(path)).DEFAULT.palettes", f"{JS}/settings.js")
    assert palettes == {"signed": SIGNED_PALETTE, "unsigned": MAGNITUDE_PALETTE}


# Counts the values that `paint` gives another palette index than `paletteIndex`.
PAINT = """async ([module, ends, symmetric]) => {
  const { paint, paletteIndex } = await import(module);
  const entries = Uint32Array.from({ length: 256 }, (_, i) => i);
  let wrong = 0;
  for (const end of ends) {
    const high = Math.fround(end);
    const scale = { low: symmetric ? -high : 0, high, flat: false, symmetric };
    const span = scale.high - scale.low;
    // halfway between two entries, and a few roundings to either side; and beyond both ends
    const values = Float32Array.from({ length: 260 * 9 }, (_, i) =>
      (scale.low + (Math.floor(i / 9) - 1.5) / 255 * span) * (1 + (i % 9 - 4) * 2 ** -24));
    const pixels = new Uint32Array(values.length);
    paint({ values }, scale, entries, pixels);
    values.forEach((value, i) => { wrong += pixels[i] !== paletteIndex(value, scale); });
  }
  return wrong;
}"""


@pytest.mark.parametrize("symmetric", [False, True])
def test_the_quick_paint_agrees_with_palette_index(page: Page, symmetric: bool) -> None:
    ends = [1.0, 1 / 3, 0.0123456, 255.0, 127.5, 3e-44, 1e-38, 1e-31, 1e-29, 1e30, 2e38, 3.4e38]
    assert page.evaluate(PAINT, [MODULES["colour"], ends, symmetric]) == 0
