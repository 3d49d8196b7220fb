"""Attribution: what of a picture a classifier's score comes from. To be used alone, without the server.

    classifier = Classifier(network, size=(224, 224), labels=labels, mean=mean, std=std)
    engine = Engine(classifier, Score(target=3))
    attribution = find_method("integrated_gradients").run(engine, picture)  # (C, H, W) in [0, 1]
    attribution.values  # the map, (C, H, W)

It needs torch, numpy, pydantic and captum; OpenVINO, where it is installed, compiles gradients (`backends`).
"""

from __future__ import annotations

from .backends.selection import BackendSelector
from .classifier import Classifier
from .engine import Engine
from .errors import AttributionError
from .inspection import Inspection, inspection_of
from .methods.base import Attribution, Method, find_method, methods
from .metrics.base import ExplainedMap, Measurement, Metric, find_metric, metrics
from .score import Score

__all__ = [
    "Attribution", "AttributionError", "BackendSelector", "Classifier", "Engine", "ExplainedMap", "Inspection",
    "Measurement", "Method", "Metric", "Score", "find_method", "find_metric", "inspection_of", "methods", "metrics",
]  # fmt: skip
