"""Is the map made of few places, or spread over all?"""

from __future__ import annotations

import math
from typing import Any, NotRequired, TypedDict

import torch
from torch import Tensor

from ...methods.base import Method, NoParameters, Paper, Progress
from ..base import CostInputs, ExplainedMap, Measurement, Metric, MetricCost, MetricSteps, register
from ..findings import Figures, Findings, percent, short
from ..scalars import Scalar


class SparsenessFigures(TypedDict):
    gini: float | None
    tenth: float | None
    reason: NotRequired[str]


@register
class Sparseness(Metric[NoParameters]):
    """The Gini index of the map's magnitudes: Σ_k (2k − n − 1) a_k / (n Σ a), a_1 ≤ … ≤ a_n.

    Chalasani et al. 2018, arXiv:1810.06583. a is Σ over the channels of |values| at each of the n places. 0 is a map
    that is the same everywhere, 1 − 1/n one of a single place. It costs nothing. Figures: `gini`; `tenth`, the share of
    the map in its strongest tenth of places (rounded up); both None with a `reason` where the map is zero everywhere.
    """

    id = "sparseness"
    title = "Sparseness"
    order = 9
    paper = Paper(
        "Concise Explanations of Neural Networks using Adversarial Training (Chalasani et al.)",
        "https://arxiv.org/abs/1810.06583",
    )
    summary = "How far the map is concentrated on few places, by its Gini index."
    Parameters = NoParameters
    scalars = (
        Scalar(
            "sparseness.gini", "Sparseness: Gini index", "higher",
            "How far the map's magnitude is concentrated on few places: 0 is the same everywhere, near 1 a single "
            "place. Easier to read, not more right.",
            lambda figures: figures["gini"],
        ),
    )  # fmt: skip

    def cost(self, cost_inputs: CostInputs, parameters: NoParameters) -> MetricCost:
        return MetricCost()

    def measure(self, subject: ExplainedMap, parameters: NoParameters) -> MetricSteps:
        yield Progress(0, 0)
        ordered = magnitudes(subject.values).sort().values
        total, count = float(ordered.sum()), len(ordered)
        figures: SparsenessFigures = {"gini": None, "tenth": None}
        if total:
            ranks = torch.arange(1, count + 1, dtype=ordered.dtype)
            figures["gini"] = float((2 * ranks - count - 1) @ ordered) / (count * total)
            figures["tenth"] = float(ordered[-math.ceil(count / 10) :].sum()) / total
        else:
            figures["reason"] = "the map is zero everywhere: it has no magnitude to be spread"
        return Measurement(self.id, figures)

    def findings(self, figures: Figures, method: Method[Any]) -> Findings:
        if figures["gini"] is None:
            yield "none", "note", {}
        else:
            yield "measured", "note", {"gini": short(figures["gini"]), "percent": percent(figures["tenth"])}


def magnitudes(values: Tensor) -> Tensor:
    """Σ over the channels of |values|, (C, H, W) → (H · W,) in float64."""
    return values.detach().double().cpu().abs().sum(0).flatten()
