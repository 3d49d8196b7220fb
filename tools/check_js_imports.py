"""Checks how the page's modules depend on each other; `make lint` runs it. Prints what is wrong, and exits with 1 then.

- Every import leads to a file, and no modules import each other in a circle.
- A module imports from its own folder, and from those that its folder's README.md names («May import: …»).
- Only static/js/state/actions.js writes to the store.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "static" / "js"
WRITER = "state/actions.js"
COMMENT = re.compile(r"^\s*/\*.*?\*/|^\s*//[^\n]*", re.S | re.M)  # imports in comments are of types: they do not count
STATIC = re.compile(r"""^(?:import\s+(?:[^"';]*?\bfrom\s+)?|export\s+[^"'=;]*?\bfrom\s+)["'](\.[^"']+)["']""", re.M)
DYNAMIC = re.compile(r"""\bimport\(\s*(["'`])(\.[^"'`]+)\1""")
WORKER = re.compile(r"""new URL\("(\.[^"]+\.js)", import\.meta\.url\)""")
WRITES = re.compile(r"\bstore\.(?:set|setPanel)\(|\bstore\.state(?:\.\w+)+\s*=[^=>]|Object\.assign\(store\.state\b")
ALLOWED = re.compile(r"^May import: (.*)\.$", re.M)


def check(scripts: Path = SCRIPTS, templates: Path | None = ROOT / "templates") -> list[str]:
    """What is wrong, a line each."""
    sources = {file: COMMENT.sub("", file.read_text("utf-8")) for file in sorted(scripts.rglob("*.js"))}
    imports = {file: set(_imports(file, source)) for file, source in sources.items()}
    return [
        *_missing(scripts, imports),
        *_missing_in(templates, scripts),
        *_not_allowed(scripts, imports),
        *_cycles(scripts, imports),
        *_writers(scripts, sources),
    ]


def _imports(file: Path, source: str) -> Iterator[Path]:
    """The files that a module imports, statically or dynamically; `${name}` in a path matches every such file."""
    named = [*STATIC.findall(source), *(spec for _, spec in DYNAMIC.findall(source)), *WORKER.findall(source)]
    for spec in named:
        if "${" in spec:
            found = sorted(file.parent.glob(re.sub(r"\$\{[^}]*\}", "*", spec)))
            yield from (each.resolve() for each in found or [file.parent / spec])
        else:
            yield (file.parent / spec).resolve()


def _missing(scripts: Path, imports: Mapping[Path, set[Path]]) -> Iterator[str]:
    for file, targets in imports.items():
        for target in sorted(targets):
            if not target.is_file():
                yield f"{_name(file, scripts)} imports {_name(target, scripts)}, which is not there"


def _missing_in(templates: Path | None, scripts: Path) -> Iterator[str]:
    for page in sorted(templates.rglob("*.html")) if templates else ():
        for name in re.findall(r"'js/([^']+)'", page.read_text("utf-8")):
            if not (scripts / name).is_file():
                yield f"{page.name} loads {name}, which is not there"


def _not_allowed(scripts: Path, imports: Mapping[Path, set[Path]]) -> Iterator[str]:
    allowed: dict[str, set[str]] = {}
    for folder in sorted(each for each in scripts.iterdir() if each.is_dir()):
        readme = folder / "README.md"
        line = ALLOWED.search(readme.read_text("utf-8")) if readme.is_file() else None
        if line is None:
            yield f"{folder.name}/README.md does not say what the folder may import"
        allowed[folder.name] = set(re.findall(r"`([\w-]+)`", line[1])) if line else set()
    used: dict[str, set[str]] = {name: set() for name in allowed}
    for file, targets in imports.items():
        here = _folder(file, scripts)
        for there in {_folder(target, scripts) for target in targets} - {here}:
            used.setdefault(here, set()).add(there)
            if there not in allowed.get(here, set()):
                yield f"{_name(file, scripts)} imports from {there}/, which {here}/README.md does not allow"
    for name, names in allowed.items():
        if unused := names - used[name]:
            yield f"{name}/README.md allows what is not imported: {', '.join(sorted(unused))}"


def _cycles(scripts: Path, imports: Mapping[Path, set[Path]]) -> Iterator[str]:
    """Each circle of modules once, and each circle of folders."""
    yield from (" → ".join(cycle) for cycle in find_cycles(_names(scripts, imports)))
    folders: dict[str, set[str]] = {}
    for file, targets in imports.items():
        here = _folder(file, scripts)
        folders.setdefault(here, set()).update({_folder(target, scripts) for target in targets} - {here})
    yield from (" → ".join(f"{name}/" for name in cycle) for cycle in find_cycles(folders))


def find_cycles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Cycles of a graph, {name: names that it leads to}: one for each back edge of a depth-first walk."""
    found: list[list[str]] = []
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> None:
        if name in path:
            found.append([*path[path.index(name) :], name])
        elif name not in done:
            for other in sorted(graph.get(name, ())):
                walk(other, [*path, name])
            done.add(name)

    for name in sorted(graph):
        walk(name, [])
    return found


def _writers(scripts: Path, sources: Mapping[Path, str]) -> Iterator[str]:
    for file, source in sources.items():
        if _name(file, scripts) != WRITER and (found := WRITES.search(source)):
            yield f"{_name(file, scripts)} writes to the store ({found[0].strip()} …): that is an action's, in {WRITER}"


def _names(scripts: Path, imports: Mapping[Path, set[Path]]) -> dict[str, set[str]]:
    return {_name(file, scripts): {_name(target, scripts) for target in targets} for file, targets in imports.items()}


def _name(file: Path, scripts: Path) -> str:
    return file.relative_to(scripts.resolve()).as_posix() if file.is_relative_to(scripts.resolve()) else str(file)


def _folder(file: Path, scripts: Path) -> str:
    return _name(file, scripts).split("/")[0]


def main() -> int:
    wrong = check()
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
