"""The OpenAPI document: FastAPI's, completed with what FastAPI cannot know."""

from __future__ import annotations

import copy
from functools import cache

from pydantic.json_schema import models_json_schema

from ..contract.catalogue import Catalogue
from ..contract.events import EVENTS
from ..contract.experiment_events import EXPERIMENT_EVENTS
from ..contract.wire import JsonObject
from ..images.palettes import palettes
from ..images.samples import samples
from ..lab.registry import experiments
from ..lab.wording import words
from ..pipeline.presentation import FALLBACK
from ..pipeline.texts import texts
from .middleware.api_key import PUBLIC_PATHS

Document = JsonObject
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
LINK_PARAMETERS = {  # where a link finds its parameters in an explanation's record
    "id": "$response.body#/id",
    "panel": "$response.body#/panels/0/id",
    "model": "$response.body#/inputs/0/model",
}
# All calls in order of use, by the keys of their summaries in static/texts/LANGUAGE/api.json.
CALLS = {
    "explain": ("post", "/api/v1/explanations"),
    "explanation": ("get", "/api/v1/explanations/{id}"),
    "array": ("get", "/api/v1/explanations/{id}/panels/{panel}.npy"),
    "coloured": ("get", "/api/v1/explanations/{id}/panels/{panel}.png"),
    "sheet": ("get", "/api/v1/explanations/{id}.png"),
    "archive": ("get", "/api/v1/explanations/{id}.zip"),
    "image": ("get", "/api/v1/explanations/{id}/image.png"),
    "seen": ("get", "/api/v1/explanations/{id}/inputs/{model}.png"),
    "forget": ("delete", "/api/v1/explanations/{id}"),
    "predict": ("post", "/api/v1/predictions"),
    "estimate": ("post", "/api/v1/estimates"),
    "measure": ("post", "/api/v1/explanations/{id}/panels/{panel}/metrics"),
    "metric_array": ("get", "/api/v1/explanations/{id}/panels/{panel}/metrics/{metric}/{name}.npy"),
    "add_map": ("post", "/api/v1/explanations/{id}/maps"),
    "flow": ("post", "/api/v1/gradient-flows"),
    "experiments": ("get", "/api/v1/experiments"),
    "experiment": ("post", "/api/v1/experiments/{id}"),
    "run": ("post", "/api/v1/runs"),
    "models": ("get", "/api/v1/models"),
    "classes": ("get", "/api/v1/models/{id}/classes"),
    "methods": ("get", "/api/v1/methods"),
    "metrics": ("get", "/api/v1/metrics"),
    "samples": ("get", "/api/v1/samples"),
    "fetch": ("post", "/api/v1/models/{id}/weights"),
    "begin": ("post", "/api/v1/session"),
    "end": ("delete", "/api/v1/session"),
    "healthz": ("get", "/healthz"),
    "readyz": ("get", "/readyz"),
    "telemetry": ("get", "/metrics"),
}
FILES = ("image", "map", "run")  # fields that take a file
EXAMPLE_SAMPLE = "cat"
EXAMPLES = {"method": ["grad_cam"], "target": ["top"]}  # of repeatable fields; the example of any other is []
EXPLANATIONS = "/api/v1/explanations"


def describe(base: Document, catalogue: Catalogue | None, keys: bool, language: str = FALLBACK) -> Document:
    """Complete `base`: problems with their media type, forms as they are sent, links from an explanation to its parts,
    the models, methods and parameters of `catalogue` if it is known, and API keys if `keys`. Calls stand in order of
    use, with summaries in `language`."""
    document = copy.deepcopy(base)
    _summarise(document, language)
    for path in document["paths"].values():
        for operation in path.values():
            _describe_problems(operation["responses"])
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "colormap":
                    parameter["schema"]["enum"] = list(palettes())
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own errors, which we do not send
        document["components"]["schemas"].pop(unused, None)
    forms = [schema for name, schema in document["components"]["schemas"].items() if name.startswith("Body_")]
    for form in forms:
        form["additionalProperties"] = False
        _fix_form(form["properties"])
        if "image" in form["properties"]:
            form["oneOf"] = [{"required": [name]} for name in ("image", "sample", "from")]
        if catalogue:
            _add_choices(form["properties"], catalogue)
    document["components"]["schemas"] = _event_schemas() | document["components"]["schemas"]
    _describe_experiments(document["paths"]["/api/v1/experiments/{id}"]["post"])
    _add_links(document["paths"])
    if keys:
        _add_security(document)
    return document


