"""Writes the tables that checked-in pages have of what the code declares: settings, methods, numbers of metrics.

Usage: python docs/_pages/refresh.py. A test fails while a table is not up to date.
"""

from __future__ import annotations

from pathlib import Path

from method_pages import method_table
from metric_pages import number_table
from settings_page import settings_table
from tables import filled

DOCS = Path(__file__).resolve().parents[1]


def refreshed() -> dict[Path, str]:
    """The pages with their tables up to date, by file."""
    made = {
        "settings.md": ("settings", settings_table()),
        "methods.md": ("methods", method_table()),
        "evaluate.md": ("numbers", number_table()),
    }
    return {(file := DOCS / name): filled(file.read_text("utf-8"), *content) for name, content in made.items()}


if __name__ == "__main__":
    for file, text in refreshed().items():
        file.write_text(text, "utf-8")
