"""The page of methods in a real browser, with a server: sections, figures, runs, languages, for everyone."""

from __future__ import annotations

import json
import re

import httpx
import numpy as np
import pytest
import torch
from gradoscope.attribution.methods.base import methods
from gradoscope.attribution.methods.blur import blur
from playwright.sync_api import Browser, Locator, Route, expect

from tests.support.browser import EXPLANATIONS, LONG, PIXELS, Visit, slowly, visiting
from tests.support.paths import ROOT

expect.set_options(timeout=LONG)
METHODS = ROOT / "app" / "attribution" / "methods"
SIX = [id for id, method in methods().items() if method.default]
FACTS = {id: json.loads((METHODS / id / "facts.json").read_text("utf-8"))["figure"] for id in SIX}
MORE = [id for id, method in methods().items() if not method.default]


def read(visit: Visit, query: str = "") -> None:
    visit.page.goto(f"{visit.root}/methods{query}")


def figure(visit: Visit, id: str) -> Locator:
    """A figure, once it has drawn itself."""
    place = visit.page.locator(f"[data-figure={id}]")
    place.scroll_into_view_if_needed()
    expect(place).to_have_attribute("data-ready", "")
    return place


def drawn(place: Locator, view: str) -> int:
    """A checksum of a square, which shows more than one colour."""
    pixels = place.locator(f"[data-view={view}]").evaluate(PIXELS)
    assert pixels["colours"] > 1
    return pixels["sum"]


# Without a browser


@pytest.fixture(scope="module")
def page(server_url: str) -> str:
    return httpx.get(f"{server_url}/methods").text


def test_each_method_has_its_section_with_its_own_paper(page: str) -> None:
    assert re.findall(r'<section class="method" id="(\w+)"', page) == SIX
    assert set(MORE) == set(re.findall(r'<article id="(\w+)"', page))
    for id, method in methods().items():
        section = page.partition(f'id="{id}"')[2].partition("arXiv:")
        assert f'<a href="{method.paper.url}"' in section[0], id
        assert re.search(rf'class="(?:muted )?year">{method.year}<', section[0]), id


def test_parameters_are_those_of_the_methods(page: str) -> None:
    for id in SIX:
        section = page.partition(f'id="{id}"')[2].partition("</section>")[0]
        rows = re.findall(r'<th scope="row"><code lang="en">(\w+)</code></th>(.*?)</tr>', section, re.S)
        schema = methods()[id].Parameters.model_json_schema()["properties"]
        assert [name for name, _ in rows] == list(schema)
        for name, cells in rows:
            assert str(schema[name]["default"]).lower() in re.sub(r"<[^>]+>", "", cells).lower()
            if "maximum" in schema[name]:
                assert str(schema[name]["maximum"]) in cells


def test_figures_name_model_picture_and_evaluations(page: str) -> None:
    for figure in SIX:
        assert f"{FACTS[figure]['gradients']} gradients" in page
    assert page.count('class="made"') == len(SIX)
    sections, _, entries = page.partition('id="on-request"')
    assert sections.count("EfficientNet-Lite0</span> on ") == 2 * len(SIX)
    assert entries.count("EfficientNet-Lite0</span> on ") == len(MORE) - 2  # two refuse it: test_page_examples


@pytest.mark.parametrize(
    ("query", "headers", "tag"),
    [
        ("", {}, "en"),
        ("?lang=zh", {"accept-language": "en"}, "zh-Hans"),
        ("?lang=en", {"cookie": "gradoscope-language=zh"}, "en"),
        ("", {"cookie": "gradoscope-language=zh", "accept-language": "en"}, "zh-Hans"),
        ("", {"accept-language": "de, zh-CN;q=0.8, en;q=0.3"}, "zh-Hans"),
        ("?lang=xx", {"accept-language": "fr"}, "en"),
    ],
)
def test_the_language_is_asked_for_remembered_or_preferred(
    server_url: str, query: str, headers: dict[str, str], tag: str
) -> None:
    answer = httpx.get(f"{server_url}/methods{query}", headers={"accept-language": "", **headers})
    assert f'<html lang="{tag}">' in answer.text
    assert answer.headers["vary"].startswith("Accept-Language, Cookie")
    cookie = answer.headers.get("set-cookie", "")
    if query in ("?lang=zh", "?lang=en"):
        assert cookie.lower().startswith(f"gradoscope-language={query[-2:]};")
        assert "samesite=lax" in cookie.lower()
        assert "max-age=31536000" in cookie.lower()
    else:
        assert cookie == ""