def _summarise(document: Document, language: str) -> None:
    """Order the calls by their use; their summaries and the names of their groups in a language."""
    words = texts(language)
    order = list(dict.fromkeys(path for _, path in CALLS.values()))
    document["paths"] = {path: document["paths"][path] for path in order} | document["paths"]
    groups: dict[str, None] = {}
    for key, (method, path) in CALLS.items():
        operation = document["paths"][path][method]
        operation["summary"] = words[f"api.call.{key}"]
        operation["tags"] = [words[f"api.tag.{tag.replace(' ', '_')}"] for tag in operation["tags"]]
        groups |= dict.fromkeys(operation["tags"])
    document["tags"] = [{"name": name} for name in groups]


@cache
def _event_schemas() -> Document:
    """The data of the events in the streams of explanations and experiments, which FastAPI knows nothing of."""
    models = [(model, "serialization") for model in (*EVENTS.values(), *EXPERIMENT_EVENTS.values())]
    _, found = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    return dict(found["$defs"])


def _describe_experiments(operation: Document) -> None:
    """Name the experiments, and give an example of each: the first that is worth trying."""
    known = experiments()
    for parameter in operation["parameters"]:
        if parameter["name"] == "id":
            parameter["schema"]["enum"] = list(known)
    operation["requestBody"]["content"]["application/json"]["examples"] = {
        one.id: {"summary": words(one)["question"], "value": {"parameters": dict(one.tries[0].parameters), "seed": 0}}
        for one in known.values()
    }


def _describe_problems(responses: Document) -> None:
    responses.pop("422", None)  # the operation's response «4XX» includes it
    for status, response in responses.items():
        if status[0] in "45":
            response["content"] = PROBLEM


def _fix_form(fields: Document) -> None:
    for name, field in fields.items():
        fields[name] = _without_null(field)
    for file in FILES:
        if file in fields:
            fields[file] = {**fields[file], "format": "binary"}
    if "sample" in fields:  # an example, so that a form that is sent as /docs shows it has its picture
        fields["sample"] |= {"enum": list(samples()), "example": EXAMPLE_SAMPLE}
    for name, field in fields.items():  # without an example /docs fills in «string», 0, or the first of the choices
        if field.get("type") == "array":
            field["example"] = EXAMPLES.get(name, [])
        elif "default" not in field and name not in (*FILES, "sample"):
            field["example"] = "top" if name == "target" else ""


def _add_choices(fields: Document, catalogue: Catalogue) -> None:
    models = [model.id for model in catalogue.models]
    methods = {method.id: method.parameters for method in catalogue.methods}
    metrics = {metric.id: metric.parameters for metric in catalogue.metrics}
    if "method" in fields:
        fields["method"]["items"] = {"type": "string", "enum": list(methods)}
    if "model" in fields and catalogue.downloads != "any":  # with "any", all ids of timm and torchvision are allowed
        fields["model"].get("items", fields["model"])["enum"] = models
    if "options" in fields:
        known = (methods if "method" in fields else {}) | (metrics if "metrics" in fields else {})
        fields["options"] |= {
            "contentMediaType": "application/json",
            "contentSchema": {"type": "object", "properties": known, "additionalProperties": False},
        }
    if "metrics" in fields:
        fields["metrics"]["items"] = {"type": "string", "enum": [*metrics, "all"]}


def _add_links(paths: Document) -> None:
    """Add links from an explanation's record to all of its parts."""
    links = {}
    for path, operations in paths.items():
        if path.startswith(f"{EXPLANATIONS}/{{id}}"):
            if "{metric}" in path:  # a record need not have any
                continue
            parameters = {name: expression for name, expression in LINK_PARAMETERS.items() if f"{{{name}}}" in path}
            for operation in operations.values():
                id = operation["operationId"]
                links[id] = {"operationId": id, "parameters": parameters}
    paths[EXPLANATIONS]["post"]["responses"]["200"]["links"] = links


def _add_security(document: Document) -> None:
    """Describe which paths need an API key, and how it is sent."""
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    document["security"] = [{"bearer": []}, {"header": []}]
    for path in PUBLIC_PATHS:
        for operation in document["paths"].get(path, {}).values():
            operation["security"] = []


def _without_null(field: Document) -> Document:
    """A field's schema without null: a form's field is present or absent, and file choosers do not understand null."""
    if "anyOf" not in field:
        return field
    kind, *others = (one for one in field["anyOf"] if one != {"type": "null"})
    if others:
        return {**field, "anyOf": [kind, *others]}
    return {**{name: value for name, value in field.items() if name != "anyOf"}, **kind}
