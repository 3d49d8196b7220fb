"""The REST reference, from the OpenAPI document of the application itself."""

from __future__ import annotations

from typing import Any

from gradoscope.attribution.methods.base import methods
from gradoscope.web.application import create_app
from gradoscope.web.openapi import describe
from tables import bounds_of, table, type_of


def rest_reference() -> str:
    """A section for each operation, and the options of all methods."""
    document = describe(create_app().openapi(), None, keys=False)
    parts = []
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            parts.append(_operation(verb, path, operation, document))
    parts.append('## Options of the methods\n\nAs JSON in the field `options`: `{"METHOD": {"PARAMETER": value}}`.\n')
    rows = [
        (f"`{method.id}`", f"`{name}`", bounds_of(one) or type_of(one), f"`{one['default']}`", one["description"])
        for method in methods().values()
        for name, one in method.Parameters.model_json_schema().get("properties", {}).items()
    ]
    parts.append(table(("method", "parameter", "values", "default", "meaning"), rows) + "\n")
    return "\n".join(parts)


def _operation(verb: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    lines = [f"## {verb.upper()} {path}\n", _description(operation), ""]
    fields = [
        (f"`{p['name']}`", p["in"], bounds_of(p["schema"]) or type_of(p["schema"]), p.get("description", ""))
        for p in operation.get("parameters", ())
    ]
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        schema = _resolved(media["schema"], document)
        fields += [
            (f"`{name}`", kind.partition("/")[2], bounds_of(field) or type_of(field), field.get("description", ""))
            for name, field in schema.get("properties", {}).items()
        ]
    if fields:
        lines += [table(("field", "in", "values", "meaning"), fields), ""]
    answers = [
        (f"`{status}`", ", ".join(f"`{kind}`" for kind in answer.get("content", {})), answer["description"])
        for status, answer in operation["responses"].items()
    ]
    lines += [table(("status", "form", "meaning"), answers), ""]
    return "\n".join(lines)


def _description(operation: dict[str, Any]) -> str:
    return str(operation.get("description") or operation.get("summary") or "")


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found
    return schema
