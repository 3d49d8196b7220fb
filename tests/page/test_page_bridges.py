"""From the workbench to the lab with a network's own numbers: links, settings, and where they come from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from gradoscope.lab.arguments import checked_parameters
from gradoscope.lab.registry import experiments
from playwright.sync_api import Browser, Locator, expect

from tests.support.browser import LONG, Visit, visiting

expect.set_options(timeout=LONG)
PHONE: Any = {"width": 390, "height": 844}
LINKS = {
    "depth": "gradient over depth",
    "saturation": "a saturated unit",
    "pooling": "this pooling, number by number",
}


@pytest.fixture(scope="module")
def server_url(real_url: str) -> str:
    return real_url


@pytest.fixture(scope="module")
def record(server_url: str) -> Any:
    data = {"sample": "cat", "method": "vanilla_gradient", "target": "282"}
    return httpx.post(f"{server_url}/api/v1/explanations", data=data, timeout=300).json()


@pytest.fixture(scope="module")
def flow(server_url: str, record: Any) -> Any:
    data = {"from": record["id"], "target": 282}
    return httpx.post(f"{server_url}/api/v1/gradient-flows", data=data, timeout=300).json()


@pytest.fixture(scope="module")
def opened(browser: Browser, server_url: str) -> Iterator[Visit]:
    with visiting(browser, server_url) as visit:
        visit.page.goto(f"{visit.root}/methods")
        yield visit


def run(visit: Visit, module: str, body: str, *values: Any) -> Any:
    script = f"async values => {{ const m = await import('/static/js/{module}.js'); return {body}; }}"
    return visit.page.evaluate(script, list(values))


def query_of(link: Locator) -> tuple[str, dict[str, str]]:
    """The path and the query of a link."""
    address = urlsplit(str(link.get_attribute("href")))
    return address.path, {name: value[0] for name, value in parse_qs(address.query, strict_parsing=True).items()}


def layer_at(visit: Visit, record: Any, place: int) -> Locator:
    """The details of a layer in the gradient flow's dialog."""
    visit.page.goto(f"{visit.root}/e/{record['id']}#flow=efficientnet_lite0/top")
    dialog = visit.page.get_by_role("dialog", name="Gradient flow")
    dialog.locator("flow-figure svg").wait_for()
    dialog.get_by_role("slider", name="Layer").fill(str(place))
    return dialog.locator("flow-layer-details")


def place_of(flow: Any, wanted: Any) -> int:
    return next(place for place, layer in enumerate(flow["layers"]) if wanted(layer))


# What is read off a network


def layer(operation: str, into: list[int], **more: Any) -> dict[str, Any]:
    return {"operation": operation, "into": into, "shape": [8, 4, 4], "norm": 1.0, "dead": None, "saturated": None,
            "pooling": None, "sum": False, **more}  # fmt: skip


def test_depth_is_counted_along_the_longest_way_and_past_gates(opened: Visit) -> None:
    average = {"how": "average", "received": 1, "map": None, "excerpt": None}
    layers = [
        layer("picture", [1]), layer("conv", [2], norm=4.0), layer("silu", [3, 8], sum=True),
        layer("avg_pool", [4], pooling=average), layer("conv", [5]), layer("relu", [6]), layer("conv", [7]),
        layer("sigmoid", [8]), layer("conv", [9], shape=[300, 4, 4], norm=2.0), layer("batch_norm", [10]),
        layer("avg_pool", [11], pooling=average), layer("linear", [], shape=[10], norm=1.0),
    ]  # fmt: skip
    assert run(opened, "flow/lab-settings", "m.wayThrough(...values)", layers, 8) == [0, 1, 2, 8, 9, 10, 11]
    found = run(opened, "flow/lab-settings", "m.depthSettings(...values)", layers, 8)
    assert found["parameters"] == {"depth": 3, "width": 256, "activation": "gelu", "normalisation": "batch",
                                   "residual": True, "measured": [4, 2, 1]}  # fmt: skip
    assert found["near"] == ["width", "activation"]
    # of a layer in the gate, the way through it
    inside = run(opened, "flow/lab-settings", "m.depthSettings(...values)", layers, 4)
    assert inside["parameters"]["depth"] == 5
    layers[1]["norm"] = None  # not finite
    assert "measured" not in run(opened, "flow/lab-settings", "m.depthSettings(...values)", layers, 8)["parameters"]


def test_what_is_not_known_is_left_at_its_default(opened: Visit) -> None:
    layers = [layer("picture", [1]), layer("conv", [2]), layer("cos", [])]
    found = run(opened, "flow/lab-settings", "m.depthSettings(...values)", layers, 2)
    assert found == {"parameters": {"depth": 1, "width": 8}, "near": []}


