"""Computes the pictures and numbers of the page /methods with the shipped model. Those of a method go into its folder
(app/attribution/methods/ID/: facts.json and static/), those that methods share into static/learn/.

Run by hand: OMP_NUM_THREADS=1 python -m tools.make_learn [--into FOLDER] [METHOD …]. It takes some minutes on one core.
With METHODs only theirs are made; with FOLDER all is written there instead. Methods without a figure of their own get
the map of the cat alone.

Strips are rows of square frames. A frame of a map holds the magnitude (the sum of |·| over the channels) as grey
levels from zero to a clip, which stands in the JSON; the page colours it. Frames are 112 px wide: every second pixel
of every second row, not averaged, because an average would hide the noise that the figures are about.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.methods.base import Attribution, find_method, methods
from gradoscope.images.palettes import palettes
from gradoscope.images.render import colourise, scale_of
from PIL import Image

from tests.support.paths import ROOT

from .figures import cam, guided, smooth, vanilla
from .frames import significant
from .paths import blurred, integrated
from .stage import MODEL, SEED, Stage

FIGURES = {
    "vanilla_gradient": vanilla,
    "guided_backprop": guided,
    "grad_cam": cam,
    "smooth_grad": smooth,
    "integrated_gradients": integrated,
    "blur_integrated_gradients": blurred,
}


def main(shared: Path, folders: Path, chosen: list[str]) -> None:
    shared.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    stage = Stage(shared)
    cat = int(stage.logits(stage.x("cat")[None])[0].argmax())
    if not chosen:
        share(stage, shared)
    for id in chosen or methods():
        stage.folder = folders / id / "static"
        stage.folder.mkdir(parents=True, exist_ok=True)
        facts = (
            {"run": run(stage, id, cat), "figure": FIGURES[id](stage, cat)} if id in FIGURES else map_of(stage, id, cat)
        )
        write_facts(folders / id, facts)
        print(id, json.dumps(facts, ensure_ascii=False), flush=True)


def share(stage: Stage, folder: Path) -> None:
    """What methods share: the pictures as the model sees them, the palette, the model's name."""
    for sample in ("cat", "grid"):
        stage.webp(f"seen-{sample}", stage.seen[sample].picture, 85)
    stage.webp("inferno", Image.fromarray(palettes()["inferno"][None]), lossless=True)
    write_facts(folder, {"title": stage.title})


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    (folder / "facts.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def run(stage: Stage, id: str, target: int) -> dict[str, Any]:
    """The map of the cat with the method's defaults, as the page would compute it."""
    engine = stage.engine(target)
    attribution = find_method(id).run(engine, stage.x("cat"), SEED)
    return shown(stage, target, attribution, gradients=engine.gradient_count)


def map_of(stage: Stage, id: str, target: int) -> dict[str, Any]:
    """The same, with what the method says that it computed; of a method that refuses the model, only that it does."""
    try:
        attribution = find_method(id).run(stage.engine(target), stage.x("cat"), SEED)
    except Refused:
        stage.folder.rmdir()
        return {"refused": {"model": MODEL}}
    counts = {f"{kind}s": attribution.diagnostics.get(f"{kind}_evaluations", 0) for kind in ("gradient", "forward")}
    return {"run": shown(stage, target, attribution, **counts)}


def shown(stage: Stage, target: int, attribution: Attribution, **counts: int) -> dict[str, Any]:
    """Writes the map as a picture; returns what its caption says."""
    values = attribution.values.abs().sum(0).numpy()
    scale = scale_of(values, "inferno", signed=False)
    stage.webp("map", Image.fromarray(colourise(values, "inferno", scale)), 75)
    completeness = attribution.diagnostics.get("completeness", {})
    error = None if "parts" in completeness else completeness.get("relative_error")  # then it is not the map that sums
    return stage.about("cat", target, high=significant(scale.high), **counts, error=error)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description="Computes the pictures and numbers of the page /methods.")
    made.add_argument("methods", nargs="*", choices=[*methods(), []], metavar="METHOD")
    made.add_argument("--into", type=Path, metavar="FOLDER")
    return made


if __name__ == "__main__":
    arguments = parser().parse_args()
    main(
        arguments.into or ROOT / "static" / "learn",
        arguments.into or ROOT / "app" / "attribution" / "methods",
        arguments.methods,
    )
