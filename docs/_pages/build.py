"""Builds the site with Sphinx: the pages of docs/, and those generated from what the code declares.

Usage: python docs/_pages/build.py FOLDER. The exit status is 1 if there is a warning.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

from command_line import command_line_reference
from experiment_pages import experiment_reference
from gradoscope import __version__
from gradoscope.attribution.methods.base import methods
from method_pages import method_pages, method_table
from metric_pages import metric_pages
from pictures import pictures
from rest_page import rest_reference
from sphinx.cmd.build import build_main
from tables import filled

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "https://github.com/gradoscope/gradoscope/blob/main"
MEASURING = ["models-and-methods", "metrics", "trust", "evaluate"]
CONTENTS = {
    "Use": ["models", "your-own-model", "python", "any-output", "lab", "command-line", "rest"],
    "Methods": ["methods", *(f"methods/{id}" for id in methods()), *MEASURING],
    "Run": ["deployment", "container", "cluster", "settings", "service", "scaling"],
    "Measured": ["speed", "convergence", "timm-sweep", "compare"],
    "Inside": ["architecture", "rendering", "contributing", "plugins"],
}


def build(out: Path) -> int:
    """Collect the pages in a temporary folder, and build the site from it. Returns 0 if there was no warning."""
    with tempfile.TemporaryDirectory(prefix="gradoscope-docs-") as made:
        source = Path(made)
        _gather(source)
        options = ["-q", "-W", "--keep-going", "-b", "html", "-d", str(source / ".doctrees")]
        return build_main([*options, "-D", f"release={__version__}", str(source), str(out)])


def _gather(source: Path) -> None:
    docs = ROOT / "docs"
    shutil.copytree(docs, source, dirs_exist_ok=True, ignore=shutil.ignore_patterns("_pages"))
    shutil.copy(Path(__file__).with_name("conf.py"), source)
    (source / "_own").mkdir()
    shutil.copy(Path(__file__).with_name("site.css"), source / "_own")
    generated: dict[str, str | bytes] = {
        "rest.md": f"{(docs / 'rest.md').read_text('utf-8')}\n{rest_reference()}",
        "command-line.md": f"{(docs / 'command-line.md').read_text('utf-8')}\n{command_line_reference()}",
        "lab.md": f"{(docs / 'lab.md').read_text('utf-8')}\n{experiment_reference()}",
        "methods.md": filled((docs / "methods.md").read_text("utf-8"), "methods", method_table(linked=True)),
        "icon.svg": (ROOT / "static" / "icon.svg").read_bytes(),
        **method_pages(),
        **metric_pages(),
        **pictures(ROOT / ".docs-pictures"),
    }
    for path, content in generated.items():
        file = source / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    for page in source.glob("*.md"):
        page.write_text(_link_to_source(page.read_text("utf-8")), "utf-8")
    with (source / "index.md").open("a", encoding="utf-8") as index:
        for title, pages in CONTENTS.items():
            index.write("\n".join(["", "```{toctree}", f":caption: {title}", ":hidden:", "", *pages, "```", ""]))


def _link_to_source(page: str) -> str:
    """Links to files outside docs/ become links into the repository."""
    return re.sub(r"\]\(\.\./([^)]+)\)", rf"]({SOURCE}/\1)", page)


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1])))
