"""Before and after: the maps of the previous question («the maps of before») stay until the new ones come, and can be
shown again."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, expect

from tests.support.browser import EXPLANATIONS, LONG, SIX, Visit, slowly

expect.set_options(timeout=LONG)


def question(visit: Visit) -> Locator:
    return visit.page.locator("panel-grid .question")


def label(visit: Visit, place: int) -> str:
    return visit.page.locator(".prediction-label").nth(place).inner_text()


def sums(visit: Visit) -> list[int]:
    return [shown["sum"] for shown in visit.pixels()]


def test_old_maps_stay_until_the_new_ones_come(visit: Visit) -> None:
    visit.cat()
    page, old = visit.page, sums(visit)
    first, second = label(visit, 0), label(visit, 1)
    stale = page.locator("map-panel.is-stale")
    # The cheapest come first. Each of these two takes twelve seconds: while one is computed, the other has not begun.
    long = {"integrated_gradients": {"steps": 500}, "blur_integrated_gradients": {"steps": 500}}
    page.route(EXPLANATIONS, lambda route: slowly(route, **long))
    page.locator(".prediction").nth(1).click()
    expect(question(visit)).to_have_text(f"Why {second}")
    page.locator("map-panel[data-status=running] canvas.map").first.wait_for()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("panel-grid .tally")).to_contain_text("were finished")
    visit.wait_until_idle()
    # What had not begun has the old map in its place, and says so.
    assert stale.count() > 0
    for panel in stale.all():
        expect(panel.locator(".previous-mark")).to_have_text(f"Before: {first}")
        expect(panel.locator("canvas.map")).to_be_visible()
    for integral in ("Integrated gradients", "Blur integrated gradients"):
        expect(page.locator(".grid-missing")).to_contain_text(integral)
    expect(page.locator(".grid-missing")).to_contain_text("Not computed: ")
    assert visit.axe_in_both_themes() == []
    page.unroute(EXPLANATIONS)
    # Somebody else who opens the link is told the same, and may have them computed.
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    expect(page.locator("map-panel")).to_have_count(SIX)
    expect(page.locator(".grid-missing")).to_contain_text("Blur integrated gradients")
    page.get_by_role("button", name="Compute the rest").click()
    visit.finished()
    expect(page.locator(".grid-missing")).to_be_hidden()
    assert all(one != other for one, other in zip(old, sums(visit), strict=True))


def test_the_map_of_before_comes_back_in_place(visit: Visit) -> None:
    visit.cat()
    page, old, first = visit.page, sums(visit), label(visit, 0)
    toggle = page.get_by_role("button", name="Before", exact=True)
    expect(toggle).to_be_hidden()
    page.locator(".prediction").nth(1).click()
    expect(question(visit)).to_have_text(f"Why {label(visit, 1)}")
    visit.finished()
    expect(page.locator("map-panel.is-stale")).to_have_count(0)
    new = sums(visit)
    marks = page.locator(".previous-mark:visible")
    page.keyboard.down("p")
    expect(marks).to_have_count(SIX)
    expect(marks.first).to_have_text(f"Before: {first}")
    assert sums(visit) == old
    page.keyboard.up("p")
    expect(marks).to_have_count(0)
    assert sums(visit) == new
    toggle.click()
    expect(toggle).to_have_attribute("aria-pressed", "true")
    assert sums(visit) == old
    assert visit.axe_in_both_themes("panel-grid") == []
    toggle.click()
    assert sums(visit) == new
    # A press that is held on one map shows that one, and opens nothing.
    page.locator("map-panel map-lens").nth(2).hover()
    page.mouse.down()
    expect(marks).to_have_count(1)
    assert sums(visit) == [*new[:2], old[2], *new[3:]]
    page.mouse.up()
    expect(marks).to_have_count(0)
    expect(page.locator("dialog[open]")).to_have_count(0)
    # Typed in a field it is a letter.
    page.get_by_role("combobox", name="Class to explain").press("p")
    expect(marks).to_have_count(0)


def test_what_is_said_of_a_box_is_of_the_map_that_is_shown(visit: Visit) -> None:
    """The panels of every explanation have the same ids."""
    visit.cat()
    page = visit.page
    page.locator(".prediction").nth(1).click()
    expect(question(visit)).to_have_text(f"Why {label(visit, 1)}")
    visit.finished()
    expect(page.locator("map-panel.is-stale")).to_have_count(0)
    marks, facts = page.locator(".previous-mark:visible"), page.locator("map-panel .box-facts")
    picture = page.locator("picture-box").bounding_box()
    assert picture
    for action, part in ((page.mouse.down, 0.2), (page.mouse.up, 0.6)):
        page.mouse.move(picture["x"] + part * picture["width"], picture["y"] + part * picture["height"], steps=5)
        action()
    expect(facts.first).to_contain_text("area")
    new = facts.all_inner_texts()
    page.keyboard.down("p")
    expect(marks).to_have_count(SIX)
    visit.wait_for_frame()
    old = facts.all_inner_texts()
    page.keyboard.up("p")
    expect(marks).to_have_count(0)
    visit.wait_for_frame()
    assert old != new
    assert facts.all_inner_texts() == new


def test_where_the_server_is_gone_the_old_maps_stay(visit: Visit) -> None:
    visit.cat()
    page, old, first = visit.page, visit.pixels(), label(visit, 0)
    address = page.url
    page.route(EXPLANATIONS, lambda route: route.abort())

    def failed(asked: str) -> None:
        expect(visit.notice).to_have_count(1)
        expect(visit.notice).to_contain_text("The server cannot be reached")
        expect(visit.notice).to_contain_text(f"Not answered: {asked}")
        # Header, predictions and titles are those of the maps.
        expect(question(visit)).to_have_text(f"Why {first}")
        expect(page.locator("panel-grid .context")).to_contain_text("EfficientNet-Lite0")
        expect(page.locator(".prediction[aria-pressed=true]")).to_contain_text(first)
        expect(page.locator("map-panel.is-stale")).to_have_count(0)
        assert visit.pixels() == old
        expect(page).to_have_url(address)

    second = label(visit, 1)
    page.locator(".prediction").nth(1).click()
    failed(f"Why {second}")
    assert visit.axe_in_both_themes("panel-grid") == []
    picker = page.get_by_role("combobox", name="Model").first
    picker.fill("Lite1")
    visit.options.filter(has_text="EfficientNet-Lite1").first.click()
    failed("Why the top class · EfficientNet-Lite1")
    page.unroute(EXPLANATIONS)
    names: list[Any] = []
    page.on("request", lambda request: names.append(request.post_data_buffer) if request.method == "POST" else None)
    visit.notice.get_by_role("button", name="Try again").click()
    expect(page.locator("panel-grid .context")).to_contain_text("EfficientNet-Lite1")
    expect(visit.notice).to_have_count(0)
    page.locator("map-panel[data-status=done]:not(.is-stale)").first.wait_for()
    assert b"efficientnet_lite1" in names[0]
