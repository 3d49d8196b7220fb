"""Writes the pictures and numbers of the page /methods, all of them out of the shipped model: into the folder of each
method its own (app/attribution/methods/ID/: facts.json and static/), and what they share into static/learn/.

Run by hand, some minutes on one core: OMP_NUM_THREADS=1 python -m tools.make_learn [FOLDER], which takes them instead

Strips are rows of square frames. A frame of a map holds the magnitude (the sum of |·| over the channels) as grey
levels from zero to a clip, which stands in the JSON; the page colours it. Frames are 112 px wide: every second pixel
of every second row, untouched, for an average would hide the very noise that the figures are about.
"""

from __future__ import annotations

import base64
import copy
import json
import sys
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.gradients import Rule
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.baselines import make_baseline
from gradoscope.attribution.methods.blur import blur
from gradoscope.attribution.methods.grad_cam import class_activation
from gradoscope.attribution.methods.rules import GuidedRule
from gradoscope.attribution.noise import noise
from gradoscope.attribution.score import Score
from gradoscope.images.decode import decode
from gradoscope.images.palettes import palettes
from gradoscope.images.preprocess import preprocess
from gradoscope.images.render import colourise, scale_of
from gradoscope.images.samples import read_sample, samples
from gradoscope.settings import Settings
from gradoscope.zoo.zoo import Zoo
from PIL import Image
from torch import Tensor

from tests.support.paths import ROOT

MODEL = "efficientnet_lite0"
GRID_TARGETS = {"cat": 282, "espresso": 967, "rocket": 812}  # tiger cat, espresso, space shuttle
LAYERS = ("bn2", "blocks.5", "blocks.4", "blocks.2", "blocks.1")
GREY = 255.0
SEED = 0
PATH_FRAMES = 32
PATH_SUBSTEPS = 8
SMOOTH_LEVELS = (0.05, 0.15, 0.5)
SMOOTH_SAMPLES = 50
SMOOTH_STOPS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50)
SMOOTH_REFERENCE = 200  # further copies, whose mean stands for the mean over all noise
VANILLA_FRAMES = 16
VANILLA_MOST = 8.0  # grey levels


class Counting(Engine):
    """An engine that counts what it was asked, per picture."""

    gradient_count = 0
    forward_count = 0

    def scores(self, pictures: Tensor) -> Tensor:
        self.forward_count += len(pictures)
        return super().scores(pictures)

    def gradients(self, pictures: Tensor, rule: Rule | None = None) -> Tensor:
        self.gradient_count += len(pictures)
        return super().gradients(pictures, rule)

    def features(self, pictures: Tensor, layer: str) -> tuple[Tensor, Tensor]:
        self.gradient_count += len(pictures)
        return super().features(pictures, layer)


class Stage:
    """The model, what it sees of the samples, and the folder into which the next results go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        zoo = Zoo(Settings())
        self.classifier = zoo.load(MODEL).classifier
        self.title = zoo.spec(MODEL).card.title
        self._input = zoo.spec(MODEL).input
        self.seen = {name: preprocess(decode(read_sample(name), 24_000_000), self._input) for name in samples()}

    def x(self, sample: str) -> Tensor:
        return torch.from_numpy(self.seen[sample].pixels)

    def engine(self, target: int, classifier: Classifier | None = None) -> Counting:
        return Counting(classifier or self.classifier, Score(target))

    def logits(self, pictures: Tensor) -> Tensor:
        with torch.no_grad():
            return self.classifier(pictures)

    def about(self, sample: str, target: int, **more: Any) -> dict[str, Any]:
        """What a caption says of a run."""
        logits = self.logits(self.x(sample)[None])[0]
        probability = float(self.classifier.probabilities(logits[None])[0, target])
        return {
            "model": MODEL,
            "sample": sample,
            "target": {"index": target, "label": self.classifier.label(target)},
            "logit": significant(float(logits[target])),
            "probability": significant(probability),
            **more,
        }

    def json(self, name: str, record: Any) -> None:
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        (self.folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")

    def webp(self, name: str, image: Image.Image, quality: int = 80, **options: Any) -> None:
        image.save(self.folder / f"{name}.webp", quality=quality, method=6, **options)


def main(shared: Path, methods: Path) -> None:
    shared.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    stage = Stage(shared)
    for sample in ("cat", "grid"):
        stage.webp(f"seen-{sample}", stage.seen[sample].picture, 85)
    stage.webp("inferno", Image.fromarray(palettes()["inferno"][None]), lossless=True)
    cat = int(stage.logits(stage.x("cat")[None])[0].argmax())
    write_facts(shared, {"title": stage.title})
    for id, figure in FIGURES.items():
        stage.folder = methods / id / "static"
        stage.folder.mkdir(parents=True, exist_ok=True)
        facts = {"run": run(stage, id, cat), "figure": figure(stage, cat)}
        write_facts(methods / id, facts)
        print(id, json.dumps(facts, ensure_ascii=False), flush=True)


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    (folder / "facts.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def run(stage: Stage, id: str, target: int) -> dict[str, Any]:
    """The map of the cat with the method's defaults, as the page would compute it."""
    method, engine = find_method(id), stage.engine(target)
    attribution = method.run(engine, stage.x("cat"), SEED)
    values = attribution.values.abs().sum(0).numpy()
    scale = scale_of(values, "inferno", signed=False)
    stage.webp("map", Image.fromarray(colourise(values, "inferno", scale)), 75)
    error = attribution.diagnostics.get("completeness", {}).get("relative_error")
    return stage.about("cat", target, high=significant(scale.high), gradients=engine.gradient_count, error=error)


