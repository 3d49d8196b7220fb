"""What quick, good and exact cost, and what they leave: three kinds of network, one run along each path.

The sweeps of a tolerance are nested, so one run to the end shows where each tolerance would have stopped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import timm
import torch
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.methods.base import QUALITIES, find_method
from gradoscope.attribution.methods.paths import relative_change
from gradoscope.attribution.score import Score
from gradoscope.images.preprocess import PreprocessedImage
from gradoscope.settings import Settings
from gradoscope.zoo.zoo import Zoo
from torch import Tensor

from tests.support.nets import sample_picture

REAL = "efficientnet_lite0"
SEEDED = {"resnet50": "resnet50", "vit_tiny": "vit_tiny_patch16_224"}  # random weights: there are no others here
PICTURES = ("cat", "rocket", "astronaut")
PATHS = ("integrated_gradients", "blur_integrated_gradients")
STEPS, SAMPLES = 481, 100


def opened(model: str, picture: str) -> tuple[Engine, Tensor]:
    seen = sample_picture(picture)
    x = torch.from_numpy(PreprocessedImage(seen, (0, 0, *seen.size)).pixels)
    backend = None
    if model == REAL:
        loaded = Zoo(Settings(device="cpu")).load(model)
        classifier, backend = loaded.classifier, loaded.backend
    else:
        torch.manual_seed(0)
        network = timm.create_model(SEEDED[model], pretrained=False).eval()
        classifier = Classifier(network, size=(224, 224), labels=[str(k) for k in range(1000)]).use_channels_last()
    with torch.no_grad():
        target = int(classifier(x[None])[0].argmax())
    return Engine(classifier, Score(target), backend, micro_batch=8), x


def rows_of(model: str, picture: str) -> Iterator[dict[str, Any]]:
    """After each sweep: gradients, the map's change, its distance from the last map, and what its sum is off."""
    engine, x = opened(model, picture)
    about = {"model": model, "picture": picture}
    for id in PATHS:
        method, found = find_method(id), {}
        parameters = method.Parameters(tolerance=1e-9, steps=STEPS)  # type: ignore[call-arg]
        ends = [sum(map(len, parameters.sweeps(lambda u: u)[: k + 1])) for k in range(6)]  # type: ignore[attr-defined]
        run = method.attribute(engine, x, parameters, 0)
        while True:
            try:
                step = next(run)
            except StopIteration as end:
                last = end.value
                break
            if step.done in ends and step.estimate is not None:
                found[step.done] = step.estimate.clone()
        expected, before = last.diagnostics["completeness"]["expected"], None
        for count, values in found.items():
            yield about | {
                "method": id,
                "gradients": count,
                "error_to_last": float((values - last.values).norm() / last.values.norm()),
                "change": None if before is None else relative_change(before, values),
                "completeness": abs(float(values.double().sum()) - expected) / abs(expected),
                "defined": last.diagnostics["completeness"]["relative_error"] is not None,
            }
            before = values
    found_error = find_method("smooth_grad").run(engine, x, samples=SAMPLES).diagnostics["standard_error"]
    yield about | {"method": "smooth_grad", "samples": SAMPLES, "standard_error": found_error}


@dataclass(frozen=True)
class Stop:
    """Where a tolerance ends a run: gradients, the change told there, the distance from the last map; None there."""

    gradients: int
    change: float
    error: float | None
    reached: bool


def stop(rows: list[dict[str, Any]], tolerance: float) -> Stop:
    changed = [row for row in rows if row["change"] is not None]

    def is_enough(row: dict[str, Any]) -> bool:
        return max(row["change"], row["completeness"] if row["defined"] else 0) <= tolerance

    at = next((row for row in changed if is_enough(row)), changed[-1])
    return Stop(at["gradients"], at["change"], at["error_to_last"] or None, is_enough(at))


def qualities_table(folder: Path) -> str:
    """A Markdown table of each model and method at each quality: median over the pictures."""
    file = folder / "qualities.jsonl"
    if not file.exists():
        wanted = [(model, picture) for picture in PICTURES for model in (REAL, *SEEDED)]
        rows = [row for model, picture in wanted for row in rows_of(model, picture)]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return table([json.loads(line) for line in file.read_text("utf-8").splitlines()])


def table(rows: list[dict[str, Any]]) -> str:
    lines = ["| network | method | " + " | ".join(QUALITIES) + " |", "| --- " * 5 + "|"]
    for model in (REAL, *SEEDED):
        for id in (*PATHS, "smooth_grad"):
            own = [row for row in rows if (row["model"], row["method"]) == (model, id)]
            if own:
                cells = [cell(id, own, dict(find_method(id).qualities[quality])) for quality in QUALITIES]
                lines.append(f"| {model} | {id} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(id: str, rows: list[dict[str, Any]], parameters: dict[str, Any]) -> str:
    """Gradients, and the error: of SmoothGrad the expected one of its limit."""
    if id == "smooth_grad":
        squares = [row["standard_error"] ** 2 for row in rows]
        errors = [(square / (1 - square) * SAMPLES / parameters["samples"]) ** 0.5 for square in squares]
        return f"{parameters['samples']}: {median(errors):.2f}"
    pictures = dict.fromkeys(row["picture"] for row in rows)
    stops = [stop([row for row in rows if row["picture"] == picture], parameters["tolerance"]) for picture in pictures]
    most = max(one.gradients for one in stops)
    missed = "" if all(one.reached for one in stops) else ", not all reached"
    errors = [one.error for one in stops if one.error is not None]
    told = f"told {median([one.change for one in stops]):.3f}, left {f'{median(errors):.3f}' if errors else '–'}"
    return f"{median([one.gradients for one in stops]):.0f} (at most {most}{missed}): {told}"
