"""Every metric of every method's map of a sample, kept on disk: what `make trust-study` writes its page from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.metrics.base import ExplainedMap, find_metric
from gradoscope.attribution.score import Score
from gradoscope.images.preprocess import PreprocessedImage
from gradoscope.settings import Settings
from gradoscope.zoo.zoo import Zoo

from tests.support.nets import finish, sample_picture

METHODS = (
    *("vanilla_gradient", "guided_backprop", "grad_cam"),
    *("smooth_grad", "integrated_gradients", "blur_integrated_gradients"),
)
PICTURES = ("cat", "espresso", "astronaut", "rocket", "grid")
# what is measured: a name, the metric, its options
MEASUREMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{
        f"{metric}_{replacement}": (metric, {"replacement": replacement, "steps": 25})
        for metric in ("deletion", "insertion")
        for replacement in ("blurred", "black")
    },
    "randomisation": ("randomisation", {}),
    "class_sensitivity": ("class_sensitivity", {}),
    "stability": ("stability", {}),
    "infidelity": ("infidelity", {}),
    "max_sensitivity": ("max_sensitivity", {"samples": 5}),
    "completeness": ("completeness", {}),
    "gradient_check": ("gradient_check", {}),
}
Record = dict[str, Any]


@lru_cache(maxsize=1)
def classifier(model: str) -> Classifier:
    return Zoo(Settings(device="cpu")).load(model).classifier


def explained_map(model: str, picture: str, method: str) -> ExplainedMap:
    """A method's map of a sample, with default parameters, for the model's top class."""
    network, found = classifier(model), find_method(method)
    seen = sample_picture(picture, model)
    x = torch.from_numpy(PreprocessedImage(seen, (0, 0, *seen.size)).pixels)
    with torch.no_grad():
        target = int(network(x[None])[0].argmax())
    engine, parameters = Engine(network, Score(target)), found.Parameters()
    attribution = finish(found.attribute(engine, x, parameters, 0))[1]
    return ExplainedMap(engine, x, attribution.values, found, parameters, diagnostics=attribution.diagnostics)


def measure(model: str, picture: str, method: str) -> Record:
    """The figures of each measurement; None where it is refused."""
    subject = explained_map(model, picture, method)
    with torch.no_grad():
        probability = float(subject.classifier(subject.picture[None])[0].softmax(-1)[subject.target])
    record: Record = {
        "target": subject.target,
        "label": subject.classifier.label(subject.target),
        "probability": probability,
    }
    for name, (metric, options) in MEASUREMENTS.items():
        found = find_metric(metric)
        parameters = found.Parameters(**options)
        try:
            found.check(subject, parameters)
            record[name] = finish(found.measure(subject, parameters))[1].figures
        except Refused as refusal:
            record[name] = None
            record.setdefault("refused", {})[name] = refusal.detail
    return record


def kept(model: str, picture: str, method: str, folder: Path) -> Record:
    """What `measure` returns, kept in `folder` as JSON and computed only once."""
    file = folder / f"{model}-{picture}-{method}.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(measure(model, picture, method)))
        print(file.name, flush=True)
    record: Record = json.loads(file.read_text())
    return record


def everything(model: str, folder: Path) -> Iterator[tuple[str, str, Record]]:
    for method in METHODS:
        for picture in PICTURES:
            yield method, picture, kept(model, picture, method, folder)