def vanilla(stage: Stage, target: int) -> dict[str, Any]:
    """Score and gradient on the way into one random direction, a few grey levels long."""
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
    """Grad-CAM of five layers for three classes, before it is enlarged."""
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
    """Noisy copies, the gradient of each, and their running mean, at three levels of noise."""
    x, record, levels = stage.x("cat"), [], []
    gradients, forwards = 1, 0
    plain = stage.engine(target).gradients(x[None])[0]
    for number, level in enumerate(SMOOTH_LEVELS):
        engine = stage.engine(target)
        deviation = level * float(x.max() - x.min())
        reference = torch.zeros_like(x, dtype=torch.float64)
        for k in range(SMOOTH_SAMPLES, SMOOTH_SAMPLES + SMOOTH_REFERENCE):
            reference += engine.gradients((x + deviation * noise(SEED, k, x.shape))[None])[0].double()
        copies, single, means, scores, cosines = [], [], [], [], []
        total = torch.zeros_like(x, dtype=torch.float64)
        for k in range(SMOOTH_SAMPLES):
            copied = x + deviation * noise(SEED, k, x.shape)
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


def integrated(stage: Stage, target: int) -> dict[str, Any]:
    """The straight path from a baseline, black or white: score, and the map gathered so far."""
    x, record, ends = stage.x("cat"), {}, {}
    engine = stage.engine(target)
    edges = [(k / PATH_FRAMES) ** 2 for k in range(PATH_FRAMES + 1)]
    for kind in ("black", "white"):
        start = make_baseline(kind, x, SEED)  # type: ignore[arg-type]
        path = walk(engine, [start + a * (x - start) for a in edges], lambda a, s=start: s + a * (x - s), edges)
        stage.webp(kind, strip(path.pop("frames")), 75)
        record[kind] = path
        risen = [(s - path["scores"][0]) / (path["scores"][-1] - path["scores"][0]) for s in path["scores"]]
        early = next(k for k, value in enumerate(risen) if value >= 0.8)
        ends[kind] = {"early": significant(edges[early], 2), "risen": significant(risen[early])}
    maps = {kind: path.pop("final") for kind, path in record.items()}
    stage.json("figure", {"edges": rounded(edges, 5), "paths": record})
    return stage.about(
        "cat",
        target,
        gradients=engine.gradient_count,
        forwards=engine.forward_count,
        paths={kind: ends[kind] | summary(path) for kind, path in record.items()},
        between=significant(spearman(maps["black"], maps["white"])),
    )


def blurred(stage: Stage, target: int) -> dict[str, Any]:
    """The path out of a blur: score, and the map gathered so far."""
    x, engine = stage.x("cat"), stage.engine(target)
    most = 50.0
    edges = [most * (1 - k / PATH_FRAMES) ** 2 for k in range(PATH_FRAMES + 1)]
    path = walk(engine, [blur(x, s) for s in edges], lambda s: blur(x, s), edges, root=True)
    stage.webp("figure", strip(path.pop("frames")), 75)
    path.pop("final")
    stage.json("figure", {"edges": rounded(edges, 4), "path": path})
    half = (path["scores"][0] + path["scores"][-1]) / 2
    after = next(k for k, value in enumerate(path["scores"]) if value >= half)
    gone = float(np.interp(half, path["scores"][after - 1 : after + 1], edges[after - 1 : after + 1]))
    border = blur(torch.ones(1, 224, 224), most)[0]
    return stage.about(
        "cat",
        target,
        gradients=engine.gradient_count,
        forwards=engine.forward_count,
        half=significant(gone, 2),
        corner=significant(float(border[0, 0])),
        middle=significant(float(border[112, 112])),
        **summary(path),
    )


