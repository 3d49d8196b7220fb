"""One rendering: server and page give each map of golden_rendering.json the same entries of the palette and colours."""

from __future__ import annotations

import importlib.util
import json
import mimetypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradoscope.contract.arrays import reduce_channels
from gradoscope.images.palettes import MAGNITUDES, SIGNED
from gradoscope.images.render import draw, is_signed, palette_indices, scale_of
from PIL import Image
from playwright.sync_api import Browser, Page, Route

pytest_plugins = ["browser_fixtures"]
ROOT = Path(__file__).parents[2]
STATIC = ROOT / "static"
GOLDEN = Path(__file__).with_name("golden_rendering.json")
CASES: list[dict[str, Any]] = json.loads(GOLDEN.read_text("utf-8"))
IDS = ["-".join((c["name"], c["reduce"], c["palette"], f"{c['overlay'] or ''}")).replace(" ", "_") for c in CASES]
COLOUR = "/static/js/reading.js"  # the page's module with the rule
REDUCTION = "/static/js/reading.js"
SETTINGS = "/static/js/reading.js"

RENDER = """async ([cases, modules]) => {
  const { scaleOf, paletteIndex, paint } = await import(modules.colour);
  const { reduce } = await import(modules.reduction);
  const { loadPalettes } = await import('/static/js/palettes.js');
  const palettes = await loadPalettes();
  return cases.map(({ shape, values, reduce: reduction, palette, percentile, overlay, picture }) => {
    const { kind, colours } = palettes[palette];
    const map = reduce({ shape, values: Float32Array.from(values) }, reduction);
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
    return { indices: [...map.values].map(value => paletteIndex(value, scale)), seen: [...seen] };
  });
}"""


def array_of(case: dict[str, Any]) -> np.ndarray:
    return np.asarray(case["values"], np.float32).reshape(case["shape"])


def colours_of(case: dict[str, Any]) -> np.ndarray:
    return np.array([list(bytes.fromhex(colour)) for colour in case["rgb"]])


def test_the_file_is_what_the_reference_makes() -> None:
    spec = importlib.util.spec_from_file_location("make_golden_rendering", ROOT / "tools/make_golden_rendering.py")
    assert spec is not None
    assert spec.loader is not None
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    assert reference.text() == GOLDEN.read_text("utf-8"), "run tools/make_golden_rendering.py"


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_server_renders_by_the_rule(case: dict[str, Any]) -> None:
    values, signed = reduce_channels(array_of(case), case["reduce"]), is_signed(case["reduce"])
    scale = scale_of(values, case["palette"], case["percentile"], signed=signed)
    with np.errstate(all="raise", under="ignore"):
        assert palette_indices(values, scale).ravel().tolist() == case["indices"]
    under = None
    if case["overlay"] is not None:
        picture = np.asarray(case["picture"], np.uint8).reshape(*values.shape, 3)
        under = Image.fromarray(picture)
    drawn = draw(values, case["palette"], case["percentile"], under, case["overlay"] or 0.0, signed=signed)
    assert np.array_equal(np.asarray(drawn).reshape(-1, 3), colours_of(case))


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """A page that has the modules, from their files: no server is needed."""

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


def rendered(page: Page, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(RENDER, [cases, {"colour": COLOUR, "reduction": REDUCTION}])
    return found


def test_the_page_renders_by_the_rule(page: Page) -> None:
    for case, name, found in zip(CASES, IDS, rendered(page, CASES), strict=True):
        assert found["indices"] == case["indices"], name
        seen = np.array(found["seen"]).reshape(-1, 4)[:, :3]
        step = 0 if case["overlay"] is None else 1  # a browser rounds what it lays over each other
        assert np.abs(seen - colours_of(case)).max() <= step, name


@pytest.mark.parametrize("reduce", ["sum", "abs", "max"])
@pytest.mark.parametrize("percentile", [90, 97.5, 99, 99.9])
def test_page_and_server_agree_on_whole_maps(page: Page, reduce: Any, percentile: float) -> None:
    """In each of 3 × 112 × 112 numbers, for rounding, too, is the same."""
    values = np.random.default_rng(8).standard_t(3, (3, 112, 112)).astype(np.float32)
    map = reduce_channels(values, reduce)
    case = {"shape": values.shape, "values": values.ravel().tolist(), "reduce": reduce, "percentile": percentile}
    (found,) = rendered(page, [{**case, "palette": "viridis"}])
    scale = scale_of(map, "viridis", percentile, signed=is_signed(reduce))
    assert found["indices"] == palette_indices(map, scale).ravel().tolist()


def test_page_and_server_have_the_same_palettes_unless_one_is_named(page: Page) -> None:
    palettes = page.evaluate("async path => (await import(path)).DEFAULT.palettes", SETTINGS)
    assert palettes == {"signed": SIGNED, "unsigned": MAGNITUDES}
