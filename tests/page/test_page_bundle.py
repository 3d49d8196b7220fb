"""The page with the bundle of its modules, and without it: the same page, each module once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradoscope.web import application, static_files
from gradoscope.web.plugin_pages import asset_folders
from playwright.sync_api import Browser, expect

from tests.support.browser import module, visiting
from tests.support.web_server import RunningServer, serving
from tools import bundle_js, node

# A figure as another distribution brings it: it has the page's own texts and store.
FIGURE = """
import { t } from "../../../js/shared/texts.js";
import { store } from "../../../js/state/store.js";
export { store };
export const title = t("empty.choose");
"""


@pytest.fixture(scope="module")
def bundle() -> None:
    if not bundle_js.is_fresh():
        try:
            bundle_js.build()
        except node.Missing as missing:
            pytest.skip(str(missing))


@pytest.fixture(params=[True, False], ids=["bundled", "plain"])
def bundled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param:
        request.getfixturevalue("bundle")
    else:
        monkeypatch.setattr(static_files, "_bundle", lambda found, plain: ({}, {}))
    return bool(request.param)


@pytest.fixture
def web_server(bundled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    figures = tmp_path / "toy" / "static"
    figures.mkdir(parents=True)
    (figures / "figure.js").write_text(FIGURE)
    monkeypatch.setattr(application, "asset_folders", lambda: {**asset_folders(), "methods/toy": figures})
    with serving(tmp_path / "store") as web_server:
        web_server.executor.has_catalogue = False  # so that the page of methods shows those that ship
        yield web_server


def test_a_page_and_its_plug_ins_share_each_module(browser: Browser, web_server: RunningServer, bundled: bool) -> None:
    with visiting(browser, web_server.url) as visit:
        visit.open()
        visit.page.keyboard.press("Shift")  # has the workbench fetched
        visit.page.wait_for_function("() => customElements.get('map-compare')")
        title, same = visit.page.evaluate(
            f"""async () => {{
              const main = document.querySelector('script[type=module]').src;
              const figure = await import(new URL('../../plugins/methods/toy/figure.js', main));
              return [figure.title, figure.store === (await {module("state/store.js")}).store];
            }}"""
        )
        assert same
        expect(visit.page.get_by_role("button", name=title)).to_be_visible()
        scripts = Counter(re.sub(r".*/static/\w{16}/", "", r.url) for r in visit.requests if r.url.endswith(".js"))
        graph = bundle_js.Graph(bundle_js.sources())
        once = set(scripts) - graph.reached(graph.workers)  # a worker loads what it imports for itself
        assert [path for path in once if scripts[path] > 1] == []
        assert (len(scripts) < 10) is bundled
        assert ("js/grid/map-panel.js" in scripts) is not bundled


@pytest.mark.parametrize("path", ["/methods", "/trust"])
def test_pages_to_read_work(browser: Browser, web_server: RunningServer, path: str) -> None:
    with visiting(browser, web_server.url) as visit:
        answer = visit.page.goto(web_server.url + path)
        assert answer is not None
        assert answer.ok
        visit.page.get_by_role("button", name=re.compile("theme|colour", re.I)).first.wait_for()
        visit.settled()
        assert visit.complaints == []


@pytest.mark.usefixtures("bundle")
def test_scripts_of_another_version_are_reported_and_do_not_run(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path / "store") as web_server, visiting(browser, web_server.url) as visit:
        visit.open()
        message = visit.page.evaluate("() => import('/static/js/state/store.js').catch(error => error.message)")
        assert message == "The server was updated after this page was opened. Reload the page."