def walk(
    engine: Counting, stops: Sequence[Tensor], at: Any, edges: Sequence[float], root: bool = False
) -> dict[str, Any]:
    """Gather gradients from stop to stop, in substeps between; `root`: substeps are even in the root of the place."""
    total = torch.zeros_like(stops[0], dtype=torch.float64)
    maps, sums = [magnitude(total)], [0.0]
    for low, high in pairwise(edges):
        ends = np.sqrt([low, high]) if root else np.array([low, high])
        grid = np.linspace(*ends, 2 * PATH_SUBSTEPS + 1)
        grid = grid**2 if root else grid
        for k in range(PATH_SUBSTEPS):
            before, middle, after = (at(float(grid[2 * k + j])) for j in range(3))
            total += engine.gradients(middle[None])[0].double() * (after - before).double()
        maps.append(magnitude(total))
        sums.append(float(total.sum()))
    scores = [float(engine.scores(stop[None])) for stop in stops]
    limit = clip(maps[-1])
    return {
        "scores": rounded(scores),
        "sums": rounded(sums),
        "clip": significant(limit),
        "frames": [grey(m, limit) for m in maps],
        "final": maps[-1],
    }


def summary(path: dict[str, Any]) -> dict[str, Any]:
    change = path["scores"][-1] - path["scores"][0]
    return {
        "start": significant(path["scores"][0]),
        "end": significant(path["scores"][-1]),
        "sum": significant(path["sums"][-1]),
        "change": significant(change),
        "error": significant(abs(path["sums"][-1] / change - 1), 2),
    }


def with_random_head(classifier: Classifier) -> Classifier:
    """The same network, but for its last layer: its weights are drawn anew, as large as those that were learnt."""
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


def magnitude(values: Tensor) -> np.ndarray:
    """Sum of |·| over the channels: (H, W)."""
    return values.abs().sum(0).float().numpy()


def clip(values: np.ndarray) -> float:
    return float(np.percentile(values, 99)) or float(values.max()) or 1.0


def grey(values: np.ndarray, limit: float) -> Image.Image:
    """A frame of a map."""
    levels = np.clip(values[::2, ::2] / limit, 0, 1) * 255
    return Image.fromarray(np.round(levels).astype(np.uint8))


def rgb(picture: Tensor) -> Image.Image:
    """A frame of a picture; a screen cannot show what lies outside of [0, 1]."""
    levels = picture.clamp(0, 1).permute(1, 2, 0).numpy()[::2, ::2] * 255
    return Image.fromarray(np.round(levels).astype(np.uint8))


def strip(frames: Iterable[Image.Image]) -> Image.Image:
    listed = list(frames)
    side = listed[0].width
    row = Image.new(listed[0].mode, (side * len(listed), side))
    for place, frame in enumerate(listed):
        row.paste(frame, (place * side, 0))
    return row


def share_of_quadrant(values: np.ndarray, name: str) -> float:
    """How much of a map lies in the quarter of the grid that holds the picture `name`."""
    top, left = {"cat": (0, 0), "espresso": (0, 1), "rocket": (1, 0)}[name]
    half = values.shape[0] // 2
    inside = values[top * half : (top + 1) * half, left * half : (left + 1) * half]
    return float(inside.sum() / values.sum())


def cosine(a: Tensor, b: Tensor) -> float:
    return float(torch.cosine_similarity(a.flatten().double(), b.flatten().double(), dim=0))


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of ranks; maps have next to no ties."""
    ranks = [np.argsort(np.argsort(values.ravel())).astype(float) for values in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


def significant(value: float, digits: int = 3) -> float:
    return float(f"{value:.{digits}g}")


def rounded(values: Iterable[float], digits: int = 4) -> list[float]:
    return [round(value, digits) for value in values]


FIGURES = {
    "vanilla_gradient": vanilla,
    "guided_backprop": guided,
    "grad_cam": cam,
    "smooth_grad": smooth,
    "integrated_gradients": integrated,
    "blur_integrated_gradients": blurred,
}

if __name__ == "__main__":
    elsewhere = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    main(elsewhere or ROOT / "static" / "learn", elsewhere or ROOT / "app" / "attribution" / "methods")
