"""The sanity check: does the map change when the network forgets what it learned?"""

from __future__ import annotations

from typing import NotRequired, TypedDict

from pydantic import Field

from ..engine import Engine
from ..errors import ComputationFailed, Refused
from ..methods.base import Paper, Parameters
from .base import CostInputs, ExplainedMap, Measurement, Measuring, Meter, Metric, MetricCost, register
from .networks import layers, private, randomise, weighing
from .similarity import compare


class RandomisationParameters(Parameters):
    stages: int = Field(
        10,
        title="Stages",
        ge=1,
        le=500,
        description="Maps between the top layer drawn at random and all of them; no more than there are layers",
    )


class Stage(TypedDict):
    """How alike the map of a network with `count` random layers is; `layer` is the last of them."""

    count: int
    layer: str
    rank_correlation: NotRequired[float | None]
    signed_rank_correlation: NotRequired[float | None]
    ssim: NotRequired[float | None]
    reason: NotRequired[str]  # why there is no map


@register
class Randomisation(Metric[RandomisationParameters]):
    """The method's map at each stage of a network whose layers are drawn at random from the top down, one upon another.

    Adebayo et al. 2018, arXiv:1810.03292, cascading. On a private copy of the network; `networks.randomise` says how
    weights are drawn, by the seed. Figures: `layers`, how many hold weights, and for each of `stages` the `count` of
    random layers, the name of the last of them, and how alike the map is to the original (see `similarity.compare`):
    `rank_correlation`, `signed_rank_correlation` and `ssim`; None where the map is constant, or cannot be computed any
    more. Maps: that of each stage by its count.
    """

    id = "randomisation"
    title = "Weight randomisation"
    paper = Paper("Sanity Checks for Saliency Maps (Adebayo et al.)", "https://arxiv.org/abs/1810.03292")
    summary = "The map of a network whose layers are drawn at random, from the top down: it has to change."
    Parameters = RandomisationParameters
    network = "copy"

    def check(self, subject: ExplainedMap, parameters: RandomisationParameters) -> None:
        if not weighing(subject.classifier):
            raise Refused("This network holds no weights that could be drawn at random.")

    def cost(self, outline: CostInputs, parameters: RandomisationParameters) -> MetricCost:
        held = parameters.stages if outline.layers is None else outline.layers
        return outline.map_cost * len(randomised_counts(held, parameters.stages))

    def measure(self, subject: ExplainedMap, parameters: RandomisationParameters) -> Measuring:
        copy = private(subject.classifier)
        order = layers(copy)
        engine = Engine(copy, subject.score, micro_batch=subject.engine.micro_batch)
        meter = Meter(self.cost(subject.outline, parameters))
        stages: list[Stage] = []
        maps, done = {}, 0
        for count in randomised_counts(len(order), parameters.stages):
            for layer in order[done:count]:
                randomise(layer, subject.seed)
            done = count
            stage: Stage = {"count": count, "layer": order[count - 1][0][0]}
            before = meter.done
            try:
                values = yield from meter.explain(subject, engine)
                stage = {**stage, **compare(subject.values, values, subject.method)}
                maps[str(count)] = values
            except ComputationFailed as failure:
                stage |= {"rank_correlation": None, "signed_rank_correlation": None, "ssim": None}
                stage["reason"] = failure.detail
                yield meter.spend(before + subject.outline.map_cost.total - meter.done)
            stages.append(stage)
        return Measurement(self.id, {"layers": len(order), "stages": stages}, maps)


def randomised_counts(layers: int, stages: int) -> list[int]:
    """How many layers are random at each stage: from 1 to all, evenly."""
    stages = min(stages, layers)
    if stages == 1:
        return [layers]
    return [1 + round(k * (layers - 1) / (stages - 1)) for k in range(stages)]
