"""Computes the pictures and numbers of the page /methods with the shipped model. Those of a method go into its folder
(app/attribution/methods/ID/: facts.json and static/), those that methods share into static/learn/.

Run by hand: OMP_NUM_THREADS=1 python -m tools.make_learn [FOLDER]. It takes some minutes on one core. With FOLDER
all is written there instead.

Strips are rows of square frames. A frame of a map holds the magnitude (the sum of |·| over the channels) as grey
levels from zero to a clip, which stands in the JSON; the page colours it. Frames are 112 px wide: every second pixel
of every second row, not averaged, because an average would hide the noise that the figures are about.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from gradoscope.attribution.methods.base import find_method
from gradoscope.images.palettes import palettes
from gradoscope.images.render import colourise, scale_of
from PIL import Image

from tests.support.paths import ROOT

from .figures import cam, guided, smooth, vanilla
from .frames import significant
from .paths import blurred, integrated
from .stage import SEED, Stage

FIGURES = {
    "vanilla_gradient": vanilla,
    "guided_backprop": guided,
    "grad_cam": cam,
    "smooth_grad": smooth,
    "integrated_gradients": integrated,
    "blur_integrated_gradients": blurred,
}


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


if __name__ == "__main__":
    elsewhere = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    main(elsewhere or ROOT / "static" / "learn", elsewhere or ROOT / "app" / "attribution" / "methods")
