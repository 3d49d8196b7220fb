"""Addresses under /static: what a browser keeps for good, what it asks for each time, and what is sent."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path

import pytest
from gradoscope.web import static_files
from gradoscope.web.routes.pages import sheets
from gradoscope.web.static_files import ASK_EACH_TIME, FOREVER, StaticFiles, StaticTree
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from tests.support.paths import ROOT
from tests.support.web_server import serving

SCRIPT = "export const a = 1;\n" * 100
PICTURE = bytes(range(256)) * 8
ANSWER = b'{"made": true}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "static" / "js").mkdir(parents=True)
    (tmp_path / "static" / "js" / "a.js").write_text(SCRIPT)
    (tmp_path / "static" / "b.webp").write_bytes(PICTURE)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "c.css").write_text("")
    (tmp_path / "secret").write_text("secret")
    return tmp_path


@pytest.fixture
def tree(folder: Path) -> StaticTree:
    return StaticTree({"": folder / "static", "plugins/x": folder / "other"}, lambda: {"texts/en/d.json": ANSWER})


@pytest.fixture
def client(tree: StaticTree) -> TestClient:
    return TestClient(Starlette(routes=[Mount("/static", StaticFiles(tree))]))


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tree is looked at for each request, not once in a while."""
    monkeypatch.setattr(static_files, "LOOK_SECONDS", 0)


