"""Merges the catalogues of several replicas."""

from __future__ import annotations

from typing import Any


def merge_catalogues(catalogues: list[dict[str, Any]]) -> dict[str, Any]:
    """The last catalogue, completed with layers that others know: a replica knows those of models it has loaded."""
    *others, newest = catalogues
    known = {model["id"]: model for catalogue in others for model in catalogue["models"] if model["layers"] is not None}

    def best(model: dict[str, Any]) -> dict[str, Any]:
        other = known.get(model["id"])
        return other if other and model["layers"] is None and _same(other, model) else model

    return newest | {"models": [best(model) for model in newest["models"]]}


def _same(known: dict[str, Any], model: dict[str, Any]) -> bool:
    """Whether both describe the same weight file."""
    return all(known[name] == model[name] for name in ("weights", "availability"))
