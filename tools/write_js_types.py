"""Writes static/js/api/types.js: JSDoc types of all that goes over the wire, from the OpenAPI document and EXTRA.

`--check` writes nothing, and exits with 1 if the file is out of date.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "static" / "js" / "api" / "types.js"
APPLICATION = "gradoscope.web.application:create_app"
# models that the OpenAPI document does not name: the events of a stream, and what diagnostics hold
EXTRA = (
    *(
        f"gradoscope.contract.events:{name}Event"
        for name in ("Accepted", "Prediction", "Progress", "Partial", "Panel", "Metric")
    ),
    *(f"gradoscope.contract.experiment_events:Experiment{name}Event" for name in ("Accepted", "Progress", "Partial")),
    "gradoscope.contract.records:EngineBody",
)
SKIPPED = re.compile(r"^Body_|ValidationError$")  # forms are sent as pairs; FastAPI's own error is never sent
HEAD = """\
// What is sent and answered, as types: written by tools/write_js_types.py, for tsc. No module loads it.
"""
PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
WIDTH = 116

Schema = Mapping[str, Any]


def load(path: str) -> Any:
    """Imports «module:name»."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def schemas() -> dict[str, Schema]:
    """All JSON Schemas that have a name, by name."""
    found: dict[str, Schema] = dict(load(APPLICATION)().openapi()["components"]["schemas"])
    for path in EXTRA:
        schema = TypeAdapter(load(path)).json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
        found |= schema.pop("$defs", {})
        found.setdefault(path.partition(":")[2], schema)
    return {name: found[name] for name in sorted(found) if not SKIPPED.search(name)}


def type_of(schema: Schema | bool) -> str:
    """A JSON Schema as a type of JSDoc."""
    if isinstance(schema, bool):
        return "any"
    if reference := schema.get("$ref"):
        return str(reference).rsplit("/", 1)[-1]
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " | ".join(dict.fromkeys(type_of(each) for each in schema[key]))
    if "allOf" in schema:
        return " & ".join(type_of(each) for each in schema["allOf"])
    if schema.get("type") == "array":
        return _array(schema)
    if schema.get("type") == "object":
        return f"Record<string, {type_of(schema.get('additionalProperties', True))}>"
    return PLAIN.get(schema.get("type", ""), "any")


def _array(schema: Schema) -> str:
    if "prefixItems" in schema:
        return f"[{', '.join(type_of(each) for each in schema['prefixItems'])}]"
    item = type_of(schema.get("items", True))
    return f"({item})[]" if re.search(r"[|&]", item) else f"{item}[]"


def typedef(name: str, schema: Schema) -> Iterator[str]:
    """The lines of one type."""
    yield "/**"
    yield from _words(str(schema.get("description", "")).split("\n\n")[0], " * ")
    if "properties" not in schema:
        yield f" * @typedef {{{type_of(schema)}}} {name}"
    else:
        yield f" * @typedef {{object}} {name}"
        required = set(schema.get("required", ()))
        for field, value in schema["properties"].items():
            shown = field if field in required else f"[{field}]"
            about = " ".join(str(value.get("description", "")).split())
            line = f" * @property {{{type_of(value)}}} {shown}{f' - {about}' if about else ''}"
            yield from textwrap.wrap(
                line, WIDTH, subsequent_indent=" *   ", drop_whitespace=False, break_long_words=False
            )
    yield " */"


def _words(text: str, indent: str) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), WIDTH, initial_indent=indent, subsequent_indent=indent)


def written() -> str:
    """The whole file."""
    blocks = ["\n".join(line.rstrip() for line in typedef(name, schema)) for name, schema in schemas().items()]
    return "\n\n".join([HEAD.rstrip(), *blocks, "export {};"]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="say whether the file is as it would be written")
    if not parser.parse_args().check:
        FILE.write_text(written(), "utf-8")
        return 0
    if FILE.is_file() and FILE.read_text("utf-8") == written():
        return 0
    print(f"{FILE.relative_to(ROOT)} is not what the API says: make js-types writes it", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
