"""Bundles the page's modules into static/bundle/, which the server prefers to the plain ones while it fits them: a
visit makes a few requests instead of a hundred. The sheets of static/css/sheets.json are there too, and every file is
beside itself as Brotli makes it, a tenth shorter than gzip. `make bundle`

Nothing depends on it: without a bundle, or with one of other sources, the plain modules are served. An entry keeps its
own address: the modules that templates and workers name, the figures of methods and metrics, and what plug-ins may
import (the list in static/js/README.md). All others are within an entry or a chunk, each once, with its state. Rollup
bundles, for it can be told which modules belong together (`plan`); esbuild makes its output shorter, and Node.js
packs it: that costs a second, which a server would need at its first visit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import posixpath
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from tools import node
from tools.check_js_imports import COMMENT, DYNAMIC, STATIC, WORKER

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "static" / "bundle"
MANIFEST = "manifest.json"
VERSIONS = {"rollup": "4.68.8", "esbuild": "0.28.2"}
START, WORKBENCH, DIALOGS = "js/page/main.js", "js/page/workbench.js", "js/page/dialogs.js"
SHEETS = "css/sheets.json"
SHORTEN = ("--minify", "--target=es2022", "--charset=utf8", "--legal-comments=none", "--log-level=warning")
MODULE_SCRIPT = re.compile(r"""<script type="module" src="\{\{ static\('(js/[^']+)'\)""")
PLUGIN_API = re.compile(r"^- `(\w+/[\w-]+\.js)`", re.M)

Imports = Mapping[str, frozenset[str]]  # paths below /static/: a module → those that it imports


def sources(root: Path = ROOT) -> dict[str, Path]:
    """All scripts by their paths below /static: those of methods and metrics stand in app/, and are served at
    plugins/KIND/ID/."""
    scripts, plugins = root / "static" / "js", root / "app" / "attribution"
    found = {f"js/{file.relative_to(scripts).as_posix()}": file for file in scripts.rglob("*.js")}
    for file in plugins.glob("*/*/static/*.js"):
        kind, id, *_ = file.relative_to(plugins).parts
        found[f"plugins/{kind}/{id}/{file.name}"] = file
    return dict(sorted(found.items()))


def lay_out(folder: Path) -> None:
    """Copies all scripts to where their addresses have them, so that imports lead from one to the other."""
    for path, file in sources().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / path)


def joined_sheets(root: Path = ROOT) -> dict[str, bytes]:
    """The style sheets that pages get in one file, by their paths below /static, as the server joins them."""
    named = json.loads((root / "static" / SHEETS).read_text("utf-8"))
    folder = root / "static" / "css"
    return {
        f"css/{page}.css": b"\n".join((folder / f"{name}.css").read_bytes() for name in names)
        for page, names in named.items()
    }


def hashes() -> dict[str, str]:
    bodies = {path: file.read_bytes() for path, file in sources().items()} | joined_sheets()
    return {path: hashlib.sha256(body).hexdigest() for path, body in bodies.items()}


