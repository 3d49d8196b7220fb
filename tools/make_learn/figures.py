"""The figures of the methods that take gradients at a picture, and at copies of it."""

from __future__ import annotations

import base64
import copy
from typing import Any

import numpy as np
import torch
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.methods.cams import class_activation
from gradoscope.attribution.methods.rules import GuidedRule
from gradoscope.attribution.methods.smooth_grad import mirrored
from gradoscope.attribution.noise import noise

from .frames import clip, cosine, grey, magnitude, rgb, rounded, significant, spearman, strip
from .stage import SEED, Stage

GRID_TARGETS = {"cat": 282, "espresso": 967, "rocket": 812}  # tiger cat, espresso, space shuttle
LAYERS = ("bn2", "blocks.5", "blocks.4", "blocks.2", "blocks.1")
GREY = 255.0  # grey levels in the range [0, 1] of pixels
SMOOTH_LEVELS = (0.05, 0.15, 0.5)
SMOOTH_SAMPLES = 50
SMOOTH_STOPS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50)  # numbers of samples that have a frame
SMOOTH_REFERENCE = 200  # further samples, whose mean approximates the mean over all noise
VANILLA_FRAMES = 16
VANILLA_MOST = 8.0  # length of the way in the direction, in grey levels


def vanilla(stage: Stage, target: int) -> dict[str, Any]:
    """Score and gradient along one random direction, up to a few grey levels from the picture."""
    x, engine = stage.x("cat"), stage.engine(target)
    direction = noise(SEED, 0, x.shape) / GREY
    places = [VANILLA_MOST * (k / VANILLA_FRAMES) ** 2 for k in range(VANILLA_FRAMES + 1)]
    gradients = torch.cat([engine.gradients((x + t * direction)[None]) for t in places])
    pictures, maps = [x + t * direction for t in places], [magnitude(g) for g in gradients]
    stage.webp("pictures", strip([rgb(p) for p in pictures]), 75)
    stage.webp("maps", strip([grey(m, clip(m)) for m in maps]), 60)
    fine = np.linspace(0, VANILLA_MOST, 81).tolist()
    curve = [float(engine.scores((x + t * direction)[None])) for t in fine]
    cosines = [cosine(gradients[0], g) for g in gradients]
    scores = [float(engine.scores(p[None])) for p in pictures]
    record = {
        "places": rounded(places),
        "scores": rounded(scores),
        "cosines": rounded(cosines),
        "clips": [significant(clip(m)) for m in maps],
        "curve": [rounded(fine), rounded(curve)],
    }
    stage.json("figure", record)
    one = int(np.argmin(np.abs(np.array(places) - 2)))
    return stage.about(
        "cat",
        target,
        gradients=engine.gradient_count,
        forwards=engine.forward_count,
        level=places[one],
        cosine=significant(cosines[one]),
        change=significant(abs(scores[one] / scores[0] - 1)),
        far=VANILLA_MOST,
        far_cosine=significant(cosines[-1]),
        far_change=significant(abs(scores[-1] / scores[0] - 1)),
    )


def guided(stage: Stage, target: int) -> dict[str, Any]:
    """Guided backprop and the plain gradient for several classes of one picture, and with a random last layer."""
    x = stage.x("grid")
    ways = {name: (stage.classifier, index) for name, index in GRID_TARGETS.items()}
    ways["random"] = (with_random_head(stage.classifier), GRID_TARGETS["cat"])
    maps: dict[str, dict[str, np.ndarray]] = {"guided": {}, "vanilla": {}}
    gradients = 0
    for name, (classifier, index) in ways.items():
        engine = stage.engine(index, classifier)
        maps["guided"][name] = magnitude(engine.gradients(x[None], GuidedRule())[0])
        maps["vanilla"][name] = magnitude(engine.gradients(x[None])[0])
        gradients += engine.gradient_count
    correlations = {
        kind: {name: significant(spearman(of["cat"], of[name])) for name in of} for kind, of in maps.items()
    }
    for kind, of in maps.items():
        stage.webp(kind, strip([grey(m, clip(m)) for m in of.values()]), 80)
    stage.json(
        "figure",
        {
            "ways": list(ways),
            "clips": {kind: [significant(clip(m)) for m in of.values()] for kind, of in maps.items()},
            "correlations": {kind: list(of.values()) for kind, of in correlations.items()},
        },
    )
    labels = {name: stage.classifier.label(index) for name, index in GRID_TARGETS.items()}
    return stage.about("grid", GRID_TARGETS["cat"], gradients=gradients, correlations=correlations, labels=labels)


