"""Cards, their faults, and which weights are here."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ...contract.problems import Problem
from ...settings import Settings
from ...zoo.weights import shown
from ...zoo.zoo import Zoo
from .finding import Diagnosis, size
from .store import may_write


def models(settings: Settings) -> Iterator[Diagnosis]:
    """The models that have a card; the default one's weights are read, others' looked for."""
    with _quiet():
        zoo = Zoo(settings.model_copy(update={"device": "cpu"}))
    described = {id: zoo.describe(id) for id in zoo.recipes}
    here = Counter(about.availability for about in described.values())
    detail = ", ".join(f"{count} {availability}" for availability, count in sorted(here.items(), reverse=True))
    yield Diagnosis("models", "ok", f"{len(described)} cards; weights: {detail}")
    for fault in zoo.faults:
        yield Diagnosis("models", "wrong", f"{fault.card}: {fault.detail}", "gradoscope models check CARD says more")
    yield _default_model(settings, zoo)
    for id, about in described.items():
        if about.availability == "missing" and about.source == "file" and id != settings.default_model:
            yield Diagnosis("models", "attention", about.remedy or "")


def _default_model(settings: Settings, zoo: Zoo) -> Diagnosis:
    id = settings.default_model
    try:
        recipe = zoo.recipe(id)
        path = zoo.weights.require(recipe.weights, id)
        zoo.weights.verified(recipe.weights, path, id)
    except Problem as problem:
        remedy = "Until then requests have to name another model; GRADOSCOPE_DEFAULT_MODEL names another default"
        return Diagnosis("default model", "wrong", problem.detail, remedy)
    return Diagnosis("default model", "ok", f"{id}, {size(path.stat().st_size)} in {shown(path)}")


def weights_folder(settings: Settings) -> Iterator[Diagnosis]:
    """Where downloads go, where clients may ask for any."""
    folder = settings.weights
    if settings.offline and settings.downloads != "none":
        detail = f"GRADOSCOPE_DOWNLOADS={settings.downloads} has no effect beside GRADOSCOPE_OFFLINE"
        yield Diagnosis("downloads", "attention", detail, "Unset one of them")
    elif settings.downloads != "none" and not may_write(folder):
        detail = f"Clients may download weights ({settings.downloads}), and {shown(folder)} cannot be written"
        yield Diagnosis("downloads", "wrong", detail, "Give the server's user the folder, or set GRADOSCOPE_WEIGHTS")
    else:
        yield Diagnosis("downloads", "ok", f"{settings.downloads}; into {shown(folder)}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Within: nothing is logged, as findings tell it."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(level)
