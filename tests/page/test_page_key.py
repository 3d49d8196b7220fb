"""The page where the server asks for an API key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import EXPLANATIONS, Visit, cheaply, visiting
from tests.support.server import Server

KEY = "0123456789abcdef-ann"


@pytest.fixture(scope="module")
def locked(quick_model: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("locked")
    (folder / "keys").write_text(f"ann:{KEY}\n")
    server = Server(folder / "store", GRADOSCOPE_KEYS=str(folder / "keys"), **quick_model)
    yield server.url
    server.stop()


def enter(visit: Visit, key: str) -> None:
    visit.page.get_by_label("API key", exact=True).fill(key)
    visit.page.get_by_role("button", name="Sign in").click()


def test_a_key_is_asked_for_once_and_pictures_are_loaded_with_it_too(browser: Browser, locked: str) -> None:
    with visiting(browser, locked) as visit:
        visit.context.route(EXPLANATIONS, cheaply)
        visit.page.goto(visit.root)
        dialog = visit.page.get_by_role("dialog", name="This server asks for an API key")
        expect(dialog).to_be_visible()
        expect(visit.page.get_by_label("API key", exact=True)).to_be_focused()
        assert visit.axe() == []
        enter(visit, "wrong-0123456789abcdef")
        expect(dialog.get_by_role("alert")).to_have_text("The server does not know this key.")
        enter(visit, KEY)
        expect(dialog).to_be_hidden()
        visit.sample()
        visit.finished(1)
        size = visit.page.evaluate(
            """async id => {
              const image = new Image();
              image.src = `/api/v1/explanations/${id}/image.png`;
              await image.decode();
              return image.naturalWidth;
            }""",
            visit.explanation_id,
        )
        assert size > 0
        assert "session" not in visit.page.evaluate("() => document.cookie")
        with visit.page.expect_response("**/api/v1/session") as ended:
            visit.page.evaluate("() => fetch('/api/v1/session', { method: 'DELETE' })")
        assert ended.value.status == 204
        visit.page.reload()
        expect(dialog).to_be_visible()
        visit.page.get_by_role("button", name="Cancel").click()
        expect(dialog).to_be_hidden()
        expect(visit.notice).to_contain_text("API key needed")
        visit.notice.get_by_role("button").first.click()
        expect(dialog).to_be_visible()


def test_the_page_of_methods_asks_for_the_key_only_to_compute(browser: Browser, locked: str) -> None:
    with visiting(browser, locked, locale="zh-CN") as visit:
        visit.page.goto(visit.root + "/methods")
        visit.wait_until_idle()
        expect(visit.page.get_by_role("dialog")).to_have_count(0)  # reading the page needs no key
        visit.page.locator("[data-compute]").first.click()
        expect(visit.page.get_by_role("dialog", name="此服务器需要 API 密钥")).to_be_visible()
        visit.page.get_by_label("API 密钥", exact=True).fill(KEY)
        visit.page.get_by_role("button", name="登录").click()
        expect(visit.page.locator("[data-run-facts]").first).not_to_be_empty()