def test_english_phrases_in_chinese_are_marked(server_url: str) -> None:
    text = httpx.get(f"{server_url}/methods?lang=zh").text
    assert '<span lang="en">tiger cat</span>' in text
    assert '<span class="in-english" lang="en">integrated gradients</span>' in text
    assert '<a href="https://arxiv.org/abs/1703.01365" lang="en"' in text
    assert "积分梯度" in text
    assert "完备性" in text


# In a browser


@pytest.fixture(scope="module")
def reader(browser: Browser, server_url: str):  # type: ignore[no-untyped-def]
    """One visit that several tests read on in."""
    with visiting(browser, server_url) as visit:
        read(visit)
        yield visit


def test_the_timeline_leads_and_marks_where_one_is(reader: Visit) -> None:
    links = reader.page.locator(".timeline a")
    assert [link.get_attribute("href") for link in links.all()] == [f"#{id}" for id in SIX]
    links.nth(3).click()
    expect(reader.page).to_have_url(re.compile("#smooth_grad$"))
    expect(reader.page.locator("#smooth_grad h2")).to_be_in_viewport()
    expect(links.nth(3)).to_have_attribute("aria-current", "true")
    expect(reader.page.locator(".timeline [aria-current]")).to_have_count(1)
    reader.page.get_by_role("link", name="Link to the section Grad-CAM").click()
    expect(reader.page).to_have_url(re.compile("#grad_cam$"))


@pytest.mark.parametrize(
    ("id", "steps", "views"),
    [
        ("vanilla_gradient", 2, ["picture", "map"]),
        ("grad_cam", 2, ["before", "after"]),
        ("smooth_grad", 2, ["copy", "single", "mean"]),
        ("integrated_gradients", 8, ["picture", "map"]),
        ("blur_integrated_gradients", 2, ["picture", "map"]),
    ],
)
def test_sliders_work_by_keyboard(reader: Visit, id: str, steps: int, views: list[str]) -> None:
    place = figure(reader, id)
    slider = place.get_by_role("slider")
    slider.focus()
    slider.press("Home")
    for _ in range(steps):
        slider.press("ArrowRight")
    expect(slider).to_have_value(str(steps))
    early = [drawn(place, view) for view in views]
    reading = slider.get_attribute("aria-valuetext")
    assert reading == place.locator("[data-readout]").inner_text()
    slider.press("End")
    assert all(now != then for now, then in zip([drawn(place, view) for view in views], early, strict=True))
    assert slider.get_attribute("aria-valuetext") != reading
    if id != "grad_cam":
        expect(place.locator(".chart svg .reading")).to_have_count(1)


@pytest.mark.parametrize("kind", ["guided", "vanilla"])
def test_guided_maps_hardly_change_with_the_class(reader: Visit, kind: str) -> None:
    place = figure(reader, "guided_backprop")
    seen = place.locator(".seen img")  # the picture that all its maps are of
    assert FACTS["guided_backprop"]["sample"] == "grid"
    assert str(seen.get_attribute("src")).endswith("/seen-grid.webp")
    expect(seen).to_have_js_property("naturalWidth", 224)
    for way in ("espresso", "rocket", "random"):
        place.locator(f"input[value={way}]").check()
        value = FACTS["guided_backprop"]["correlations"][kind][way]
        expect(place.locator(f"[data-gauge={kind}] output")).to_have_text(f"rank correlation {value}")
        assert (value > 0.95) == (kind == "guided")
        assert drawn(place, f"{kind}-other") != drawn(place, f"{kind}-cat")


