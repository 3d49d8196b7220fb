"""A browser for all tests of the page, and a visit to a server whose tiny model makes a map in milliseconds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.browser import Visit, launch, visiting
from tests.support.keeping import CLIPBOARD, Keeping
from tests.support.server import Server


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One for the package, not for the session: while it is open, no other test can have an event loop of its own."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def real_url(server: Server) -> str:
    """A server with the shipped model, where that is what is asked."""
    return server.url


@pytest.fixture(scope="session")
def server_url(quick_model_server: Server) -> str:
    return quick_model_server.url


@pytest.fixture
def visit(browser: Browser, server_url: str) -> Iterator[Visit]:
    with visiting(browser, server_url) as visit:
        yield visit


@pytest.fixture
def keep(browser: Browser, server_url: str) -> Iterator[Keeping]:
    with visiting(browser, server_url, Keeping, permissions=CLIPBOARD) as visit:
        yield visit
