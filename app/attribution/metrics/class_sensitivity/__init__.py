"""Is the map about this class, or much the same for any?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from pydantic import Field

from ...gradients import finite
from ...methods.base import Method, Paper, Parameters
from ...noise import generator
from ...score import Score
from ..base import CostInputs, ExplainedMap, Measurement, Meter, Metric, MetricCost, MetricSteps, register
from ..findings import SAME_FROM, SIMILAR_FROM, Figures, Findings, rank_of, short
from ..scalars import Scalar, mean_of
from ..similarity import Similarity, map_similarity


class ClassSensitivityParameters(Parameters):
    nearest: int = Field(
        4, title="Next classes", ge=1, le=50, description="Most likely classes to compare with, besides the target"
    )


class OtherClass(Similarity):
    """How alike the map of another class is."""

    target: int
    label: str
    random: bool  # drawn from all the others


@register
class ClassSensitivity(Metric[ClassSensitivityParameters]):
    """How alike the map is to those of the next classes, by their logits, and of one of the others at random.

    After Rao, Böhle, Schiele 2022, arXiv:2205.10435, and Adebayo et al. 2018: a map that is the same for every class
    cannot say what speaks for one. Figures: for each of `classes` its `target` and `label`, whether it was drawn
    (`random`), and the similarity (see `similarity.map_similarity`). Maps: by the class's index.
    """

    id = "class_sensitivity"
    title = "Class sensitivity"
    order = 3
    paper = Paper(
        "Towards Better Understanding Attribution Methods (Rao, Böhle, Schiele)", "https://arxiv.org/abs/2205.10435"
    )
    summary = "How similar the map is to the maps of other classes: a map that is about the class differs from them."
    Parameters = ClassSensitivityParameters
    needs_classes = True
    scalars = (
        Scalar(
            "class_sensitivity.rank_correlation", "Class sensitivity: rank correlation with other classes", "lower",
            "The mean similarity of the map to those of other classes. Near 1 it is much the same for any class, and "
            "cannot say what speaks for this one.",
            lambda figures: mean_of(figures["classes"], "rank_correlation"),
        ),
    )  # fmt: skip

    def cost(self, cost_inputs: CostInputs, parameters: ClassSensitivityParameters) -> MetricCost:
        nearest, drawn = shares(cost_inputs.classes, parameters.nearest)
        return MetricCost(forwards=1) + cost_inputs.map_cost * (nearest + drawn)

    def measure(self, subject: ExplainedMap, parameters: ClassSensitivityParameters) -> MetricSteps:
        meter = Meter(self.cost(subject.cost_inputs, parameters))
        with torch.no_grad():
            logits = finite(subject.classifier(subject.picture[None])[0])
        yield meter.spend(1)
        ranked = [k for k in logits.argsort(descending=True, stable=True).tolist() if k != subject.target]
        nearest, drawn = shares(len(ranked) + 1, parameters.nearest)
        others = ranked[:nearest]
        if drawn:
            place = torch.randint(nearest, len(ranked), (), generator=generator(subject.seed, "class"))
            others.append(ranked[int(place)])
        classes: list[OtherClass] = []
        maps = {}
        for index, target in enumerate(others):
            engine = subject.engine.of(of_class(subject.score, target))
            values = yield from meter.explain(subject, engine)
            similarity = map_similarity(subject.values, values, subject.method)
            label = subject.classifier.label(target)
            classes.append({"target": target, "label": label, "random": index >= nearest, **similarity})
            maps[str(target)] = values
        return Measurement(self.id, {"classes": classes}, maps)

    def findings(self, figures: Figures, method: Method[Any]) -> Findings:
        """Against a class drawn from all the others first, then against the next ones."""
        known = [record for record in figures["classes"] if record["rank_correlation"] is not None]
        if not known:
            yield "none", "note", {}
            return
        near = [record for record in known if not record["random"]] or known
        far = next((record for record in known if record["random"]), min(near, key=rank_of))
        likest = max(near, key=rank_of)
        values = {
            "near": likest["label"],
            "near_rank": short(rank_of(likest)),
            "far": far["label"],
            "far_rank": short(rank_of(far)),
        }
        if rank_of(far) >= SAME_FROM:
            yield "same", "doubt", values
        elif rank_of(likest) >= SAME_FROM:
            yield "near_same", "note", values
        elif rank_of(likest) < SIMILAR_FROM and rank_of(far) < SIMILAR_FROM:
            yield "differs", "support", values
        else:
            yield "partly", "note", values


def shares(classes: int, nearest: int) -> tuple[int, int]:
    """How many next classes there are beside the target, and whether one is left to be drawn."""
    nearest = min(nearest, classes - 1)
    return nearest, int(classes - 1 > nearest)


def of_class(score: Score, target: int) -> Score:
    """The same score of another class; where that is the one it was held against, its logit alone."""
    return replace(score, target=target, against=None if score.against == target else score.against)
