"""Attribution: what of a picture a classifier's score comes from. To be used alone, without the server.

    classifier = Classifier(network, size=(224, 224), labels=labels, mean=mean, std=std)
    engine = Engine(classifier, Score(target=3))
    attribution = find_method("integrated_gradients").run(engine, picture)  # (C, H, W) in [0, 1]
    attribution.values  # the map, (C, H, W)

It needs torch, numpy, pydantic and captum; OpenVINO, where it is installed, compiles gradients (`backends`). Names are
imported when they are first used, so that a process that only looks for the folders of plug-ins (`plugins`) loads no
PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backends.selection import BackendSelector
    from .classifier import Classifier
    from .engine import Engine
    from .errors import AttributionError
    from .inspection import Inspection, inspection_of
    from .methods.base import Attribution, Method, find_method
    from .metrics.base import ExplainedMap, Measurement, Metric, find_metric
    from .score import Score

__all__ = [
    "Attribution", "AttributionError", "BackendSelector", "Classifier", "Engine", "ExplainedMap", "Inspection",
    "Measurement", "Method", "Metric", "Score", "find_method", "find_metric", "inspection_of",
]  # fmt: skip
_PLACES = {
    "backends.selection": ("BackendSelector",),
    "classifier": ("Classifier",),
    "engine": ("Engine",),
    "errors": ("AttributionError",),
    "inspection": ("Inspection", "inspection_of"),
    "methods.base": ("Attribution", "Method", "find_method"),
    "metrics.base": ("ExplainedMap", "Measurement", "Metric", "find_metric"),
    "score": ("Score",),
}
_MODULES = {name: module for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
