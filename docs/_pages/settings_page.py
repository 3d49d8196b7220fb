"""Settings, from their declaration."""

from __future__ import annotations

from pathlib import Path

from gradoscope.settings import Settings
from tables import bounds_of, table, type_of


def settings_page() -> str:
    """The page «Settings»."""
    schema = Settings.model_json_schema()["properties"]
    rows = [
        (f"`GRADOSCOPE_{name.upper()}`", field.description or "", f"`{_shown(field.default)}`", _kind(schema[name]))
        for name, field in Settings.model_fields.items()
    ]
    return (
        "# Settings\n"
        "Each setting is read from the environment; `docker run -e`, a compose file and a shell set them alike. "
        "`gradoscope doctor` says which differ from their defaults, and what is wrong with them.\n\n"
        + table(("variable", "meaning", "default", "values"), rows)
        + "\n"
    )


def _shown(default: object) -> str:
    if default in (None, "", []):
        return "none"
    if isinstance(default, Path):
        return str(default).replace(str(Path.home()), "~")
    return ", ".join(map(str, default)) if isinstance(default, list) else str(default)


def _kind(schema: dict[str, object]) -> str:
    kinds = [kind for kind in type_of(schema).split(" or ") if kind != "null"]
    return " ".join(part for part in (" or ".join(kinds), bounds_of(schema)) if part)
