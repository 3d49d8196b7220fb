"""What the page keeps: addresses with the view, and the history."""

from __future__ import annotations

import json
import re

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import LONG, module, visiting
from tests.support.keeping import Keeping

expect.set_options(timeout=LONG)


# The address


def test_the_address_holds_the_reading_and_restores_it(keep: Keeping, browser: Browser) -> None:
    keep.cheap()
    assert keep.fragment == "", "nothing is in the fragment before the view is changed"
    entries = keep.page.evaluate("() => history.length")
    keep.bar.get_by_role("radio", name="Sum").check()
    for value in range(90, 97):
        keep.reading_control("Clip").fill(str(value))
    keep.reading_control("Opacity").fill("40")
    keep.bar.get_by_label("Palette").select_option("viridis")
    expect(keep.page).to_have_url(re.compile("#reduce=sum&signed-palette=viridis&clip=96&overlay=40$"))
    assert keep.page.evaluate("() => history.length") == entries, "a changed reading adds no entry"
    seen, shown, address = keep.reading(), keep.pixels(), keep.page.url
    # Whoever gets the link, in a browser of their own, sees the same; nothing is computed for it.
    with visiting(browser, keep.root, Keeping) as other:
        other.page.goto(address)
        other.finished(2)
        assert (other.reading(), other.pixels(), other.page.url) == (seen, shown, address)
        assert other.posted == []
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


def test_wrong_parts_of_an_address_are_ignored(keep: Keeping) -> None:
    keep.cheap("#reduce=sum&clip=900&signed-palette=nosuch&overlay=x&full=p99&frob=%E0%A4%A&=&reduce2")
    assert keep.reading() == ["sum", "blue_orange", "99", "100"]
    expect(keep.page.locator("dialog.viewer")).to_be_hidden()
    keep.reading_control("Clip").fill("97")
    expect(keep.page).to_have_url(re.compile("#reduce=sum&clip=97$"))


def test_the_map_in_full_screen_is_in_the_address(keep: Keeping) -> None:
    keep.cheap()
    keep.details("Grad-CAM").get_by_role("button", name="Full screen").click()
    expect(keep.page).to_have_url(re.compile("#full=p2$"))
    keep.page.reload()
    expect(keep.page.get_by_role("dialog", name="Grad-CAM 2016")).to_be_visible()
    keep.page.keyboard.press("Escape")
    expect(keep.page).to_have_url(f"{keep.root}/e/{keep.id}")


def test_addresses_of_older_versions_are_converted(keep: Keeping) -> None:
    keep.open()
    pairs = keep.page.evaluate(
        f"""async () => {{
          const {{ pairsOf }} = await {module("url-state/address.js")};
          const rename = (from, to) => ({{ [from]: value, ...rest }}) => ({{ ...rest, [to]: value }});
          const steps = [rename('old', 'middle'), rename('middle', 'new')];
          return ['#old=1&x=2', '#v=2&middle=1', '#v=3&new=1', '#v=nonsense&old=1'].map(hash => pairsOf(hash, steps));
        }}"""
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


def test_history_lists_and_opens_explanations_and_says_which_are_deleted(keep: Keeping) -> None:
    keep.cheap()
    first = keep.id
    keep.cheap(target="285")
    earlier = keep.page.locator("earlier-list a")
    expect(earlier).to_have_count(0)  # out of sight
    keep.open()
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
    keep.page.evaluate(f"async () => (await {module('shared/style-sheets.js')}).style('chart')")
    line = "row => getComputedStyle(row, '::before').content"
    assert rows.first.evaluate(line) == "none", "the legend of a chart has its own entries"
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
    expect(keep.history().get_by_role("listitem")).to_have_count(1)  # the explanation that is shown is listed again


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
