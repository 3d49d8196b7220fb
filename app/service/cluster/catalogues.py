"""Merges the catalogues of several replicas."""

from __future__ import annotations

from ...contract.catalogue import Catalogue, ModelBody


def merge_catalogues(catalogues: list[Catalogue]) -> Catalogue:
    """The last catalogue, completed with layers that others know: a replica knows those of models it has loaded."""
    *others, newest = catalogues
    known = {model.id: model for catalogue in others for model in catalogue.models if model.layers is not None}

    def best(model: ModelBody) -> ModelBody:
        other = known.get(model.id)
        return other if other and model.layers is None and _same(other, model) else model

    return newest.model_copy(update={"models": [best(model) for model in newest.models]})


def _same(known: ModelBody, model: ModelBody) -> bool:
    """Whether both describe the same weight file."""
    return known.weights == model.weights and known.availability == model.availability
