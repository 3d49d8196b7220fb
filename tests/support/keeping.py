"""A visit to two cheap maps of the cat, for tests of what the page keeps and exports: downloads, clipboard, history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Locator, expect

from tests.support.browser import Visit

CHEAP = ["vanilla_gradient", "grad_cam"]
CLIPBOARD = ["clipboard-read", "clipboard-write"]


class Keeping(Visit):
    """A visit for what a user keeps: exports, clipboard, history. `cheap` opens an explanation with two cheap maps."""

    id: str

    def cheap(self, fragment: str = "", **changes: Any) -> None:
        """Makes such an explanation and opens it. `changes` are fields of the request, `fragment` is the address's."""
        self.id = self.made(**changes)
        self.see(fragment)

    def made(self, **changes: Any) -> str:
        """The id of an explanation that is made over REST, without the page."""
        answer = httpx.post(
            f"{self.root}/api/v1/explanations", data={"sample": "cat", "method": CHEAP, **changes}, timeout=300
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]

    def see(self, fragment: str = "") -> None:
        """Opens the explanation of the last `cheap` anew."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.root}/e/{self.id}{fragment}")
        self.finished(2)

    @property
    def bar(self) -> Locator:
        return self.page.locator(".maps reading-bar")

    @property
    def fragment(self) -> str:
        return urlsplit(self.page.url).fragment

    def reading(self) -> list[Any]:
        reduction = self.bar.get_by_role("radio", checked=True).get_attribute("value")
        sliders = [
            self.bar.get_by_label(name).and_(self.page.locator("input")).input_value() for name in ("Clip", "Opacity")
        ]
        return [reduction, self.bar.get_by_label("Palette").input_value(), *sliders]

    def export(self) -> Locator:
        menu = self.page.get_by_role("dialog", name="Export")
        if not menu.is_visible():
            self.page.get_by_role("button", name="Export", exact=True).click()
        return menu

    def details(self, method: str) -> Locator:
        menu = self.page.get_by_role("dialog", name=f"Details of {method}")
        if not menu.is_visible():
            self.page.get_by_role("button", name=f"Details of {method}").click()
        return menu

    def saved(self, press: Callable[[], None]) -> tuple[str, bytes]:
        with self.page.expect_download() as download:
            press()
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()

    def clipboard(self) -> str:
        return self.page.evaluate("() => navigator.clipboard.readText()")

    def record(self, id: str | None = None) -> dict[str, Any]:
        return httpx.get(f"{self.root}/api/v1/explanations/{id or self.id}").json()

    def history(self) -> Locator:
        self.page.get_by_role("button", name="History").click()
        return self.page.get_by_role("dialog", name="History")

    def copied(self, language: str) -> str:
        """The request of the explanation that is seen, as the export menu copies it."""
        menu = self.export()
        menu.get_by_role("button", name=f"Copy as {language}").click()
        expect(menu.get_by_role("status")).to_contain_text("on the clipboard")
        return self.clipboard()