def test_poolings_are_named_as_the_lab_names_them(opened: Visit) -> None:
    def settings(how: str, rows: int, columns: int, **windows: Any) -> Any:
        excerpt = {"values": [[1.0] * columns] * rows, "stride": 2, "padding": 1, **windows}
        return run(opened, "flow/lab-settings", "m.poolingSettings(...values)",
                   layer("pool", [], pooling={"how": how, "excerpt": excerpt}))  # fmt: skip

    assert settings("maximum", 2, 3, kernel=3) == {
        **{"kind": "max", "kernel": 3, "stride": 2, "padding": 1, "input": [[1, 1, 1], [1, 1, 1]]}
    }
    assert settings("average", 1, 1, kernel=2)["kind"] == "average"
    assert settings("average", 1, 2, kernel=None) == {"kind": "global", "input": [[1, 1]]}
    assert settings("maximum", 2, 2, kernel=None) == {"kind": "max", "kernel": 2, "stride": 2, "input": [[1, 1]] * 2}
    assert settings("maximum", 1, 2, kernel=None) is None


@pytest.mark.parametrize(
    "text",
    ["", "layer", "layer|m|p|i|t|s|x|y", "else|m|p|i|t||", "layer||p|i|t||", "layer|m|<b>|i|t||", "layer|m|p|../x|t||",
     f"layer|m|{'p' * 121}|i|t||"],
)  # fmt: skip
def test_an_origin_that_cannot_be_right_is_none(opened: Visit, text: str) -> None:
    assert run(opened, "shared/lab-link", "m.originOf(...values)", text) is None


def test_an_origin_is_read_as_it_was_written(opened: Visit) -> None:
    origin = {"kind": "layer", "model": "timm:vit_tiny", "place": "blocks.2.mlp:gelu, 2", "explanation": "a-b_9",
              "target": "282", "said": "27 %", "changed": False}  # fmt: skip
    origin["place"] = "blocks.2.mlp:gelu"
    read = run(opened, "shared/lab-link", "m.originOf(m.originText(...values))", origin)
    assert read == origin


# The way from a layer to an experiment


def test_a_layer_leads_to_depth_with_its_numbers_and_its_norms(
    browser: Browser, server_url: str, record: Any, flow: Any
) -> None:
    place = place_of(flow, lambda each: each["operation"] == "conv" and each["name"].startswith("blocks.2"))
    with visiting(browser, server_url) as visit:
        details = layer_at(visit, record, place)
        link = details.get_by_role("link", name=LINKS["depth"])
        path, query = query_of(link)
        assert path == "/lab/depth"
        norms = json.loads(query["measured"])
        known = [each["norm"] for each in flow["layers"] if each["operation"] in ("conv", "linear")]
        assert all(any(norm == pytest.approx(one, rel=1e-3) for one in known) for norm in norms)
        assert int(query["depth"]) == min(50, len(norms))
        assert (query["normalisation"], query["activation"], query["residual"]) == ("batch", "relu", "true")
        assert int(query["width"]) == min(256, flow["layers"][place]["shape"][0])
        assert visit.axe(within="dialog[open]") == []
        with visit.page.context.expect_page() as opening:
            link.click()
        lab = opening.value
        expect(lab.locator(".results[aria-busy=false]")).to_be_visible()
        note = lab.locator("[data-origin]")
        expect(note).to_contain_text(flow["layers"][place]["name"])
        expect(note).to_contain_text("efficientnet_lite0")
        expect(
            lab.locator("[data-figure=backward] .s3.points circle, [data-figure=backward] .points .dot")
        ).to_have_count(len(norms))
        expect(lab.locator("[data-findings]")).to_contain_text("The measured network behaves like these")
        expect(note).not_to_contain_text("changed since")
        lab.locator("[data-control=depth] input[type=range]").press("ArrowLeft")
        expect(note).to_contain_text("changed since")
        assert "changed" in lab.url
        lab.go_back()
        expect(note).not_to_contain_text("changed since")
        note.get_by_role("link", name="Back to the maps").click()
        expect(lab.get_by_role("dialog", name="Gradient flow")).to_be_visible()
        lab.close()


def test_an_activation_leads_to_saturation_with_its_share(
    browser: Browser, server_url: str, record: Any, flow: Any
) -> None:
    place = place_of(flow, lambda each: each["dead"] is not None)
    with visiting(browser, server_url, viewport=PHONE) as visit:
        details = layer_at(visit, record, place)
        path, query = query_of(details.get_by_role("link", name=LINKS["saturation"]))
        assert (path, query["activation"]) == ("/lab/saturation", "relu")
        assert visit.overflow() <= 0
        visit.page.goto(visit.root + str(details.get_by_role("link", name=LINKS["saturation"]).get_attribute("href")))
        expect(visit.page.locator(".results[aria-busy=false]")).to_be_visible()
        expect(visit.page.locator("[data-origin]")).to_contain_text("are dead or saturated for this picture")
        assert visit.axe_in_both_themes() == []
        assert visit.overflow() <= 0


