"""Does the map stay where nothing that matters has changed?"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import torch
from PIL import Image
from pydantic import Field
from torch import Tensor

from ...methods.base import Method, Paper, Parameters
from ..base import CostInputs, ExplainedMap, Measurement, Meter, Metric, MetricCost, MetricSteps, register
from ..findings import DIFFERENT_BELOW, SIMILAR_FROM, Figures, Findings, rank_of, short
from ..scalars import Scalar, mean_of
from ..similarity import Similarity, map_similarity

Change = Callable[[Tensor], Tensor]


SCORE_CHANGED_ABOVE = 0.1  # relative change of the score; above it the map may change too
SIMILARITY_TEXT = "How alike the map is to that of the picture {}: rank correlation, 1 is the same map."


def _trial(id: str) -> Callable[[Figures], float | None]:
    return lambda figures: mean_of([trial for trial in figures["trials"] if trial["id"] == id], "rank_correlation")


class StabilityParameters(Parameters):
    quality: int = Field(75, title="JPEG quality", ge=1, le=95, description="Quality of the JPEG")


@dataclass(frozen=True)
class Transformation:
    """A change of the picture; `back` undoes it on the map, `compared` selects the part of both maps to compare."""

    id: str
    change: Change
    back: Change
    compared: Change
    reseeded: bool = False


class Trial(Similarity):
    """How alike the map of a changed picture is, and the target's score there."""

    id: str
    score: float


class StabilityFigures(TypedDict):
    score: float
    trials: list[Trial]


@register
class Stability(Metric[StabilityParameters]):
    """How alike the map is to that of the same with another seed, of the picture shifted to the right by one pixel (and
    the map back), as JPEG, and mirrored (and mirrored back).

    After Alvarez-Melis, Jaakkola 2018, arXiv:1806.08049. Figures: for each of `trials` its `id` (`seed`, `shift`,
    `jpeg`, `mirror`), the similarity (see `similarity.map_similarity`), and the target's `score` there beside the
    original's, `score`: where the score itself changes, the map may. Another seed is tried only where the method draws
    anything. Maps: by the trial, laid over the original.
    """

    id = "stability"
    title = "Stability"
    order = 4
    paper = Paper(
        "On the Robustness of Interpretability Methods (Alvarez-Melis, Jaakkola)", "https://arxiv.org/abs/1806.08049"
    )
    summary = "Whether the map stays the same with another seed, shifted by one pixel, saved as JPEG, and mirrored."
    Parameters = StabilityParameters
    scalars = (
        Scalar("stability.shift", "Stability: shifted by a pixel", "higher",
               SIMILARITY_TEXT.format("one pixel to the right"), _trial("shift")),
        Scalar("stability.jpeg", "Stability: packed as JPEG", "higher",
               SIMILARITY_TEXT.format("as a JPEG"), _trial("jpeg")),
        Scalar("stability.mirror", "Stability: mirrored", "higher",
               SIMILARITY_TEXT.format("mirrored, mirrored back"), _trial("mirror")),
        Scalar("stability.seed", "Stability: another seed", "higher",
               "How alike two maps are that differ in nothing but what was drawn. Take more samples where it is low.",
               _trial("seed")),
    )  # fmt: skip

    def cost(self, cost_inputs: CostInputs, parameters: StabilityParameters) -> MetricCost:
        count = len(trials(cost_inputs, parameters.quality))
        return MetricCost(forwards=count + 1) + cost_inputs.map_cost * count

    def measure(self, subject: ExplainedMap, parameters: StabilityParameters) -> MetricSteps:
        meter = Meter(self.cost(subject.cost_inputs, parameters))
        engine = subject.engine
        figures: StabilityFigures = {"score": float(engine.scores(subject.picture[None])), "trials": []}
        yield meter.spend(1)
        maps = {}
        for trial in trials(subject.cost_inputs, parameters.quality):
            picture = trial.change(subject.picture)
            values = yield from meter.explain(subject, engine, picture, subject.seed + trial.reseeded)
            values = trial.back(values)
            score = float(engine.scores(picture[None]))
            similarity = map_similarity(trial.compared(subject.values), trial.compared(values), subject.method)
            figures["trials"].append({"id": trial.id, "score": score, **similarity})
            maps[trial.id] = values
            yield meter.spend(1)
        return Measurement(self.id, figures, maps)

    def findings(self, figures: Figures, method: Method[Any]) -> Findings:
        """Each trial that moves the map; whether the score moved too."""
        score = figures["score"]
        known = [trial for trial in figures["trials"] if trial["rank_correlation"] is not None]
        if not known:
            yield "none", "note", {}
            return
        for trial in known:
            if rank_of(trial) >= DIFFERENT_BELOW:
                continue
            values = {"rank": short(rank_of(trial)), "before": short(score), "after": short(trial["score"])}
            if abs(trial["score"] - score) > SCORE_CHANGED_ABOVE * max(abs(score), abs(trial["score"])):
                yield f"{trial['id']}_with_score", "note", values
            else:
                yield trial["id"], "doubt", values
        low = min(map(rank_of, known))
        if low >= SIMILAR_FROM:
            yield "stays", "support", {"rank": short(low)}
        elif low >= DIFFERENT_BELOW:
            yield "partly", "note", {"rank": short(low)}


def trials(cost_inputs: CostInputs, quality: int) -> list[Transformation]:
    found = [
        Transformation("shift", shifted, lambda values: values.roll(-1, -1), lambda values: values[..., :-1]),
        Transformation("jpeg", lambda picture: jpeg_compressed(picture, quality), _same, _same),
        Transformation("mirror", _mirrored, _mirrored, _same),
    ]
    if cost_inputs.method.stochastic(cost_inputs.parameters):
        found.insert(0, Transformation("seed", _same, _same, _same, reseeded=True))
    return found


def shifted(picture: Tensor) -> Tensor:
    """The picture one pixel to the right; the first column is repeated."""
    return torch.cat([picture[..., :1], picture[..., :-1]], -1)


def jpeg_compressed(picture: Tensor, quality: int) -> Tensor:
    """The picture, (C, H, W) with C = 1 or 3, after JPEG compression with that quality."""
    pixels = (picture.detach().float().cpu() * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    out = io.BytesIO()
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(out, "JPEG", quality=quality)
    with Image.open(out) as opened:
        given = np.array(opened)
    return torch.from_numpy(given).reshape(pixels.shape).permute(2, 0, 1).to(picture) / 255


def _mirrored(values: Tensor) -> Tensor:
    return values.flip(-1)


def _same(values: Tensor) -> Tensor:
    return values
