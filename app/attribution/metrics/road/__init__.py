"""ROAD: what the probability does while pixels are removed, and filled in from their neighbours."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from statistics import mean
from typing import Any, TypedDict

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ...errors import Refused
from ...gradients import finite
from ...methods.base import Method, Paper, Parameters, Progress
from ...noise import generator
from ...score import Score
from ..base import CostInputs, ExplainedMap, Measurement, Meter, Metric, MetricCost, MetricSteps, register
from ..curves import random_order, ranking
from ..findings import Figures, Findings, short
from ..imputation import imputed
from ..scalars import Scalar
from ..similarity import importance

MAX_PIXELS = 512 * 512  # the largest system of equations that is solved
LITTLE = 0.1  # of probability: less than that there is nothing to lose
MARGIN = 0.02  # of the class's probability: orders that are closer are the same


class RoadParameters(Parameters):
    steps: int = Field(
        9, title="Steps", ge=1, le=50, description="Shares of the pixels that are removed, evenly between none and all"
    )
    noise: float = Field(
        0.01,
        title="Noise",
        ge=0,
        le=1,
        description="Standard deviation of what is added to the pixels that are filled in",
    )


class RoadFigures(TypedDict):
    fractions: list[float]
    most: list[float]
    least: list[float]
    random: list[float]
    whole: float
    gap: float


@register
class Road(Metric[RoadParameters]):
    """P(target) with k/(n + 1) of the pixels removed, k = 1 … n, most relevant first and least relevant first.

    Rong, Leemann, Borisov, Kasneci, Kasneci 2022, arXiv:2202.00449: remove and debias. A removed pixel is the weighted
    mean of its neighbours and some noise (see `imputation.imputed`), so that the shape of what was removed tells the
    model less than black or blurred pixels do. Figures: the `fractions`; the probabilities with the `most` and with the
    `least` relevant pixels removed, and in a `random` order; of the `whole` picture; and `gap`, the mean of least −
    most. Maps: `most` and `least`, the picture with half of its pixels removed, (C, H, W). Raises `Refused` for inputs
    of more than 512 × 512 pixels: the equations take minutes then.
    """

    id = "road"
    title = "ROAD"
    order = 13
    paper = Paper("ROAD (Rong, Leemann, Borisov, Kasneci, Kasneci)", "https://arxiv.org/abs/2202.00449")
    summary = "How much sooner the class is lost without the map's strongest pixels than without its weakest."
    Parameters = RoadParameters
    needs_classes = True
    scalars = (
        Scalar(
            "road.gap", "ROAD: gap between the two orders", "higher",
            "The probability of the class without the map's weakest pixels, less that without its strongest ones, mean "
            "over the shares removed. At or below zero the order of the map is worth nothing.",
            lambda figures: figures["gap"],
            reference=0.0,
        ),
    )  # fmt: skip

    def cost(self, cost_inputs: CostInputs, parameters: RoadParameters) -> MetricCost:
        return MetricCost(forwards=3 * parameters.steps + 1)

    def check(self, subject: ExplainedMap, parameters: RoadParameters) -> None:
        height, width = subject.size
        if height * width > MAX_PIXELS:
            raise Refused(
                f"ROAD solves an equation for each pixel that it removes, and {width} × {height} are too many: at most "
                f"{MAX_PIXELS:,} pixels. Take a smaller input size, or deletion."
            )

    def measure(self, subject: ExplainedMap, parameters: RoadParameters) -> MetricSteps:
        meter = Meter(self.cost(subject.cost_inputs, parameters))
        strongest = ranking(importance(subject.values, subject.method), subject.seed)
        orders = {"most": strongest, "least": strongest.flip(0), "random": random_order(subject.size, subject.seed, 0)}
        fractions = [k / (parameters.steps + 1) for k in range(1, parameters.steps + 1)]
        (whole,) = _probabilities(subject, [subject.picture])
        yield meter.spend(1)
        curves: dict[str, list[float]] = {}
        for name, order in orders.items():
            pictures = (remove(subject, order, share, parameters.noise) for share in fractions)
            curves[name] = yield from _curve(subject, pictures, meter)
        gap = float(np.subtract(curves["least"], curves["most"]).mean())
        figures = RoadFigures(
            fractions=fractions,
            most=curves["most"],
            least=curves["least"],
            random=curves["random"],
            whole=whole,
            gap=gap,
        )
        shown = {name: remove(subject, orders[name], 0.5, parameters.noise) for name in ("most", "least")}
        return Measurement(self.id, figures, shown)

    def findings(self, figures: Figures, method: Method[Any]) -> Findings:
        whole, most, least, random = figures["whole"], *(mean(figures[name]) for name in ("most", "least", "random"))
        values = {"whole": short(whole), "most": short(most), "least": short(least), "random": short(random)}
        margin = MARGIN * whole
        if whole < LITTLE:
            yield "little_to_lose", "note", values
        elif most < random - margin and least > random + margin:
            yield "better", "support", values
        elif figures["gap"] < margin:
            yield "no_better", "doubt", values
        else:
            yield "partly", "note", values


def remove(subject: ExplainedMap, order: Tensor, share: float, noise: float) -> Tensor:
    """The picture without the first `share` of the pixels of `order`, which are filled in from the others."""
    count = round(share * len(order))
    kept = torch.ones(len(order), dtype=torch.bool)
    kept[order[:count]] = False
    drawn = torch.randn(
        (len(subject.picture), count), generator=generator(subject.seed, "imputation", count), dtype=torch.float64
    )
    return imputed(subject.picture, kept.view(subject.size), noise * drawn)


def _curve(subject: ExplainedMap, pictures: Iterator[Tensor], meter: Meter) -> Generator[Progress, None, list[float]]:
    found: list[float] = []
    for batch in subject.engine.batches(pictures):
        found += _probabilities(subject, batch)
        yield meter.spend(len(batch))
    return found


def _probabilities(subject: ExplainedMap, pictures: list[Tensor]) -> list[float]:
    engine = subject.engine.of(Score(subject.target, "probability", multilabel=subject.classifier.multilabel))
    return finite(engine.scores(torch.stack(pictures))).double().tolist()
