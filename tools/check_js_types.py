"""Checks the types of the page's modules with tsc, strictly; `make lint` runs it.

tools/elements.d.ts names the page's own elements. TypeScript is fetched once into the environment (`tools.node`).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import bundle_js, node

TOOLS = Path(__file__).resolve().parent
TYPESCRIPT = "5.9.3"


def lay_out(folder: Path) -> None:
    """Copies the modules and tsc's configuration, with the modules of plug-ins at their addresses."""
    bundle_js.lay_out(folder / "static")
    (folder / "tools").mkdir()
    for name in ("tsconfig.json", "elements.d.ts"):
        shutil.copy(TOOLS / name, folder / "tools")


def main() -> int:
    try:
        compiler = [node.program("node"), str(node.package("typescript", TYPESCRIPT) / "bin" / "tsc")]
    except node.Missing as missing:
        raise SystemExit(f"{missing}; tsc checks the types of static/js") from missing
    with tempfile.TemporaryDirectory(prefix="gradoscope-types-") as folder:
        lay_out(Path(folder))
        command = [*compiler, "--pretty", "false", "--project", "tools"]
        return subprocess.run(command, cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