def cam(stage: Stage, target: int) -> dict[str, Any]:
    """Grad-CAM of five layers for three classes, in the size of the feature maps."""
    x = stage.x("grid")
    record: dict[str, Any] = {"targets": list(GRID_TARGETS), "layers": [], "maps": {}, "shares": {}}
    gradients = 0
    for name, index in GRID_TARGETS.items():
        engine, record["maps"][name], record["shares"][name] = stage.engine(index), [], []
        for layer in LAYERS:
            (features,), (gradient,) = engine.features(x[None], layer)
            values = (gradient.mean((1, 2), keepdim=True) * features).sum(0).relu().numpy()
            enlarged = class_activation(engine, x[None], layer, relu=True)[0, 0].numpy()
            most = float(values.max())
            levels = np.round(values / (most or 1) * 255).astype(np.uint8)
            data = base64.b64encode(levels.tobytes()).decode()
            record["maps"][name].append({"most": significant(most), "levels": data})
            record["shares"][name].append(significant(share_of_quadrant(enlarged, name)))
            if name == "cat":
                record["layers"].append({"name": layer, "channels": features.shape[0], "side": features.shape[1]})
        gradients += len(LAYERS)
    stage.json("figure", record)
    labels = {name: stage.classifier.label(index) for name, index in GRID_TARGETS.items()}
    return stage.about(
        "grid",
        GRID_TARGETS["cat"],
        gradients=gradients,
        layers=record["layers"],
        shares=record["shares"],
        labels=labels,
    )


def smooth(stage: Stage, target: int) -> dict[str, Any]:
    """Noisy copies in mirrored pairs, as SmoothGrad draws them, their gradients and running mean; at three levels."""
    x, record, levels = stage.x("cat"), [], []
    gradients, forwards = 1, 0
    plain = stage.engine(target).gradients(x[None])[0]
    for number, level in enumerate(SMOOTH_LEVELS):
        engine = stage.engine(target)
        deviation = level * float(x.max() - x.min())
        noises = list(mirrored(SEED, SMOOTH_SAMPLES + SMOOTH_REFERENCE, x.shape))
        reference = torch.zeros_like(x, dtype=torch.float64)
        for drawn in noises[SMOOTH_SAMPLES:]:
            reference += engine.gradients((x + deviation * drawn)[None])[0].double()
        copies, single, means, scores, cosines = [], [], [], [], []
        total = torch.zeros_like(x, dtype=torch.float64)
        for k, drawn in enumerate(noises[:SMOOTH_SAMPLES]):
            copied = x + deviation * drawn
            gradient = engine.gradients(copied[None])[0].double()
            total += gradient
            if k + 1 in SMOOTH_STOPS:
                copies.append(rgb(copied))
                single.append(magnitude(gradient))
                means.append(magnitude(total / (k + 1)))
            scores.append(float(engine.scores(copied[None])))
            cosines.append(cosine(total, reference))
        stage.webp(f"{number}-copies", strip(copies), 40)
        stage.webp(f"{number}-single", strip([grey(m, clip(m)) for m in single]), 50)
        stage.webp(f"{number}-mean", strip([grey(m, clip(m)) for m in means]), 50)
        gradients, forwards = gradients + engine.gradient_count, forwards + engine.forward_count
        record.append(
            {
                "noise": level,
                "grey": round(deviation * 255, 1),
                "scores": rounded(scores),
                "cosines": rounded(cosines),
                "clips": {
                    "single": [significant(clip(m)) for m in single],
                    "mean": [significant(clip(m)) for m in means],
                },
            }
        )
        levels.append(
            {
                "noise": level,
                "score": significant(float(np.mean(scores))),
                "first": significant(cosines[0]),
                "last": significant(cosines[-1]),
                "plain": significant(cosine(plain, reference)),
            }
        )
    stage.json("figure", {"stops": list(SMOOTH_STOPS), "reference": SMOOTH_REFERENCE, "levels": record})
    return stage.about("cat", target, gradients=gradients, forwards=forwards, levels=levels, reference=SMOOTH_REFERENCE)


def with_random_head(classifier: Classifier) -> Classifier:
    """The same network with random weights in its last layer, of the same mean and standard deviation."""
    network = copy.deepcopy(classifier.network)
    head = network.get_classifier()
    drawn = torch.randn(head.weight.shape, generator=torch.Generator().manual_seed(SEED))
    with torch.no_grad():
        head.weight.copy_(drawn * head.weight.std() + head.weight.mean())
    return Classifier(
        network,
        size=classifier.size,
        labels=classifier.labels,
        mean=classifier.mean.flatten().tolist(),
        std=classifier.std.flatten().tolist(),
    )


def share_of_quadrant(values: np.ndarray, name: str) -> float:
    """How much of a map lies in the quarter of the grid that holds the picture `name`."""
    top, left = {"cat": (0, 0), "espresso": (0, 1), "rocket": (1, 0)}[name]
    half = values.shape[0] // 2
    inside = values[top * half : (top + 1) * half, left * half : (left + 1) * half]
    return float(inside.sum() / values.sum())
