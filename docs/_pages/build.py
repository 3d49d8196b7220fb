"""Builds the site: the pages of docs/ and those made from what the product says of itself, by Sphinx.

Usage: python docs/_pages/build.py FOLDER. Ends with 1 where there is a warning.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

from command_line import command_line_page
from gradoscope import __version__
from gradoscope.attribution.methods.base import methods
from method_pages import method_pages
from metric_pages import metric_pages
from pictures import pictures
from rest_page import rest_page
from settings_page import settings_page
from sphinx.cmd.build import build_main

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "https://github.com/gradoscope/gradoscope/blob/main"
MEASURING = ["models-and-methods", "metrics", "trust", "evaluate"]
CONTENTS = {
    "Use": ["your-own-model", "python", "command-line", "rest"],
    "Methods": ["methods/index", *(f"methods/{id}" for id in methods()), *MEASURING],
    "Run": ["deployment", "container", "cluster", "settings", "service", "scaling"],
    "Measured": ["speed", "convergence"],
    "Inside": ["architecture", "contributing", "plugins"],
}


def build(out: Path) -> int:
    """Put the pages together in a folder of their own, and have Sphinx make the site of it. 0 where all is well."""
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
        "settings.md": settings_page(),
        "rest.md": rest_page(),
        "command-line.md": command_line_page(),
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
        page.write_text(_led_out(page.read_text("utf-8")), "utf-8")
    with (source / "index.md").open("a", encoding="utf-8") as index:
        for title, pages in CONTENTS.items():
            index.write("\n".join(["", "```{toctree}", f":caption: {title}", ":hidden:", "", *pages, "```", ""]))


def _led_out(page: str) -> str:
    """Links that leave the docs, as the repository has them, lead into the repository."""
    page = page.replace("](../README.md#settings)", "](settings.md)")
    return re.sub(r"\]\(\.\./([^)]+)\)", rf"]({SOURCE}/\1)", page)


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1])))
