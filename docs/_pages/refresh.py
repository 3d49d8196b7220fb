"""Writes the tables that checked-in pages have of what the code declares: settings and methods.

Usage: python docs/_pages/refresh.py. A test fails while a table is not up to date.
"""

from __future__ import annotations

from pathlib import Path

from method_pages import method_table
from settings_page import settings_table
from tables import filled

DOCS = Path(__file__).resolve().parents[1]


def refreshed() -> dict[Path, str]:
    """The pages with their tables up to date, by file."""
    made = {"settings": settings_table(), "methods": method_table()}
    return {(file := DOCS / f"{name}.md"): filled(file.read_text("utf-8"), name, new) for name, new in made.items()}


if __name__ == "__main__":
    for file, text in refreshed().items():
        file.write_text(text, "utf-8")
