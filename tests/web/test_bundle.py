"""The bundle of the page's modules: which modules it has, and when it is served."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from gradoscope.web import static_files
from gradoscope.web.static_files import StaticFiles, StaticTree
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from tests.support.paths import ROOT
from tools import bundle_js, node

PLAIN = {"js/page/main.js": "import '../state/store.js';\n", "js/state/store.js": "export const store = 1;\n"}
BUNDLED = {"js/page/main.js": "import '../chunks/a.js';\n", "js/chunks/a.js": "export const a = 1;\n"}


def write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plain modules and a bundle of them."""
    monkeypatch.setattr(static_files, "LOOK_SECONDS", 0)
    write(tmp_path, PLAIN)
    write(tmp_path / "bundle", BUNDLED)
    sources = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in PLAIN.items()}
    about = {"sources": sources, "preload": {"js/page/main.js": ["js/chunks/a.js"]}}
    (tmp_path / "bundle" / "manifest.json").write_text(json.dumps(about))
    return tmp_path


@pytest.fixture
def tree(folder: Path) -> StaticTree:
    return StaticTree({"": folder})


def served(tree: StaticTree, path: str, digest: str | None = None) -> str | None:
    """What is answered at an address, by default with the digest that a page names now."""
    client = TestClient(Starlette(routes=[Mount("/static", StaticFiles(tree))]))
    answer = client.get(f"/static/{tree.current().digest if digest is None else digest}/{path}".replace("//", "/"))
    return answer.text if answer.status_code == 200 else None


def is_plain(tree: StaticTree) -> bool:
    """Whether the plain modules are served, and nothing of the bundle."""
    found = {path: served(tree, path) for path in PLAIN | BUNDLED}
    return found == {**dict.fromkeys(BUNDLED), **PLAIN} and tree.current().modules("js/page/main.js") == [
        tree.current().address("js/page/main.js")
    ]


def test_a_fresh_bundle_is_served_instead_of_its_modules(tree: StaticTree) -> None:
    now = tree.current()
    assert {path: served(tree, path) for path in PLAIN | BUNDLED} == {**PLAIN, **BUNDLED}
    assert now.modules("js/page/main.js") == [now.address("js/page/main.js"), now.address("js/chunks/a.js")]
    assert {path: served(tree, path, "") for path in PLAIN} == PLAIN, "without a digest"
    assert served(tree, "js/chunks/a.js", "") is None
    assert served(tree, "bundle/js/page/main.js") is None
    assert served(tree, "bundle/manifest.json", "") is None


@pytest.mark.parametrize("change", ["edited", "new", "gone"])
def test_a_bundle_of_other_sources_is_not_served(tree: StaticTree, folder: Path, change: str) -> None:
    before = tree.current().digest
    file = folder / "js" / ("new.js" if change == "new" else "state/store.js")
    old = None if change == "new" else file.read_text()
    if change == "gone":
        file.unlink()
    else:
        file.write_text("export const other = 1;\n")
    assert served(tree, "js/page/main.js") == PLAIN["js/page/main.js"]
    assert served(tree, "js/chunks/a.js") is None
    assert tree.current().digest != before
    file.unlink(missing_ok=True)
    if old is not None:
        file.write_text(old)
    assert served(tree, "js/page/main.js") == BUNDLED["js/page/main.js"]
    assert tree.current().digest == before


@pytest.mark.parametrize(
    ("accepted", "of_it", "coding"),
    [
        ("gzip, deflate, br, zstd", True, "br"),
        ("br;q=0.5", True, "br"),
        ("gzip", True, "gzip"),
        ("gzip, br;q=0", True, "gzip"),
        ("identity", True, None),
        ("gzip, deflate, br, zstd", False, "gzip"),
        ("br", False, None),
    ],
)
def test_who_reads_brotli_gets_what_the_bundle_has_of_it(
    tree: StaticTree, folder: Path, accepted: str, of_it: bool, coding: str | None
) -> None:
    """Only if it was made of this very file."""
    body, packed = ("export const a = 1;\n" * 100).encode(), b"as Brotli makes it"
    (folder / "bundle" / "js" / "chunks" / "a.js").write_bytes(body)
    (folder / "bundle" / "js" / "chunks" / "a.js.br").write_bytes(packed)
    manifest = folder / "bundle" / "manifest.json"
    hashes = [hashlib.sha256(each).hexdigest() for each in (body if of_it else b"other", packed)]
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "brotli": {"js/chunks/a.js": hashes}}))
    client = TestClient(Starlette(routes=[Mount("/static", StaticFiles(tree))]))
    sent = {"br": packed, "gzip": gzip.compress(body, 9, mtime=0), None: body}[coding]
    for _ in range(2):  # the second time from memory
        address = tree.current().address("js/chunks/a.js")
        with client.stream("GET", address, headers={"accept-encoding": accepted}) as answer:
            assert b"".join(answer.iter_raw()) == sent
        assert answer.headers.get("content-encoding") == coding
        assert answer.headers["vary"] == "Accept-Encoding"
    assert served(tree, "js/chunks/a.js.br") is None


