"""Quality: one choice for the steps, samples and tolerances of all methods."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Browser, Locator, expect

from tests.support.browser import LONG, Visit, module, visiting

expect.set_options(timeout=LONG)
QUICK = {
    "smooth_grad": {"samples": 25},
    "integrated_gradients": {"steps": 121, "tolerance": 0.3},
    "blur_integrated_gradients": {"steps": 121, "tolerance": 0.3},
}


def quality(visit: Visit) -> Locator:
    return visit.page.get_by_label("Quality")


def options(visit: Visit) -> Any:
    """The options of the last request for maps."""
    return json.loads(visit.sent.get("options", ["{}"])[0])


def choose(visit: Visit, label: str) -> None:
    with visit.page.expect_response(lambda answer: answer.url.endswith("/explanations")):
        quality(visit).select_option(label)
    visit.finished()


def facts(visit: Visit, place: int) -> Locator:
    return visit.page.locator("map-panel .facts").nth(place)


def test_a_choice_computes_again_and_each_map_says_its_error(visit: Visit) -> None:
    visit.cat()
    expect(quality(visit)).to_have_value("standard")
    choose(visit, "Quick")
    assert options(visit) == QUICK
    expect(facts(visit, 3)).to_contain_text("25 gradients")
    expect(facts(visit, 3)).to_contain_text("off its limit")
    for place in (4, 5):
        expect(facts(visit, place)).to_contain_text("±")
    visit.page.reload()
    visit.finished()
    expect(quality(visit)).to_have_value("quick")
    choose(visit, "Standard")
    assert options(visit) == {}
    expect(facts(visit, 3)).to_contain_text("50 gradients")


def test_a_method_that_is_added_later_has_it_too_and_other_parameters_stay(visit: Visit) -> None:
    visit.cat()
    choose(visit, "Quick")
    visit.add_method("IDGI")
    visit.finished(7)
    assert options(visit) == {**QUICK, "idgi": {"steps": 25}}
    expect(quality(visit)).to_have_value("quick")
    set_parameter(visit, "Noise", "0.2")
    assert options(visit)["smooth_grad"] == {"samples": 25, "noise": 0.2}
    expect(quality(visit)).to_have_value("quick")
    set_parameter(visit, "Samples", "30")
    expect(quality(visit)).to_have_value("")
    expect(quality(visit).locator("option:checked")).to_have_text("Own values")
    choose(visit, "Standard")
    assert options(visit) == {"smooth_grad": {"noise": 0.2}}
    expect(quality(visit).locator("option:checked")).to_have_text("Standard")


def set_parameter(visit: Visit, name: str, value: str) -> None:
    """A parameter of SmoothGrad, by its dialog, beside six other maps."""
    visit.page.get_by_role("button", name="Details of SmoothGrad").click()
    visit.page.get_by_role("button", name="Parameters").click()
    form = visit.page.get_by_role("dialog", name="Parameters of SmoothGrad")
    form.get_by_role("spinbutton", name=name).fill(value)
    with visit.page.expect_response(lambda answer: answer.url.endswith("/explanations")):
        form.get_by_role("button", name="Compute").click()
    visit.finished(7)


def test_maps_that_share_gradients_say_so(visit: Visit) -> None:
    visit.cat()
    script = f"""async diagnostics => {{
      const {{ factsOf }} = await {module("shared/panel-facts.js")};
      return factsOf({{ diagnostics }}).map(({{ text, long }}) => [text, Boolean(long)]);
    }}"""
    shared = visit.page.evaluate(
        script, {"gradient_evaluations": 50, "shared_gradients": 50, "forward_evaluations": 51}
    )
    assert shared == [["50 gradients (50 shared)", True], ["51 forward passes", False]]
    assert visit.page.evaluate(script, {"gradient_evaluations": 1}) == [["1 gradient", False]]


def test_a_map_says_the_error_that_it_was_left_with(visit: Visit) -> None:
    """By samples how far from its limit, with a tolerance what the last doubling has changed."""
    visit.cat()
    script = f"""async diagnostics => {{
      const {{ factsOf }} = await {module("shared/panel-facts.js")};
      return factsOf({{ diagnostics }}).map(({{ text, poor }}) => [text, Boolean(poor)]);
    }}"""
    assert visit.page.evaluate(script, {"standard_error": 0.7, "limit_error": 0.98}) == [["98 % off its limit", False]]
    assert visit.page.evaluate(script, {"standard_error": 1.5, "limit_error": None}) == [["± 150 %", False]]
    assert visit.page.evaluate(script, {"converged": True, "change": 0.087}) == [["± 8.7 %", False]]
    unconverged = visit.page.evaluate(script, {"converged": False, "change": 0.2})
    assert unconverged == [["not converged: last change 20 %", True]]


def test_without_a_fault_of_axe_and_in_chinese(browser: Browser, server_url: str, visit: Visit) -> None:
    visit.cat()
    assert visit.axe_in_both_themes("ask-form") == []
    with visiting(browser, server_url, locale="zh-CN") as chinese:
        chinese.open()
        chinese.sample()
        chinese.finished()
        shown = chinese.page.get_by_label("精度").locator("option:not([hidden])")
        assert shown.all_text_contents() == ["标准", "快速", "良好", "精确"]
        assert chinese.overflow() <= 0
