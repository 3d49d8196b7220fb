"""Checks of model cards and weights."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ...contract.problems import Problem
from ...settings import Settings
from ...zoo.paths import short_path
from ...zoo.zoo import Zoo
from .finding import Diagnosis, format_bytes
from .store import may_write


def models(settings: Settings) -> Iterator[Diagnosis]:
    """The models with a card. The default model's weights are verified; for others only their presence is checked."""
    with _quiet():
        zoo = Zoo(settings.model_copy(update={"device": "cpu"}))
    entries = {id: zoo.describe(id) for id in zoo.specs}
    here = Counter(entry.availability for entry in entries.values())
    detail = ", ".join(f"{count} {availability}" for availability, count in sorted(here.items(), reverse=True))
    yield Diagnosis("models", "ok", f"{len(entries)} cards; weights: {detail}")
    for faulty in zoo.faulty_cards:
        yield Diagnosis("models", "wrong", f"{faulty.card}: {faulty.detail}", "gradoscope models check CARD says more")
    yield _default_model(settings, zoo)
    for id, entry in entries.items():
        if entry.availability == "missing" and entry.source == "file" and id != settings.default_model:
            yield Diagnosis("models", "attention", entry.remedy or "")


def _default_model(settings: Settings, zoo: Zoo) -> Diagnosis:
    id = settings.default_model
    try:
        spec = zoo.spec(id)
        path = zoo.weights.require(spec.weights, id)
        zoo.weights.verified(spec.weights, path, id)
    except Problem as problem:
        remedy = "Until then requests have to name another model; GRADOSCOPE_DEFAULT_MODEL names another default"
        return Diagnosis("default model", "wrong", problem.detail, remedy)
    return Diagnosis("default model", "ok", f"{id}, {format_bytes(path.stat().st_size)} in {short_path(path)}")


def weights_folder(settings: Settings) -> Iterator[Diagnosis]:
    """Whether downloads can be written, if clients may start them."""
    folder = settings.weights
    if settings.offline and settings.downloads != "none":
        detail = f"GRADOSCOPE_DOWNLOADS={settings.downloads} has no effect beside GRADOSCOPE_OFFLINE"
        yield Diagnosis("downloads", "attention", detail, "Unset one of them")
    elif settings.downloads != "none" and not may_write(folder):
        detail = f"Clients may download weights ({settings.downloads}), and {short_path(folder)} cannot be written"
        yield Diagnosis("downloads", "wrong", detail, "Let the server's user write there, or set GRADOSCOPE_WEIGHTS")
    else:
        yield Diagnosis("downloads", "ok", f"{settings.downloads}; into {short_path(folder)}")


@contextmanager
def _quiet() -> Iterator[None]:
    """A context in which nothing is logged: the results report it."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(level)
