"""One catalogue of what several replicas tell."""

from __future__ import annotations

from ...contract.catalogue import Catalogue, ModelBody


def merged(catalogues: list[Catalogue]) -> Catalogue:
    """The last one, with the layers that others know: a model's are known to a replica once it has loaded it."""
    *others, newest = catalogues
    known = {model.id: model for other in others for model in other.models if model.layers is not None}

    def best(model: ModelBody) -> ModelBody:
        other = known.get(model.id)
        return other if other and model.layers is None and _same(other, model) else model

    return newest.model_copy(update={"models": [best(model) for model in newest.models]})


def _same(known: ModelBody, model: ModelBody) -> bool:
    """Whether both are about the same file."""
    return known.weights == model.weights and known.availability == model.availability