def test_the_picture_leads_nowhere_and_a_layer_without_activation_not_to_saturation(
    browser: Browser, server_url: str, record: Any, flow: Any
) -> None:
    with visiting(browser, server_url) as visit:
        details = layer_at(visit, record, 0)
        expect(details.get_by_role("link")).to_have_count(0)
        conv = place_of(flow, lambda each: each["operation"] == "conv")
        visit.page.get_by_role("slider", name="Layer").fill(str(conv))
        expect(details.get_by_role("link")).to_have_count(1)


def test_a_pooling_leads_to_its_experiment_with_its_real_feature_map(
    browser: Browser, server_url: str, record: Any, flow: Any
) -> None:
    place = place_of(flow, lambda each: each["pooling"] is not None)
    with visiting(browser, server_url) as visit:
        details = layer_at(visit, record, place)
        path, query = query_of(details.get_by_role("link", name=LINKS["pooling"]))
        assert (path, query["kind"]) == ("/lab/pooling", "global")
        grid = json.loads(query["input"])
        assert grid == flow["layers"][place]["pooling"]["excerpt"]["values"]
        assert any(value != grid[0][0] for row in grid for value in row)
        checked_parameters(experiments()["pooling"], {"kind": "global", "input": grid})
        visit.page.goto(visit.root + str(details.get_by_role("link", name=LINKS["pooling"]).get_attribute("href")))
        expect(visit.page.locator(".results[aria-busy=false]")).to_be_visible()
        expect(visit.page.locator("[data-problem]")).to_be_hidden()
        expect(visit.page.locator("[data-origin]")).to_contain_text("value times gradient is largest")
        expect(visit.page.locator("[data-figure] .matrix input").first).to_have_attribute(
            "aria-valuenow", str(grid[0][0])
        )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_note_is_there_in_both_languages(browser: Browser, server_url: str, language: str) -> None:
    origin = "layer|efficientnet_lite0|blocks.2.0|abc|282|width activation|"
    with visiting(browser, server_url) as visit:
        visit.page.goto(f"{visit.root}/lab/depth?lang={language}&depth=5&measured=[3,2,1]&from={origin}")
        expect(visit.page.locator(".results[aria-busy=false]")).to_be_visible()
        note = visit.page.locator("[data-origin]")
        expect(note).to_contain_text("blocks.2.0")
        expect(note).to_contain_text("Width, Activation" if language == "en" else "宽度")
        assert visit.axe_in_both_themes() == []


def test_without_an_origin_nothing_is_said(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url) as visit:
        visit.page.goto(f"{visit.root}/lab/depth?from=layer|m|<img src=x>|i|t||")
        expect(visit.page.locator(".results[aria-busy=false]")).to_be_visible()
        expect(visit.page.locator("[data-origin]")).to_be_hidden()


# The way from a check


def test_the_gradient_check_leads_to_the_labs(browser: Browser, server_url: str, record: Any) -> None:
    with visiting(browser, server_url) as visit:
        visit.page.goto(f"{visit.root}/trust")
        link = visit.page.get_by_role("link", name="The same question in the lab, on small functions")
        link.click()
        expect(visit.page.locator(".results[aria-busy=false]")).to_be_visible()
        expect(visit.page.locator("[data-control=function] input:checked")).to_have_value("network")
        expect(visit.page.locator("[data-control=step] [data-number]")).to_have_value("0.000001")
        expect(visit.page.locator("[data-problem]")).to_be_hidden()
        visit.page.goto(f"{visit.root}/e/{record['id']}")
        visit.page.locator(".trust-open").first.click()
        check = visit.page.locator("dialog.trust[open] [data-metric=gradient_check]")
        check.locator(".trust-run").click()
        place = check.get_by_role("link", name="How small a step checks a gradient?")
        path, query = query_of(place)
        assert (path, query["scheme"], float(query["step"])) == ("/lab/gradient_check", "central", 1e-6)
        kinks = check.locator(".trust-facts").get_by_text("Directions with a kink").count()
        assert query["function"] == ("relu" if kinks else "network")
        visit.page.goto(visit.root + str(place.get_attribute("href")))
        expect(visit.page.locator("[data-origin]")).to_contain_text("gradient check of vanilla_gradient")
        expect(visit.page.locator(".results[aria-busy=false]")).to_be_visible()
        assert visit.axe_in_both_themes() == []
