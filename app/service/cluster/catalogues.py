"""One catalogue of what several replicas tell."""

from __future__ import annotations

from typing import Any


def merged(catalogues: list[dict[str, Any]]) -> dict[str, Any]:
    """The last one, with the layers that others know: a model's are known to a replica once it has loaded it."""
    *others, newest = catalogues
    known = {model["id"]: model for told in others for model in told["models"] if model["layers"] is not None}

    def best(model: dict[str, Any]) -> dict[str, Any]:
        other = known.get(model["id"])
        return other if other and model["layers"] is None and _same(other, model) else model

    return newest | {"models": [best(model) for model in newest["models"]]}


def _same(known: dict[str, Any], model: dict[str, Any]) -> bool:
    """Whether both are about the same file."""
    return all(known[name] == model[name] for name in ("weights", "availability"))
