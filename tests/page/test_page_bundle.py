"""The page with the bundle of its modules, and without it: the same page, each module once."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradoscope.web import application, static_files
from gradoscope.web.plugin_pages import asset_folders
from playwright.sync_api import Browser, expect

from tests.support.browser import module, visiting
from tests.support.server import Server
from tests.support.web_server import RunningServer, serving
from tools import bundle_js, node

LEAN = 88_000  # bytes, without headers: half a second on Fast 3G, of the two seconds that the names have
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


@pytest.mark.parametrize("path", ["/methods", "/trust", "/lab"])
def test_pages_to_read_work(browser: Browser, web_server: RunningServer, path: str) -> None:
    with visiting(browser, web_server.url) as visit:
        answer = visit.page.goto(web_server.url + path)
        assert answer is not None
        assert answer.ok
        visit.page.get_by_role("button", name=re.compile("theme|colour", re.I)).first.wait_for()
        visit.wait_until_idle()
        assert visit.complaints == []


@pytest.mark.usefixtures("bundle")
def test_scripts_of_another_version_are_reported_and_do_not_run(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path / "store") as web_server, visiting(browser, web_server.url) as visit:
        visit.open()
        message = visit.page.evaluate("() => import('/static/js/state/store.js').catch(error => error.message)")
        assert message == "The server was updated after this page was opened. Reload the page."


@pytest.mark.usefixtures("bundle")
def test_what_names_and_frame_need_is_asked_for_at_once(browser: Browser, tmp_path: Path) -> None:
    """A browser has six connections to a server: on a slow link a seventh file comes a second later."""
    with serving(tmp_path / "store") as web_server, visiting(browser, web_server.url) as visit:
        visit.page.goto(f"{web_server.url}/e/{'0' * 32}")
        visit.page.locator("problem-notice").first.wait_for()
        entries = "performance.getEntriesByType('resource').sort((a, b) => a.startTime - b.startTime)"
        urls: list[str] = visit.page.evaluate(f"() => {entries}.map(entry => entry.name)")
        paths = [re.sub(r".*/static/\w{16}/", "", url).removeprefix(web_server.url) for url in urls]
        record = f"/api/v1/explanations/{'0' * 32}"
        preload = json.loads((bundle_js.TARGET / bundle_js.MANIFEST).read_text("utf-8"))["preload"]
        scripts = {bundle_js.START, bundle_js.WORKBENCH, *preload[bundle_js.START], *preload[bundle_js.WORKBENCH]}
        assert len(scripts) == 3
        assert set(paths[:6]) == {"js/shared/theme.js", "css/workbench.css", record, *scripts}
        later = {path for path in paths[6:] if path.endswith((".js", ".css"))}
        # What opens over the workbench, and workers for the arrays, once there are some.
        over = {bundle_js.DIALOGS, *preload[bundle_js.DIALOGS]}
        assert later <= bundle_js.Graph(bundle_js.sources()).workers | over
        sizes: list[int] = visit.page.evaluate(
            f"() => [performance.getEntriesByType('navigation')[0], ...{entries}.slice(0, 6)]"
            ".map(entry => entry.encodedBodySize)"
        )
        assert all(sizes)
        assert sum(sizes) < LEAN, dict(zip(["the page", *paths[:6]], sizes, strict=True))


def test_where_dialogs_cannot_be_fetched_the_page_says_so(browser: Browser, quick_model_server: Server) -> None:
    with visiting(browser, quick_model_server.url) as visit:
        page, dialogs = visit.page, f"**/{bundle_js.DIALOGS}"
        page.route(dialogs, lambda route: route.abort())
        visit.open()
        visit.sample()
        notice = page.locator("panel-grid .notice")
        expect(notice).to_contain_text("The connection was lost")
        visit.finished()
        # The history asks for the same file, for its small picture: without it the entry is there all the same.
        page.wait_for_function("() => JSON.stringify(localStorage).includes('tiger cat')")
        visit.wait_until_idle()
        page.unroute(dialogs)
        notice.get_by_role("button", name="Try again").click()
        page.wait_for_function("() => customElements.get('map-compare')")
        visit.finished()
        expect(notice).to_have_count(0)
