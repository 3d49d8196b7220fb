"""The sanity check: does the map change when the network's weights are replaced by random ones?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NotRequired, TypedDict

from pydantic import Field

from ...engine import Engine
from ...errors import ComputationFailed, Refused
from ...methods.base import Method, Paper, Parameters
from ..base import CostInputs, ExplainedMap, Measurement, Meter, Metric, MetricCost, MetricSteps, register
from ..findings import DIFFERENT_BELOW, SAME_FROM, SIMILAR_FROM, Figures, Findings, Level, short
from ..networks import count_weighted_layers, layer_name, layers_with_weights, private_copy, randomise
from ..scalars import Scalar
from ..similarity import map_similarity

SIMILARITY_MEANING = (
    "A map that stays as it was does not depend on what the network has learned. 1 is the same map, 0 unrelated."
)


def _stage_value(place: int, name: str) -> Callable[[Figures], float | None]:
    """A function that reads the number `name` of the stage at index `place`."""
    return lambda figures: figures["stages"][place].get(name)


class RandomisationParameters(Parameters):
    stages: int = Field(
        10,
        title="Stages",
        ge=1,
        le=500,
        description="Number of maps, from a random top layer to all layers random; no more than there are layers",
    )


class Stage(TypedDict):
    """How similar the map is to the original after `count` layers were randomised; `layer` is the last of them."""

    count: int
    layer: str
    rank_correlation: NotRequired[float | None]
    signed_rank_correlation: NotRequired[float | None]
    ssim: NotRequired[float | None]
    reason: NotRequired[str]  # why there is no map


@register
class Randomisation(Metric[RandomisationParameters]):
    """Cascading randomisation: weights become random layer by layer, from the top down. Is the map still the same?

    Adebayo et al. 2018, arXiv:1810.03292. On a private copy of the network; `networks.randomise` says how the weights
    are drawn from the seed. Figures: `layers`, the number of layers with weights; `stages`, each with the `count` of
    random layers, the name of the last of them (`layer`), and how similar its map is to the original (see
    `similarity.map_similarity`): `rank_correlation`, `signed_rank_correlation` and `ssim`. These are None if the map is
    constant or can no longer be computed. Maps: that of each stage, by its count.
    """

    id = "randomisation"
    title = "Weight randomisation"
    order = 2
    paper = Paper("Sanity Checks for Saliency Maps (Adebayo et al.)", "https://arxiv.org/abs/1810.03292")
    summary = "The map of a network whose layers have random weights, from the top down: it must change."
    Parameters = RandomisationParameters
    scalars = (
        Scalar(
            "randomisation.rank_correlation_last", "Randomisation: rank correlation, all layers random", "lower",
            f"How alike the map is to that of the same network with every layer drawn at random. {SIMILARITY_MEANING}",
            _stage_value(-1, "rank_correlation"),
        ),
        Scalar(
            "randomisation.ssim_last", "Randomisation: SSIM, all layers random", "lower",
            f"The same by structural similarity, which looks at local patterns rather than ranks. {SIMILARITY_MEANING}",
            _stage_value(-1, "ssim"),
        ),
        Scalar(
            "randomisation.rank_correlation_first", "Randomisation: rank correlation, top layer random", "lower",
            "How alike the map is once only the layer next to the logits, which tells the classes apart, is random.",
            _stage_value(0, "rank_correlation"),
        ),
        Scalar(
            "randomisation.ssim_first", "Randomisation: SSIM, top layer random", "lower",
            "The same by structural similarity.", _stage_value(0, "ssim"),
        ),
    )  # fmt: skip
    revision = 2  # slopes of PReLU, and vectors such as a layer scale
    network = "copy"

    def check(self, subject: ExplainedMap, parameters: RandomisationParameters) -> None:
        if not count_weighted_layers(subject.classifier):
            raise Refused("This network holds no weights that could be drawn at random.")

    def cost(self, cost_inputs: CostInputs, parameters: RandomisationParameters) -> MetricCost:
        layer_count = parameters.stages if cost_inputs.weighted_layers is None else cost_inputs.weighted_layers
        return cost_inputs.map_cost * len(randomised_counts(layer_count, parameters.stages))

    def measure(self, subject: ExplainedMap, parameters: RandomisationParameters) -> MetricSteps:
        copy = private_copy(subject.classifier)
        order = layers_with_weights(copy)
        engine = Engine(copy, subject.score, micro_batch=subject.engine.micro_batch)
        meter = Meter(self.cost(subject.cost_inputs, parameters))
        stages: list[Stage] = []
        maps, done = {}, 0
        for count in randomised_counts(len(order), parameters.stages):
            for layer in order[done:count]:
                randomise(layer, subject.seed)
            done = count
            stage: Stage = {"count": count, "layer": layer_name(order[count - 1])}
            before = meter.done
            try:
                values = yield from meter.explain(subject, engine)
                stage = {**stage, **map_similarity(subject.values, values, subject.method)}
                maps[str(count)] = values
            except ComputationFailed as failure:
                stage |= {"rank_correlation": None, "signed_rank_correlation": None, "ssim": None}
                stage["reason"] = failure.detail
                yield meter.spend(before + subject.cost_inputs.map_cost.total - meter.done)
            stages.append(stage)
        return Measurement(self.id, {"layers": len(order), "stages": stages}, maps)

    def findings(self, figures: Figures, method: Method[Any]) -> Findings:
        """What the first and the last stage that have a map say: does it change, and from which layer on?"""
        stages, layers = figures["stages"], figures["layers"]
        with_map = [stage for stage in stages if stage["rank_correlation"] is not None]
        if not with_map:
            yield "no_map", "note", {"count": stages[0]["count"], "layers": layers}
            return
        first, last = with_map[0], with_map[-1]
        ranks = {"first": short(first["rank_correlation"]), "last": short(last["rank_correlation"]), "layers": layers}
        unchanged = None
        for stage in with_map:
            if stage["rank_correlation"] < SAME_FROM:
                break
            unchanged = stage
        if unchanged is not None:
            rank = short(unchanged["rank_correlation"])
            yield "unchanged", "doubt", {"count": unchanged["count"], "layers": layers, "rank": rank}
        if last["count"] == layers and last["rank_correlation"] >= DIFFERENT_BELOW:
            signed = short(last["signed_rank_correlation"] or 0.0)
            yield *_still_alike(method), {"rank": ranks["last"], "signed": signed, "layers": layers}
        elif unchanged is None and first["rank_correlation"] < SIMILAR_FROM:
            yield "changes", "support", ranks
        elif unchanged is None:
            yield "changes_late", "note", ranks
        if last is not stages[-1]:
            yield "no_map", "note", {"count": stages[stages.index(last) + 1]["count"], "layers": layers}


def randomised_counts(layers: int, stages: int) -> list[int]:
    """How many layers are random at each stage: evenly spaced from 1 to all."""
    stages = min(stages, layers)
    if stages == 1:
        return [layers]
    return [1 + round(k * (layers - 1) / (stages - 1)) for k in range(stages)]


def _still_alike(method: Method[Any]) -> tuple[str, Level]:
    """Code and level of the finding that the map of an all-random network is still like the original."""
    if method.single_channel:
        return "alike_coarse", "note"
    holds_picture = method.additive or method.multiplies_by_inputs
    return "picture_stays" if holds_picture else "alike_at_last", "doubt"
