"""Fixtures of the tests that need a browser; a module of such tests names this one in `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser_support import Visit, launch, visiting
from playwright.sync_api import Browser, sync_playwright


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, server_url: str) -> Iterator[Visit]:
    with visiting(browser, server_url) as visit:
        yield visit