@pytest.mark.parametrize(
    ("id", "value"), [("grad_cam", "espresso"), ("smooth_grad", "2"), ("integrated_gradients", "white")]
)
def test_choices_are_drawn(reader: Visit, id: str, value: str) -> None:
    place = figure(reader, id)
    view = {"grad_cam": "before", "smooth_grad": "copy", "integrated_gradients": "picture"}[id]
    place.get_by_role("slider").press("Home")
    before = drawn(place, view) if id != "integrated_gradients" else None
    reading = place.locator("[data-readout]").inner_text()
    place.locator(f"input[value='{value}']").focus()
    reader.page.keyboard.press("Space")
    if id == "grad_cam":
        assert drawn(place, view) != before
        expect(place.locator("[data-gauge] output")).to_contain_text("0.723 of it in the quarter of espresso")
    else:
        expect(place.locator("[data-readout]")).not_to_have_text(reading)


def test_play_moves_until_it_is_paused(reader: Visit) -> None:
    place = figure(reader, "integrated_gradients")
    slider, button = place.get_by_role("slider"), place.locator("[data-play]")
    slider.press("Home")
    button.click()
    expect(button).to_have_text("Pause")
    expect(slider).not_to_have_value("0")
    button.click()
    expect(button).to_have_text("Play")
    at = slider.input_value()
    reader.page.wait_for_timeout(500)
    expect(slider).to_have_value(at)


def test_nothing_moves_for_whoever_asks_for_less(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url, reduced_motion="reduce") as visit:
        read(visit, "#vanilla_gradient")
        place = figure(visit, "vanilla_gradient")
        expect(place.locator("[data-play]")).to_be_hidden()
        expect(place.get_by_role("slider")).to_be_visible()


def test_the_blur_is_that_of_the_method(reader: Visit) -> None:
    values = np.random.default_rng(0).uniform(0, 255, (19, 23)).astype(np.float32)
    for sigma in (0.0, 0.3, 2.5, 50.0):
        got = reader.page.evaluate(
            """async ([values, sigma]) => {
              const { blur } = await import('/static/js/methods/blur.js');
              return [...blur(Float32Array.from(values), 23, 19, sigma)];
            }""",
            [values.ravel().tolist(), sigma],
        )
        expected = blur(torch.from_numpy(values), sigma).numpy()
        assert np.allclose(np.array(got).reshape(expected.shape), expected, atol=1e-3), sigma


def test_the_enlarging_is_that_of_the_method(reader: Visit) -> None:
    values = np.random.default_rng(0).uniform(0, 1, (7, 7)).astype(np.float32)
    got = reader.page.evaluate(
        """async values => {
          const { enlarge } = await import('/static/plugins/methods/grad_cam/figure.js');
          return [...enlarge(values, 7, 224)];
        }""",
        values.ravel().tolist(),
    )
    large = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], (224, 224), mode="bilinear", align_corners=False
    )
    assert np.allclose(np.array(got).reshape(224, 224), large[0, 0].numpy(), atol=1e-5)


# Runs


def test_a_run_takes_the_place_of_the_shipped_map(reader: Visit) -> None:
    run = reader.page.locator("[data-run=grad_cam]")
    expect(run.locator("img").first).to_be_visible()
    run.get_by_role("combobox").select_option("espresso")
    run.get_by_role("button", name="Compute it here").click()
    link = run.get_by_role("link", name="Open in the workbench")
    expect(link).to_have_attribute("href", re.compile(r"^/e/[0-9a-f]{32}$"))
    expect(run.get_by_role("img", name="Map of Grad-CAM for espresso")).to_be_visible()
    expect(run.locator("[data-run-facts]")).to_have_text(
        re.compile(r"^Espresso, class espresso\. 1 gradient, [\d.]+ s\.$")
    )
    assert run.locator("canvas").evaluate(PIXELS)["colours"] > 20
    fields = httpx.get(reader.root + (link.get_attribute("href") or "").replace("/e/", "/api/v1/explanations/")).json()
    assert [panel["method"] for panel in fields["panels"]] == ["grad_cam"]