@pytest.mark.parametrize(
    ("path", "kind", "content"),
    [
        ("js/a.js", "text/javascript; charset=utf-8", SCRIPT.encode()),
        ("b.webp", "image/webp", PICTURE),
        ("plugins/x/c.css", "text/css; charset=utf-8", b""),
        ("texts/en/d.json", "application/json", ANSWER),
    ],
)
def test_only_the_address_with_the_digest_is_kept(
    client: TestClient, tree: StaticTree, path: str, kind: str, content: bytes
) -> None:
    address = tree.current().address(path)
    for url, kept in (
        (address, FOREVER),
        (f"/static/{path}", ASK_EACH_TIME),
        (f"/static/{'0' * 16}/{path}", ASK_EACH_TIME),
    ):
        answer = client.get(url)
        assert (answer.status_code, answer.content) == (200, content)
        assert answer.headers["content-type"] == kind
        assert answer.headers["cache-control"] == kept
        tag = answer.headers["etag"]
        for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
            again = client.get(url, headers={"if-none-match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
            assert again.headers["cache-control"] == kept
        assert client.get(url, headers={"if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("identity", False), ("gzip;q=0", False), ("x-gzip", False)],
)
def test_text_is_packed_for_those_who_read_it(
    client: TestClient, tree: StaticTree, accepted: str, packed: bool
) -> None:
    for _ in range(2):  # the second time from memory
        with client.stream("GET", tree.current().address("js/a.js"), headers={"accept-encoding": accepted}) as answer:
            body = b"".join(answer.iter_raw())
        assert (answer.headers.get("content-encoding") == "gzip") is packed
        assert answer.headers["vary"] == "Accept-Encoding"
        assert int(answer.headers["content-length"]) == len(body)
        assert (gzip.decompress(body) if packed else body) == SCRIPT.encode()


@pytest.mark.parametrize("path", ["b.webp", "texts/en/d.json"])
def test_pictures_and_what_is_small_are_not_packed(client: TestClient, path: str) -> None:
    answer = client.get(f"/static/{path}", headers={"accept-encoding": "gzip"})
    assert not {"content-encoding", "vary"} & set(answer.headers)


@pytest.mark.usefixtures("looking")
def test_an_edited_file_shows_and_has_another_address(client: TestClient, tree: StaticTree, folder: Path) -> None:
    old = tree.current().address("js/a.js")
    client.get(old)
    (folder / "static" / "js" / "a.js").write_text("export const a = 2;\n")
    new = tree.current().address("js/a.js")
    assert new != old
    assert client.get(new).headers["cache-control"] == FOREVER
    for url in (new, old, "/static/js/a.js"):
        assert client.get(url).text == "export const a = 2;\n"
    assert client.get(old).headers["cache-control"] == ASK_EACH_TIME
    (folder / "static" / "js" / "a.js").write_text(SCRIPT)
    assert tree.current().address("js/a.js") == old, "the digest is over what is in the files"


def test_nothing_is_kept_that_the_digest_does_not_stand_for(
    client: TestClient, tree: StaticTree, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was edited after the tree was looked at."""
    monkeypatch.setattr(static_files, "LOOK_SECONDS", 3600)
    address = tree.current().address("js/a.js")
    (folder / "static" / "js" / "a.js").write_text("export const a = 2;\n" * 100)
    answer = client.get(address)
    assert answer.text == "export const a = 2;\n" * 100
    assert answer.headers["cache-control"] == ASK_EACH_TIME
    (folder / "static" / "js" / "a.js").unlink()
    assert client.get(address).status_code == 404


@pytest.mark.usefixtures("looking")
def test_files_come_and_go(client: TestClient, tree: StaticTree, folder: Path) -> None:
    before = tree.current().digest
    (folder / "static" / "new.css").write_text("p {}")
    assert client.get(tree.current().address("new.css")).text == "p {}"
    assert tree.current().digest != before
    (folder / "static" / "new.css").unlink()
    assert client.get("/static/new.css").status_code == 404
    assert tree.current().digest == before


def test_when_a_file_was_changed_does_not_matter(tree: StaticTree, folder: Path) -> None:
    """So that servers that share an address, and a server before and after a new start, have the same digest."""
    before = tree.current().digest
    os.utime(folder / "static" / "js" / "a.js", (1, 1))
    again = StaticTree({"": folder / "static", "plugins/x": folder / "other"}, lambda: {"texts/en/d.json": ANSWER})
    assert again.current().digest == before


@pytest.mark.parametrize("path", ["", "js", "js/", "secret", "../secret", "%2e%2e/secret", "%00", "out"])
def test_nothing_else_is_served(client: TestClient, tree: StaticTree, folder: Path, path: str) -> None:
    (folder / "static" / "out").symlink_to(folder / "secret")
    (folder / "static" / "gone").symlink_to(folder / "nothing")
    url = client.base_url.copy_with(raw_path=f"/static/{path}".encode())
    assert client.get(url).status_code in (404, 307 if path == "" else 404)
    url = client.base_url.copy_with(raw_path=f"/static/{tree.current().digest}/{path}".encode())
    assert client.get(url).status_code == 404


def test_ranges_and_other_methods(client: TestClient) -> None:
    answer = client.get("/static/b.webp", headers={"range": "bytes=0-1"})
    assert (answer.status_code, answer.content) == (200, PICTURE)
    assert "accept-ranges" not in answer.headers
    assert client.post("/static/b.webp").status_code == 405


def test_what_does_not_fit_in_memory_is_served_all_the_same(tree: StaticTree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_files, "MEMORY_BYTES", 10)
    client = TestClient(Starlette(routes=[Mount("/static", StaticFiles(tree))]))
    assert client.get("/static/b.webp").content == PICTURE


def test_several_files_in_one(folder: Path) -> None:
    tree = StaticTree({"": folder / "static"}, joined={"all.js": ["js/a.js", "js/none.js", "js/a.js"]})
    client = TestClient(Starlette(routes=[Mount("/static", StaticFiles(tree))]))
    assert client.get(tree.current().address("all.js")).text == f"{SCRIPT}\n{SCRIPT}"


def test_an_opened_explanation_has_the_style_sheets_that_its_scripts_load() -> None:
    source = (ROOT / "static" / "js" / "page" / "workbench.js").read_text("utf-8")
    named = json.loads(re.search(r"const SHEETS = (\[[^]]*\]);", source)[1])
    assert sheets() == {"base": sheets()["base"], "workbench": [*sheets()["base"], *named, "keep"]}


@pytest.mark.parametrize("path", ["/", "/e/0", "/methods", "/trust", "/docs", "/lab", "/lab/graph"])
def test_all_that_a_page_names_is_kept(tmp_path: Path, path: str) -> None:
    with serving(tmp_path / "store") as web_server, web_server.client() as client:
        web_server.executor.has_catalogue = False  # so that the page of methods shows those that ship
        named = re.findall(r'(?:src|href)="(/static/[^"]+)"', client.get(path).text)
        assert len(named) > 3
        assert len({url.split("/")[2] for url in named}) == 1
        for url in named:
            got, head = client.get(url), client.head(url)
            assert got.status_code == 200, url
            assert got.headers["cache-control"] == FOREVER, url
            assert (head.content, head.headers["content-length"]) == (b"", got.headers["content-length"])
