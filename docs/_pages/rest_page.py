"""The REST reference, from the OpenAPI document of the application itself."""

from __future__ import annotations

from typing import Any

from gradoscope.attribution.methods.base import methods
from gradoscope.web.application import create_app
from gradoscope.web.openapi import describe
from tables import bounds_of, table, type_of

START = """# REST
Base `/api/v1`. A running server has the same at `/docs` to try out, and as a document at `/openapi.json`.

The six maps of a picture, as JSON when all is done; then as a contact sheet, with another class and more steps:

```bash
curl -s -F image=@static/samples/cat.jpg http://127.0.0.1:8000/api/v1/explanations -o cat.json
curl -s -F image=@static/samples/grid.jpg -F target=967 -F method=integrated_gradients \\
     -F 'options={"integrated_gradients": {"steps": 64}}' \\
     -H 'Accept: image/png' -o sheet.png http://127.0.0.1:8000/api/v1/explanations
```

Refusals are `application/problem+json` (RFC 9457): `type`, `title`, `status`, a `detail` that says what to do, and \
`errors` with the offending fields. Every answer has an `X-Request-ID`.

## Events
With `Accept: text/event-stream`, `POST /explanations` answers while it happens. \
Closing the connection ends the computation.

```bash
curl -sN -F sample=cat -F method=smooth_grad -H 'Accept: text/event-stream' http://127.0.0.1:8000/api/v1/explanations
```

| event | data |
| --- | --- |
| `accepted` | `id`, `panels`, `gradient_evaluations` |
| `prediction` | `model`, `input`, `predictions` |
| `progress` | `panel`, `done`, `total` |
| `partial` | `panel`, `done`, `total`, `map` so far, at most 112 × 112 and four a second |
| `panel` | `panel`: its record, `map`: whole |
| `done` | the whole record, and the end |
| `error` | a problem, and the end |

A `map` is `{"shape": [h, w], "dtype": "float16", "scale": s, "data": base64}`: a value is its datum × scale, \
summed over the channels with its sign.
"""


def rest_page() -> str:
    """The page «REST»."""
    document = describe(create_app().openapi(), None, keys=False)
    parts = [START]
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
    lines = [f"## {verb.upper()} {path}\n", _said(operation), ""]
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


def _said(operation: dict[str, Any]) -> str:
    return str(operation.get("description") or operation.get("summary") or "")


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found
    return schema
