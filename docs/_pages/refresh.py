"""Writes what checked-in pages have of other files: tables of settings, methods and numbers of metrics; examples.

Usage: python docs/_pages/refresh.py. A test fails while one is not up to date.
"""

from __future__ import annotations

from pathlib import Path

from method_pages import method_table
from metric_pages import number_table
from settings_page import settings_table
from tables import filled

DOCS = Path(__file__).resolve().parents[1]
ANY_OUTPUT = DOCS / "any-output.md"
EXAMPLES = DOCS.parent / "examples" / "any_output"


def refreshed() -> dict[Path, str]:
    """The pages with their tables and examples up to date, by file."""
    made = {
        "settings.md": ("settings", settings_table()),
        "methods.md": ("methods", method_table()),
        "evaluate.md": ("numbers", number_table()),
    }
    tables = {(file := DOCS / name): filled(file.read_text("utf-8"), *content) for name, content in made.items()}
    return tables | {ANY_OUTPUT: with_examples(ANY_OUTPUT.read_text("utf-8"))}


def with_examples(page: str) -> str:
    """A page with the files of `EXAMPLES` at their marks."""
    for example in sorted(EXAMPLES.glob("*.py")):
        page = filled(page, example.stem, f"```python\n{example.read_text('utf-8')}```")
    return page


if __name__ == "__main__":
    for file, text in refreshed().items():
        file.write_text(text, "utf-8")