def is_fresh(target: Path = TARGET) -> bool:
    """Whether the bundle is of the sources as they are now."""
    try:
        manifest = json.loads((target / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return bool(manifest["sources"] == hashes() and manifest["versions"] == VERSIONS)


def plugin_api() -> set[str]:
    """The modules that a plug-in may import."""
    return {f"js/{path}" for path in PLUGIN_API.findall((ROOT / "static" / "js" / "README.md").read_text("utf-8"))}


def page_scripts() -> set[str]:
    """The modules that pages begin with."""
    templates = (ROOT / "templates").rglob("*.html")
    return {path for file in templates for path in MODULE_SCRIPT.findall(file.read_text("utf-8"))}


class Graph:
    """Which module imports which."""

    def __init__(self, scripts: Mapping[str, Path]) -> None:
        texts = {path: COMMENT.sub("", file.read_text("utf-8")) for path, file in scripts.items()}
        self.static: Imports = {path: _targets(path, STATIC.findall(text)) for path, text in texts.items()}
        self.later: Imports = {
            path: _targets(path, (spec for _, spec in DYNAMIC.findall(text))) for path, text in texts.items()
        }
        self.workers = frozenset().union(*(_targets(path, WORKER.findall(text)) for path, text in texts.items()))

    def reached(self, roots: Iterable[str], later: bool = False) -> set[str]:
        """The roots and what they import, directly or not; with `later` what they import when it is wanted, too."""
        found: set[str] = set()
        waiting = list(roots)
        while waiting:
            path = waiting.pop()
            if path not in found:
                found.add(path)
                waiting += self.static[path] | (self.later[path] if later else frozenset())
        return found


def _targets(path: str, specs: Iterable[str]) -> frozenset[str]:
    folder = posixpath.dirname(path)
    return frozenset(posixpath.normpath(posixpath.join(folder, spec)) for spec in specs)


def entries(scripts: Mapping[str, Path]) -> set[str]:
    """The modules that keep an address of their own."""
    plugins = {path for path in scripts if path.startswith("plugins/")}
    found = plugins | plugin_api() | page_scripts() | Graph(scripts).workers | {WORKBENCH, DIALOGS}
    if missing := found - set(scripts):
        raise SystemExit(f"no such module: {', '.join(sorted(missing))}")
    return found


def plan(scripts: Mapping[str, Path]) -> dict[str, str]:
    """Which chunk a module belongs to, by a name of the chunk; Rollup places the others.

    A first visit makes as few requests as can be: the start page's file, and a chunk of what it shares with other
    pages; for an opened explanation the workbench's too; what opens over the workbench in one that is fetched after
    it, and a chunk for each large dialog. What other pages import is not in the start page's file, because loading
    that file starts the page.
    """
    graph = Graph(scripts)
    of_metrics = {path for path in plugin_api() if path.startswith("js/metrics/")}
    figures = {
        kind: {path for path in scripts if path.startswith(f"plugins/{kind}/")} for kind in ("methods", "metrics")
    }
    start = graph.reached({START})
    bench = graph.reached({WORKBENCH}) - start
    elsewhere = graph.reached(page_scripts() - {START} | figures["methods"] | plugin_api() - of_metrics, later=True)
    chunks = dict.fromkeys((bench | start) & elsewhere, "shared")
    chunks |= dict.fromkeys(bench - elsewhere, "workbench") | dict.fromkeys(start - elsewhere, "start")
    later = {"dialogs": {DIALOGS}, "flow": {"js/flow/main.js"}, "metrics": {"js/metrics/main.js"} | of_metrics}
    for name, roots in later.items():
        rest = graph.reached(roots) - set(chunks)
        common = "shared" if name == "dialogs" else "figures"  # the dialogs come with each visit: without another file
        chunks |= dict.fromkeys(rest & elsewhere, common) | dict.fromkeys(rest - elsewhere, name)
    return chunks


def build(target: Path = TARGET) -> None:
    """Writes the bundle. Raises `node.Missing` where Rollup or esbuild cannot be had."""
    program = node.program("node")
    rollup, esbuild = (node.package(name, version) for name, version in VERSIONS.items())
    before = hashes()
    with tempfile.TemporaryDirectory(prefix="gradoscope-bundle-") as name:
        folder = Path(name).resolve()
        files = roll_up(folder, program, rollup / "dist" / "es" / "rollup.js")
        for path, sheet in joined_sheets().items():
            (folder / "long" / path).parent.mkdir(exist_ok=True)
            (folder / "long" / path).write_bytes(sheet)
            files[path] = []
        where = ["--outbase=long", "--outdir=short"]
        command = [program, esbuild / "bin" / "esbuild", *(f"long/{path}" for path in files), *SHORTEN, *where]
        if subprocess.run(command, cwd=folder, check=False).returncode:
            raise SystemExit("esbuild could not shorten the page's modules and sheets")
        check_starts(files)
        manifest = {"versions": VERSIONS, "sources": before, "preload": preloads(files)}
        manifest["brotli"] = pack(folder / "short", program)
        (folder / "short" / MANIFEST).write_text(json.dumps(manifest, indent=1), "utf-8")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder / "short", target)


def roll_up(folder: Path, program: str, rollup: Path) -> dict[str, list[str]]:
    """Writes the entries and chunks to `long` in the folder. The files, and what each imports."""
    scripts = sources()
    lay_out(folder / "static")
    command = [program, ROOT / "tools" / "bundle.mjs", rollup, folder / "static", folder / "long"]
    workers = Graph(scripts).workers
    pages = {"entries": sorted(entries(scripts) - workers), "chunks": plan(scripts)}
    files: dict[str, list[str]] = {}
    # A worker is a world of its own: it shares no file with a page.
    for asked in (pages, *({"entries": [path], "chunks": {}} for path in sorted(workers))):
        done = subprocess.run(command, input=json.dumps(asked), text=True, stdout=subprocess.PIPE, check=False)
        if done.returncode:
            raise SystemExit("Rollup could not bundle the page's modules")
        files |= json.loads(done.stdout)
    return files


def pack(folder: Path, program: str) -> dict[str, list[str]]:
    """Writes each file as Brotli makes it to FILE.br. By the file: its hash, and that of its Brotli, so that the server
    knows that they belong together."""
    command = [program, ROOT / "tools" / "brotli.mjs", folder]
    if subprocess.run(command, check=False).returncode:
        raise SystemExit("Node.js could not pack the bundle")
    return {
        file.relative_to(folder).with_suffix("").as_posix(): [
            hashlib.sha256(each.read_bytes()).hexdigest() for each in (file.with_suffix(""), file)
        ]
        for file in sorted(folder.rglob("*.br"))
    }


def preloads(files: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """For each file of the bundle that imports others: all that it imports, directly or not."""

    def reached(path: str, found: dict[str, None]) -> dict[str, None]:
        for each in files[path]:
            if each not in found:
                found[each] = None
                reached(each, found)
        return found

    return {path: list(reached(path, {})) for path in sorted(files) if files[path]}


def check_starts(files: Mapping[str, list[str]]) -> None:
    """What another page, or a plug-in there, imports must not load the start page's file: it would start that page."""
    loaded = preloads(files)
    others = page_scripts() - {START} | {path for path in files if path.startswith("plugins/methods/")}
    others |= {path for path in plugin_api() if not path.startswith("js/metrics/")}
    if wrong := sorted(path for path in others if START in loaded.get(path, ())):
        raise SystemExit(f"these would load the start page: {', '.join(wrong)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--optional", action="store_true", help="where it cannot be made, say so and go on")
    optional = parser.parse_args().optional
    if is_fresh():
        return 0
    try:
        build()
    except node.Missing as missing:
        print(f"{missing}; the page's modules are served one by one", file=sys.stderr)
        return 0 if optional else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
