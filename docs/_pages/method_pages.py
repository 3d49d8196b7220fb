"""A page for each method, from its declaration."""

from __future__ import annotations

import inspect
import json
from typing import Any

from gradoscope.attribution.methods.base import Method, Parameters, methods
from tables import bounds_of, table, type_of

SIZE = (224, 224)


def method_pages() -> dict[str, str]:
    """Pages by path: the list, and one for each method."""
    return {"methods/index.md": _list(), **{f"methods/{id}.md": _page(method) for id, method in methods().items()}}


def _list() -> str:
    rows = [
        (f"[{m.title}]({m.id}.md)", str(m.year), m.summary, _cost(m), "yes" if m.default else "on request")
        for m in methods().values()
    ]
    return (
        "# Methods\n"
        "Each says how much the pixels have to do with a score, S: a class's logit, probability or log-probability, or "
        "the difference of two logits. Gradients are with respect to pixel values in [0, 1]; the model's own "
        "normalisation is part of the model. The page `/methods` of a running server tells what each of the first "
        "six asks, with figures to try.\n\n"
        + table(("method", "year", "what it computes", "evaluations", "by default"), rows)
        + "\n\nAn evaluation is a gradient of one picture, or a forward pass for a method that takes none. What a "
        "model cannot do rightly is refused by name; [models and methods](../models-and-methods.md) has all of them, "
        "beside captum.\n"
    )


def _page(method: Method[Any]) -> str:
    said = inspect.cleandoc(type(method).__doc__ or "")
    parts = [
        f"# {method.title}",
        f"{method.summary}\n",
        f"![A cat, its map, and the map over it](../images/methods/{method.id}.webp)\n",
        "*Left: what EfficientNet-Lite0 sees. Middle: the map for «tiger cat», the magnitude summed over the channels "
        "and clipped at its 99th percentile. Right: the two over each other. Made when this page was built, with the "
        "defaults below.*\n",
        f"{method.year} · [{method.paper.title}]({method.paper.url}) · {_cost(method)} with the defaults\n",
    ]
    if said:
        parts.append(f"## What is computed\n\n{said}\n")
    parts += ["## What speaks for it\n", *(f"- {strength}" for strength in method.strengths), ""]
    parts += ["## What to beware of\n", *(f"- {weakness}" for weakness in method.weaknesses), ""]
    parts.append(_parameters(method))
    parts.append(_ask(method))
    return "\n".join(parts) + "\n"


def _parameters(method: Method[Any]) -> str:
    return f"## Parameters\n\n{parameter_table(method.Parameters)}\n"


def parameter_table(parameters: type[Parameters]) -> str:
    """What can be set, with bounds, defaults and meaning."""
    schema = parameters.model_json_schema().get("properties", {})
    if not schema:
        return "None."
    rows = [
        (f"`{name}`", bounds_of(one) or type_of(one), f"`{json.dumps(one['default'])}`", one.get("description", ""))
        for name, one in schema.items()
    ]
    return table(("parameter", "values", "default", "meaning"), rows)


def _ask(method: Method[Any]) -> str:
    shell = f"gradoscope explain static/samples/cat.jpg --method {method.id} --out explanations/{method.id}"
    return (
        f"## To have it\n\n```bash\n{shell}\n```\n\n"
        f"```bash\ncurl -s -F sample=cat -F method={method.id} http://127.0.0.1:8000/api/v1/explanations\n```\n"
    )


def _cost(method: Method[Any]) -> str:
    count = method.cost(method.Parameters(), SIZE)
    return f"{count} evaluation{'s' if count != 1 else ''}"
