"""What depends on how random weights are drawn: by PyTorch, by us, and by us with new statistics for BatchNorm."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.metrics.networks import NamedModule, layers_with_weights, private_copy, randomise
from gradoscope.attribution.metrics.similarity import map_similarity
from torch import Tensor, nn

from benchmarks.trust_study.measured import PICTURES, classifier, explained_map
from tests.support.nets import explain

METHODS = ("vanilla_gradient", "guided_backprop", "input_x_gradient", "grad_cam")
Change = Callable[[Classifier, list[NamedModule]], None]


def as_pytorch(model: Classifier, layer: list[NamedModule]) -> None:
    """Uniform within ±1/√fan-in, smaller by √6."""
    randomise(layer, 0)
    for _, module in layer:
        for value in module.parameters(recurse=False):
            if value.ndim >= 2:
                value.data.mul_(6**-0.5)


def as_shipped(model: Classifier, layer: list[NamedModule]) -> None:
    randomise(layer, 0)


def reset_batch_norm(model: Classifier, pictures: Tensor) -> None:
    """Set the running mean and variance of every BatchNorm from `pictures`, in one pass."""
    norms = [module for module in model.network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    with torch.no_grad():
        model(pictures)
    model.network.eval()


def spread(model: Classifier, pictures: Tensor) -> tuple[float, float]:
    """Standard deviation of the last activations, and of a class's logit over the pictures."""
    kept: list[Tensor] = []
    acts = [module for module in model.network.modules() if isinstance(module, (nn.ReLU, nn.ReLU6))]
    handle = acts[-1].register_forward_hook(lambda module, inputs, output: kept.append(output))
    with torch.no_grad():
        logits = model(pictures)
    handle.remove()
    return float(kept[0].std()), float(logits.std(0).mean())


def ways(pictures: Tensor, name: str) -> Iterator[tuple[str, Classifier]]:
    """Networks with all layers random."""
    for title, change in (("as drawn here", as_shipped), ("as PyTorch draws", as_pytorch)):
        copy = private_copy(classifier(name))
        for layer in layers_with_weights(copy):
            change(copy, layer)
        yield title, copy
    copy = private_copy(classifier(name))
    for layer in layers_with_weights(copy):
        as_shipped(copy, layer)
    reset_batch_norm(copy, pictures)
    yield "as drawn here, norms measured again", copy


def weights(name: str, folder: Path) -> dict[str, dict[str, Any]]:
    """For each way to draw: the spreads; for each method the mean rank correlation of its map with the trained
    model's; and float32's rounding."""
    file = folder / f"{name}-weights.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(_measure(name)))
    found: dict[str, dict[str, Any]] = json.loads(file.read_text())
    return found


def _measure(name: str) -> dict[str, dict[str, Any]]:
    maps = {(method, picture): explained_map(name, picture, method) for method in METHODS for picture in PICTURES}
    pictures = torch.stack([maps[METHODS[0], picture].picture for picture in PICTURES])
    found: dict[str, dict[str, Any]] = {}
    for title, copy in ways(pictures, name):
        activations, logits = spread(copy, pictures)
        found[title] = {"activations": activations, "logits": logits, "ranks": {}}
        for method in METHODS:
            ranks = []
            for picture in PICTURES:
                subject = maps[method, picture]
                values = explain(method, copy, subject.picture, score=subject.score).values
                ranks.append(map_similarity(subject.values, values, subject.method)["rank_correlation"] or 0.0)
            found[title]["ranks"][method] = mean(ranks)
        subject = maps[METHODS[0], PICTURES[0]]
        covered = {"score": subject.score, "window": 56, "stride": 28}
        single = explain("occlusion", copy, subject.picture, **covered).values
        double = explain("occlusion", private_copy(copy).double(), subject.picture.double(), **covered).values
        found[title]["rounding"] = map_similarity(single, double, subject.method)["rank_correlation"]
    return found
