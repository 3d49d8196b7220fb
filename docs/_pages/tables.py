"""Markdown tables of what the code declares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; bars and line ends within cells are escaped."""
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines
    )


def filled(page: str, mark: str, content: str) -> str:
    """`page` with `content` between its comments `<!-- mark -->` and `<!-- /mark -->`."""
    before, start, rest = page.partition(f"<!-- {mark} -->\n")
    _, end, after = rest.partition(f"<!-- /{mark} -->")
    if not start or not end:
        raise ValueError(f"the page has no marks for «{mark}»")
    return f"{before}{start}{content}\n{end}{after}"


def type_of(schema: dict[str, Any]) -> str:
    """A JSON schema in a few words."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(type_of(part) for part in schema[several]))
    if schema.get("type") == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    if "const" in schema:
        return json.dumps(schema["const"], ensure_ascii=False)
    return str(schema.get("format") if schema.get("format") == "binary" else schema.get("type", "any"))


def bounds_of(schema: dict[str, Any]) -> str:
    """The values that a schema allows: a list, or a range."""
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    start = f"≥ {low}" if low is not None else f"> {above}" if above is not None else ""
    end = f"≤ {high}" if high is not None else f"< {below}" if below is not None else ""
    return ", ".join(part for part in (start, end) if part)
