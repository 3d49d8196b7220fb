"""The pointing game with boxes: does the strongest place of a map lie in a box around what it should show?

It needs boxes of each picture, so it is measured by `evaluate --boxes` only, and not a metric of the registry.
"""

from __future__ import annotations

from typing import TypedDict

import torch
from pydantic import Field

from ..attribution.errors import Refused
from ..attribution.methods.base import Paper, Parameters, Progress
from ..attribution.metrics.base import CostInputs, ExplainedMap, Measurement, Metric, MetricCost, MetricSteps
from ..attribution.metrics.boxes import Boxes
from ..attribution.metrics.scalars import Scalar

TOLERANCE = 15.0  # pixels of the picture; TorchRay's PointingGame has the same
MARGIN = 1.0  # pixels by which a box may reach beyond its picture, by rounding


class BoxParameters(Parameters):
    tolerance: float = Field(
        TOLERANCE, ge=0, le=10_000, description="Pixels of the picture beside a box that still hit"
    )


class BoxFigures(TypedDict):
    hit: bool
    share: float
    positive: bool
    area: float
    centre: bool


class BoxPointing(Metric[BoxParameters]):
    """Whether a map's maximum lies in a box, and how much of its positive values does.

    A⁺ is the positive part of the map's sum over the channels, c the share of each place that lies in a box. Figures:
    `hit`, whether each place of the greatest A⁺ is at most `tolerance` pixels of the picture from a box; `share`,
    Σ A⁺ c / Σ A⁺; both are a miss (False, 0) of a map without positive values, which `positive` says. What is to be
    compared with: `area`, the mean of c, is the share of a map that is the same everywhere; `centre` says whether the
    centre of the picture hits. The hits are those of Zhang et al. 2016, arXiv:1608.00507.

    Raises `Refused` if a box reaches beyond its picture, or the model sees none of the boxes.
    """

    id = "box_pointing"
    title = "Pointing game with boxes"
    paper = Paper("Top-down Neural Attention by Excitation Backprop (Zhang et al.)", "https://arxiv.org/abs/1608.00507")
    summary = "Whether the strongest place of a map lies in a box of its picture, and how much of the map does."
    Parameters = BoxParameters
    of_boxes = True
    scalars = (
        Scalar(
            "box_pointing.hits", "Pointing game with boxes: hits", "higher",
            "How often the map's maximum lies in a box of its picture, or near it, as the tolerance says. A map "
            "without a positive value misses. Compare it with how often the centre of the picture hits.",
            lambda figures: float(figures["hit"]),
        ),
        Scalar(
            "box_pointing.share", "Pointing game with boxes: share in the box", "higher",
            "The share of a map's positive values that lies in a box of its picture; 0 of a map without any. Compare "
            "it with the area of the boxes, which is the share of a map that is the same everywhere.",
            lambda figures: figures["share"],
        ),
        Scalar(
            "box_pointing.area", "Pointing game with boxes: area of the boxes", "",
            "The share of what the model sees that lies in a box. It is the same for every method.",
            lambda figures: figures["area"],
        ),
        Scalar(
            "box_pointing.centre", "Pointing game with boxes: hits of the centre", "",
            "How often the centre of the picture lies in a box, or near it. It is the same for every method: what "
            "pointing at the centre would reach.",
            lambda figures: float(figures["centre"]),
        ),
    )  # fmt: skip

    def cost(self, cost_inputs: CostInputs, parameters: BoxParameters) -> MetricCost:
        return MetricCost()

    def check(self, subject: ExplainedMap, parameters: BoxParameters) -> None:
        boxes = _boxes(subject)
        width, height = boxes.picture
        for box in boxes.boxes:
            beyond = max(-box.x, -box.y, box.x + box.width - width, box.y + box.height - height)
            if beyond > MARGIN:
                raise Refused(
                    f"The box x={box.x:g}, y={box.y:g}, width={box.width:g}, height={box.height:g} reaches beyond its "
                    f"picture of {width:g}×{height:g} pixels. Boxes are in pixels of the upright picture."
                )
        if not boxes.coverage(subject.size).any():
            raise Refused("The model sees none of the boxes: they are outside its crop. Take --fit pad or squash.")

    def measure(self, subject: ExplainedMap, parameters: BoxParameters) -> MetricSteps:
        yield Progress(0, 0)
        boxes = _boxes(subject)
        positive = subject.values.detach().double().cpu().sum(0).clamp(min=0)
        coverage = boxes.coverage(subject.size)
        total, greatest = float(positive.sum()), positive.max()
        near = boxes.distance(subject.size) <= parameters.tolerance
        middle = torch.tensor([side / 2 for side in boxes.picture], dtype=torch.float64)
        figures: BoxFigures = {
            "hit": total > 0 and bool(near[positive == greatest].all()),
            "share": float((positive * coverage).sum()) / total if total else 0.0,
            "positive": total > 0,
            "area": float(coverage.mean()),
            "centre": bool(boxes.distances(middle[:1], middle[1:]) <= parameters.tolerance),
        }
        return Measurement(self.id, figures)


def _boxes(subject: ExplainedMap) -> Boxes:
    if subject.boxes is None:
        raise Refused("Nobody has said where the boxes of this picture are: name a file of them by --boxes.")
    return subject.boxes


BOX_POINTING = BoxPointing()
