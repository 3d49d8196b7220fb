"""The page with the shipped model: from a visitor's own picture to six maps. All other tests take a stand-in for it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.support.browser import LONG, SIX, Visit, new_picture

expect.set_options(timeout=LONG)


@pytest.fixture(scope="module")
def server_url(real_url: str) -> str:
    return real_url


def test_choosing_a_file_gives_six_maps(visit: Visit) -> None:
    visit.open()
    with visit.page.expect_file_chooser() as chooser:
        visit.page.get_by_role("button", name="Choose a picture").click()
    chooser.value.set_files({"name": "mine.png", "mimeType": "image/png", "buffer": new_picture()})
    expect(visit.page.locator("img.original")).to_have_js_property("naturalWidth", 451)
    expect(visit.page).to_have_url(re.compile(r"/e/[0-9a-f]{32}$"))
    expect(visit.page.locator(".prediction[aria-pressed=true]")).to_contain_text("cat")
    visit.finished()
    assert len(visit.asked) == 1
    maps = visit.pixels()
    assert len(maps) == SIX
    assert all(shown["colours"] > 2 and shown["width"] == 224 for shown in maps), maps
    assert len({shown["sum"] for shown in maps}) == SIX
    titles = visit.page.locator(".panel-title").all_inner_texts()
    assert titles[0] == "Vanilla gradient 2013"
    assert titles[-1] == "Blur integrated gradients 2020"
    facts = visit.page.locator("map-panel .facts").all_inner_texts()
    assert all(re.search(r"\d s\s· \d+ gradient", text) for text in facts), facts
    assert re.search(r"sum \S+ % (off|too (high|low))", facts[4]), facts
    assert re.search(r"sum \S+ % (off|too (high|low))", facts[5]), facts
