"""A page for each method, from its declaration."""

from __future__ import annotations

import inspect
import json
from typing import Any

from gradoscope.attribution.methods.base import Method, Parameters, methods
from tables import bounds_of, table, type_of

SIZE = (224, 224)
NO_PICTURE = ("*No picture: the weights that are installed are a CNN's, which this method refuses.*\n",)


def method_pages() -> dict[str, str]:
    """Pages by path, one for each method."""
    return {f"methods/{id}.md": _page(method) for id, method in methods().items()}


def method_table(linked: bool = False) -> str:
    """A row for each method; `linked` to its page, which exists on the site only."""
    rows = [
        (
            f"[{m.title}](methods/{m.id}.md)" if linked else m.title,
            f"`{m.id}`",
            str(m.year),
            m.summary,
            str(m.cost(m.Parameters(), SIZE)),
            "yes" if m.default else "on request",
        )
        for m in methods().values()
    ]
    return table(("method", "id", "year", "what it computes", "evaluations", "by default"), rows)


def _page(method: Method[Any]) -> str:
    said = inspect.cleandoc(type(method).__doc__ or "")
    parts = [
        f"# {method.title}",
        f"{method.summary}\n",
        *(NO_PICTURE if method.transformers_only else _picture(method)),
        f"{method.year} · [{method.paper.title}]({method.paper.url}) · {_cost(method)} with the defaults\n",
    ]
    if said:
        parts.append(f"## What is computed\n\n{said}\n")
    parts += ["## Strengths\n", *(f"- {strength}" for strength in method.strengths), ""]
    parts += ["## Weaknesses\n", *(f"- {weakness}" for weakness in method.weaknesses), ""]
    parts.append(_parameters(method))
    parts.append(_commands(method))
    return "\n".join(parts) + "\n"


def _picture(method: Method[Any]) -> tuple[str, str]:
    return (
        f"![A cat, its map, and the map over it](../images/methods/{method.id}.webp)\n",
        "*Left: what EfficientNet-Lite0 sees. Middle: the map for «tiger cat», the magnitude summed over the channels "
        "and clipped at its 99th percentile. Right: the map over the input. Computed with the defaults below when this "
        "page was built.*\n",
    )


def _parameters(method: Method[Any]) -> str:
    return f"## Parameters\n\n{parameter_table(method.Parameters)}\n"


def parameter_table(parameters: type[Parameters]) -> str:
    """A row for each parameter, with bounds, default and meaning."""
    schema = parameters.model_json_schema().get("properties", {})
    if not schema:
        return "None."
    rows = [
        (f"`{name}`", bounds_of(one) or type_of(one), f"`{json.dumps(one['default'])}`", one.get("description", ""))
        for name, one in schema.items()
    ]
    return table(("parameter", "values", "default", "meaning"), rows)


def _commands(method: Method[Any]) -> str:
    shell = f"gradoscope explain static/samples/cat.jpg --method {method.id} --out explanations/{method.id}"
    return (
        f"## Compute it\n\n```bash\n{shell}\n```\n\n"
        f"```bash\ncurl -s -F sample=cat -F method={method.id} http://127.0.0.1:8000/api/v1/explanations\n```\n"
    )


def _cost(method: Method[Any]) -> str:
    count = method.cost(method.Parameters(), SIZE)
    return f"{count} evaluation{'s' if count != 1 else ''}"