@pytest.mark.parametrize("manifest", [None, "{", "[]", "{}", '{"sources": 1, "preload": 2}'])
def test_without_a_readable_bundle_the_modules_are_served(
    tree: StaticTree, folder: Path, manifest: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = folder / "bundle" / "manifest.json"
    file.unlink()
    if manifest is not None:
        file.write_text(manifest)
    assert is_plain(tree)
    assert ("cannot be read" in caplog.text) is (manifest is not None)


def test_the_bundle_has_entries_for_all_that_plug_ins_import() -> None:
    chosen = bundle_js.entries(bundle_js.sources())
    figures = {path: file for path, file in bundle_js.sources().items() if path.startswith("plugins/")}
    assert len(figures) > 10
    assert set(figures) <= chosen
    for path, file in figures.items():
        imported = re.findall(r'^import [^;]*? from "(?:\.\./){3}([^"]+)"', file.read_text("utf-8"), re.M | re.S)
        assert set(imported) <= chosen, path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one that `make bundle` has made just before the tests, which is not made twice; a new one where it is old."""
    target = tmp_path_factory.mktemp("bundle") / "bundle"
    if bundle_js.is_fresh(bundle_js.TARGET):
        return Path(shutil.copytree(bundle_js.TARGET, target))
    try:
        bundle_js.build(target)
    except node.Missing as missing:
        pytest.skip(str(missing))
    return target


def test_a_bundle_holds_all_that_it_names(made: Path) -> None:
    assert bundle_js.is_fresh(made)
    manifest = json.loads((made / "manifest.json").read_text())
    for entry in bundle_js.entries(bundle_js.sources()):
        assert (made / entry).is_file()
    for entry, chunks in manifest["preload"].items():
        assert (made / entry).is_file()
        assert chunks
        assert all((made / chunk).is_file() for chunk in chunks)
    assert set(bundle_js.joined_sheets()) <= set(manifest["sources"])
    assert all((made / sheet).is_file() for sheet in bundle_js.joined_sheets())
    (made / "manifest.json").write_text(json.dumps({**manifest, "sources": {}}))
    assert not bundle_js.is_fresh(made)
    (made / "manifest.json").unlink()
    assert not bundle_js.is_fresh(made)


def test_what_is_packed_is_what_is_there(made: Path) -> None:
    unpack = """
        const { brotliDecompressSync } = require('node:zlib');
        const { readFileSync } = require('node:fs');
        for (const file of process.argv.slice(1)) {
          if (!brotliDecompressSync(readFileSync(`${file}.br`)).equals(readFileSync(file))) console.log(file);
        }
    """
    files = [file for file in made.rglob("*.*") if file.suffix in (".js", ".css")]
    done = subprocess.run([node.program("node"), "-e", unpack, *files], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b""


def test_where_there_is_no_node_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def missing(name: str) -> str:
        raise node.Missing(f"{name} is missing")

    monkeypatch.setattr(node, "program", missing)
    monkeypatch.setattr(bundle_js, "is_fresh", lambda: False)
    for arguments, status in ((["--optional"], 0), ([], 1)):
        monkeypatch.setattr("sys.argv", ["bundle_js", *arguments])
        assert bundle_js.main() == status
        assert capsys.readouterr().err == "node is missing; the page's modules are served one by one\n"


def test_the_bundle_is_no_part_of_the_repository() -> None:
    assert "/static/bundle/\n" in (ROOT / ".gitignore").read_text()
