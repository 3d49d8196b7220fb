"""On /methods each method without a figure of its own shows its map of the cat: what the method computes."""

from __future__ import annotations

import json
import re

import httpx
import numpy as np
import pytest
import torch
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.methods.base import find_method, methods
from gradoscope.attribution.score import Score
from gradoscope.images.decode import decode
from gradoscope.images.preprocess import preprocess
from gradoscope.images.render import colourise, scale_of
from gradoscope.images.samples import read_sample
from gradoscope.settings import Settings
from gradoscope.zoo.zoo import Zoo
from PIL import Image
from playwright.sync_api import Browser, expect

from tests.support.browser import LONG, visiting
from tests.support.paths import ROOT

expect.set_options(timeout=LONG)
FOLDERS = ROOT / "app" / "attribution" / "methods"
MORE = [id for id, method in methods().items() if not method.default]
FACTS = {id: json.loads((FOLDERS / id / "facts.json").read_text("utf-8")) for id in MORE}
SHOWN = [id for id in MORE if "run" in FACTS[id]]
REFUSED = [id for id in MORE if "refused" in FACTS[id]]
CHEAP = 120  # evaluations that a test may spend; what needs more is marked slow
SIDE = 224
# Guided integrated gradients move the values with the smallest gradients first, and where many are as good as equal,
# rounding decides which: 1e-6 more or less on the picture leaves a map with a correlation of 0.83 (on Lite0).
BY_CORRELATION = {"guided_integrated_gradients": 0.7}


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Zoo(Settings()).load("efficientnet_lite0").classifier


@pytest.fixture(scope="module")
def cat() -> torch.Tensor:
    spec = Zoo(Settings()).spec("efficientnet_lite0")
    return torch.from_numpy(preprocess(decode(read_sample("cat"), 24_000_000), spec.input).pixels)


def by_cost() -> list[object]:
    costs = {id: find_method(id).cost(find_method(id).Parameters(), (SIDE, SIDE)) for id in SHOWN}
    return [pytest.param(id, marks=[] if costs[id] <= CHEAP else [pytest.mark.slow]) for id in SHOWN]


@pytest.mark.parametrize("id", by_cost())
def test_the_map_is_what_the_method_computes(classifier: Classifier, cat: torch.Tensor, id: str) -> None:
    """Up to the rounding of another machine, and WebP: levels differ by far less than they vary over the map."""
    run = FACTS[id]["run"]
    attribution = find_method(id).run(Engine(classifier, Score(run["target"]["index"])), cat, 0)
    values = attribution.values.abs().sum(0).numpy()
    scale = scale_of(values, "inferno", signed=False)
    assert run["high"] == pytest.approx(scale.high, rel=0.02)
    shipped = np.asarray(Image.open(FOLDERS / id / "static" / "map.webp").convert("RGB"), np.float32)
    expected = np.asarray(colourise(values, "inferno", scale), np.float32)
    assert shipped.shape == expected.shape == (SIDE, SIDE, 3)
    luma = [picture @ np.array([0.299, 0.587, 0.114]) for picture in (shipped, expected)]
    if id in BY_CORRELATION:
        assert np.corrcoef(luma[0].ravel(), luma[1].ravel())[0, 1] > BY_CORRELATION[id]
    else:
        assert np.abs(luma[0] - luma[1]).mean() < max(2, 0.25 * luma[1].std())
    for count, key in (("gradients", "gradient_evaluations"), ("forwards", "forward_evaluations")):
        assert run[count] == attribution.diagnostics.get(key, 0)


def test_methods_without_a_map_refuse_the_model(classifier: Classifier, cat: torch.Tensor) -> None:
    assert [id for id in MORE if find_method(id).transformers_only] == REFUSED
    for id in REFUSED:
        assert not (FOLDERS / id / "static").exists()
        with pytest.raises(Refused):
            find_method(id).run(Engine(classifier, Score(282)), cat)


def test_files_are_small() -> None:
    sizes = [(FOLDERS / id / "static" / "map.webp").stat().st_size for id in SHOWN]
    assert max(sizes) < 40_000
    assert sum(sizes) < 600_000


@pytest.mark.parametrize(("language", "words"), [("en", "The map of"), ("zh", "的归因图")])
def test_each_has_its_map_and_its_caption(server_url: str, language: str, words: str) -> None:
    page = httpx.get(f"{server_url}/methods?lang={language}").text
    for id in MORE:
        (article,) = re.findall(rf'<article id="{id}".*?</article>', page, re.S)
        (caption,) = re.findall(r"<figcaption>(.*?)</figcaption>", article, re.S)
        assert "EfficientNet-Lite0" in caption
        images = re.findall(r"<img [^>]*>", article)
        if id in REFUSED:
            assert not images
            continue
        assert '<span lang="en">tiger cat</span>' in caption
        map, scale = images
        assert f"/plugins/methods/{id}/map.webp" in map
        assert words in map
        assert all('loading="lazy"' in image and "width=" in image and "height=" in image for image in (map, scale))
        assert httpx.get(server_url + re.findall(r'src="([^"]+)"', map)[0]).status_code == 200


def test_a_map_is_fetched_when_it_comes_near_and_moves_nothing(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url, first=True) as visit:
        visit.page.add_init_script(
            "globalThis.shifts = 0; new PerformanceObserver(list => list.getEntries().forEach(e => "
            "{ shifts += e.value; })).observe({ type: 'layout-shift', buffered: true });"
        )
        visit.page.goto(f"{visit.root}/methods")
        last = visit.page.locator(f"[data-example={SHOWN[-1]}] img").first
        visit.wait_until_idle()
        assert not any(f"{SHOWN[-1]}/map.webp" in request.url for request in visit.requests)
        last.scroll_into_view_if_needed()
        expect(last).to_have_js_property("complete", True)
        expect(last).to_have_js_property("naturalWidth", SIDE)
        assert visit.page.evaluate("() => shifts") < 0.05
        assert visit.overflow() <= 0
