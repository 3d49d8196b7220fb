"""The table of settings, from their declaration."""

from __future__ import annotations

from pathlib import Path

from gradoscope.settings import Settings
from tables import bounds_of, table, type_of


def settings_table() -> str:
    """A row for each setting: variable, default, values that it takes, meaning."""
    schema = Settings.model_json_schema()["properties"]
    rows = [
        (f"`GRADOSCOPE_{name.upper()}`", f"`{_shown(field.default)}`", _values(schema[name]), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return table(("variable", "default", "values", "meaning"), rows)


def _shown(default: object) -> str:
    if default in (None, "", []):
        return "none"
    if isinstance(default, Path):
        return str(default).replace(str(Path.home()), "~")
    return ", ".join(map(str, default)) if isinstance(default, list) else str(default)


def _values(schema: dict[str, object]) -> str:
    kinds = [kind for kind in type_of(schema).split(" or ") if kind != "null"]
    return " ".join(part for part in (" or ".join(kinds), bounds_of(schema)) if part)