def test_a_run_can_be_cancelled_and_told_apart_from_a_failure(reader: Visit) -> None:
    reader.page.route(EXPLANATIONS, lambda route: slowly(route, smooth_grad={"samples": 1000}))
    run = reader.page.locator("[data-run=smooth_grad]")
    run.get_by_role("combobox").select_option("grid")
    run.get_by_role("button", name="Compute it here").click()
    expect(run.get_by_role("progressbar")).to_be_visible()
    expect(run.locator("canvas")).to_be_visible()  # a partial map
    run.get_by_role("button", name="Cancel").click()
    expect(run.locator("[data-run-facts]")).to_have_text(
        re.compile(r"^Stopped\. This is the estimate after \d+ of 1000 gradients\.$")
    )
    reader.page.unroute(EXPLANATIONS)
    expect(run.get_by_role("progressbar")).to_be_hidden()
    expect(run.get_by_role("button", name="Compute it here")).to_be_enabled()


def test_errors_are_told_where_they_happen(browser: Browser, server_url: str) -> None:
    def refuse(route: Route) -> None:
        body = {"title": "Too many requests", "status": 429, "detail": "Three are running already."}
        route.fulfill(status=429, json=body, headers={"Retry-After": "3", "Content-Type": "application/problem+json"})

    with visiting(browser, server_url) as visit:
        read(visit, "?lang=zh")
        visit.page.route(EXPLANATIONS, refuse)
        run = visit.page.locator("[data-run=vanilla_gradient]")
        run.get_by_role("button", name="就地计算").click()
        facts = run.locator("[data-run-facts]")
        expect(facts).to_have_text("未能得到归因图 Three are running already. 请在 3 s 后重试。")
        expect(facts.locator("[lang=en]")).to_have_text("Three are running already.")
        visit.page.unroute(EXPLANATIONS)
        visit.page.route(EXPLANATIONS, lambda route: route.abort())
        run.get_by_role("button", name="重试").click()
        expect(facts).to_contain_text("无法连接服务器")
        visit.page.route("**/plugins/methods/guided_backprop/figure.json", lambda route: route.fulfill(status=500))
        place = visit.page.locator("[data-figure=guided_backprop]")
        place.scroll_into_view_if_needed()
        expect(place.get_by_role("alert")).to_contain_text("重新加载")


# For everyone


@pytest.mark.parametrize(("language", "width"), [("en", 360), ("zh", 360), ("en", 3840)])
def test_the_page_fits_its_window(browser: Browser, server_url: str, language: str, width: int) -> None:
    with visiting(browser, server_url, viewport={"width": width, "height": 800}) as visit:
        visit.page.add_init_script(
            "globalThis.shifts = 0; new PerformanceObserver(list => list.getEntries().forEach(e => "
            "{ shifts += e.value; })).observe({ type: 'layout-shift', buffered: true });"
        )
        read(visit, f"?lang={language}")
        for id in SIX:
            figure(visit, id)
        assert visit.overflow() <= 0
        assert visit.page.evaluate("() => shifts") < 0.05


def test_the_language_is_switched_in_place_and_kept(browser: Browser, server_url: str) -> None:
    with visiting(browser, server_url) as visit:
        read(visit, "#grad_cam")
        visit.page.get_by_role("link", name="中文").click()
        expect(visit.page.locator("html")).to_have_attribute("lang", "zh-Hans")
        expect(visit.page).to_have_url(re.compile(r"/methods#grad_cam$"))  # `lang` has left it: it is remembered
        expect(visit.page.locator("#grad_cam h2")).to_be_in_viewport()
        expect(visit.page.get_by_role("button", name=re.compile("切换到"))).to_be_visible()
        read(visit)
        expect(visit.page.locator("html")).to_have_attribute("lang", "zh-Hans")
