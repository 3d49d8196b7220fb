"""Deletion and insertion: what the probability does while pixels go, or come, in the order that the map gives."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from statistics import mean
from typing import Any, ClassVar, Literal, TypedDict

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ..gradients import finite
from ..methods.base import Method, Paper, Parameters, Progress
from ..methods.baselines import make_baseline
from ..noise import generator
from ..score import Score
from .base import CostInputs, ExplainedMap, Measurement, Meter, Metric, MetricCost, MetricSteps
from .controls import ENOUGH_DRAWS, Verdict, against, centred_gaussian, moved, moves, p_value
from .findings import Figures, Findings, Level, Values, short
from .scalars import Better, Scalar
from .similarity import importance

LITTLE = 0.1  # of probability: less than that there is nothing to lose on a curve
MARGIN = 0.02  # of the class's probability: areas that are closer are the same

# (verdict against random orders, verdict against displaced maps) → (code, level) of the finding
_OUTCOMES: dict[tuple[Verdict, ...], tuple[str, Level]] = {
    ("better", "better"): ("better", "support"),
    ("better", "few draws"): ("few_draws", "note"),
    ("few draws", "better"): ("few_draws", "note"),
    ("few draws", "few draws"): ("few_draws", "note"),
    ("better", "no better"): ("place_does_not_matter", "doubt"),
    ("few draws", "no better"): ("place_does_not_matter", "doubt"),
    ("unclear", "better"): ("random_as_good", "note"),
    ("no better", "better"): ("random_as_good", "note"),
    ("no better", "few draws"): ("random_as_good", "note"),
    ("no better", "no better"): ("no_better_than_random", "doubt"),
}


class CurveParameters(Parameters):
    replacement: Literal["blurred", "black"] = Field(
        "blurred", title="Replacement", description="What replaces the removed pixels"
    )
    steps: int = Field(
        50, title="Steps", ge=1, le=1000, description="Points of the curve between 0 and 100 % of pixels"
    )
    draws: int = Field(
        3,
        title="Draws",
        ge=1,
        le=50,
        description="Random orders, and displaced maps, to compare with; 19 or more for p = 0.05",
    )


class Curve(TypedDict):
    probabilities: list[float]
    area: float


class PerturbationCurve(Metric[CurveParameters]):
    """P(target) at k/N of the pixels, k = 0 … N, and the area under it by the trapezoid rule.

    Pixels go in falling order of the map (see `similarity.importance`); of equal ones, as in the zeros of a rectified
    Grad-CAM, chance decides by the seed. Three controls go the same way: random orders; the map itself, displaced; and
    a Gaussian at the centre with a standard deviation of a quarter of each side. Single pixels scattered at random
    destroy what a network looks for sooner than any region does, so against them alone a coarse map looks worse than it
    is; a displaced map, moved round the border to one of the places of a grid (see `controls.moves`), is as coarse or
    as scattered as the map. Figures: `fractions`, `map`, `gaussian` and each of `random` and of `displaced` with
    `probabilities` and `area`; `random_area` and `displaced_area`, the means over the draws; `random_p` and
    `displaced_p`, (1 + the draws that are at least as good as the map) / (1 + draws). Maps: `order`,
    `order_gaussian`, `order_random` and `order_displaced`, the first draws, (1, H, W): the point k of the curve from
    which on a pixel is exchanged; and the `replacement`, (C, H, W). They give the picture at each point.
    """

    paper = Paper("RISE (Petsiuk, Das, Saenko)", "https://arxiv.org/abs/1806.07421")
    Parameters = CurveParameters
    inserts: ClassVar[bool]
    needs_classes = True
    revision = 2  # displaced maps lie on a grid

    @property
    def sign(self) -> int:
        """1 where a larger area is better, else −1."""
        return 1 if self.inserts else -1

    def cost(self, cost_inputs: CostInputs, parameters: CurveParameters) -> MetricCost:
        return MetricCost(forwards=(2 + 2 * parameters.draws) * (parameters.steps + 1))

    def measure(self, subject: ExplainedMap, parameters: CurveParameters) -> MetricSteps:
        meter = Meter(self.cost(subject.cost_inputs, parameters))
        replacement = make_baseline(parameters.replacement, subject.picture, subject.seed)
        start, end = (replacement, subject.picture) if self.inserts else (subject.picture, replacement)

        def curve(order: Tensor) -> Generator[Progress, None, Curve]:
            return (yield from trace(subject, meter, start, end, order, parameters.steps))

        strength = importance(subject.values, subject.method)
        order = ranking(strength, subject.seed)
        gaussian = ranking(centred_gaussian(subject.size), subject.seed)
        draws = range(parameters.draws)
        drawn = {
            "random": [random_order(subject.size, subject.seed, draw) for draw in draws],
            "displaced": [
                ranking(moved(strength, move), subject.seed)
                for move in moves(subject.size, parameters.draws, subject.seed)
            ],
        }
        traced_map = yield from curve(order)
        figures: dict[str, object] = {
            "replacement": parameters.replacement,
            "fractions": [k / parameters.steps for k in range(parameters.steps + 1)],
            "map": traced_map,
            "gaussian": (yield from curve(gaussian)),
        }
        for name, control in drawn.items():
            traced: list[Curve] = []
            for one in control:
                traced.append((yield from curve(one)))
            areas = [record["area"] for record in traced]
            gains = [self.sign * (traced_map["area"] - area) for area in areas]
            figures |= {name: traced, f"{name}_area": float(np.mean(areas)), f"{name}_p": p_value(gains)}
        orders = {"order": order, "order_gaussian": gaussian}
        orders |= {f"order_{name}": control[0] for name, control in drawn.items()}
        points = {name: exchanged_at(one, parameters.steps).view(1, *subject.size) for name, one in orders.items()}
        return Measurement(self.id, figures, {**points, "replacement": replacement})

    def findings(self, figures: Figures, method: Method[Any]) -> Findings:
        """Against random orders, against the map displaced, and against the centred Gaussian."""
        way = figures["map"]["probabilities"]
        whole, nothing = (way[0], way[-1]) if not self.inserts else (way[-1], way[0])
        if whole - nothing < LITTLE:
            yield "little_to_lose", "note", {"whole": short(whole), "nothing": short(nothing)}
            return
        sign = self.sign
        area, margin = figures["map"]["area"], MARGIN * whole
        areas = {name: [record["area"] for record in figures[name]] for name in ("random", "displaced")}
        values: Values = {"area": short(area), "draws": len(areas["random"])}
        for name, drawn in areas.items():
            values |= {name: short(mean(drawn)), f"{name}_low": short(min(drawn))}
            values[f"{name}_high"] = short(max(drawn))
        verdicts = tuple(against(area, areas[name], sign, margin) for name in ("random", "displaced"))
        outcome, level = _OUTCOMES.get(verdicts, ("unclear", "note"))
        if outcome == "few_draws":
            values |= {"chance": len(areas["displaced"]) + 1, "enough": ENOUGH_DRAWS}
        yield outcome, level, values
        gaussian = figures["gaussian"]["area"]
        if sign * (area - gaussian) < margin:
            yield "gaussian_as_good", "note", {"area": short(area), "gaussian": short(gaussian)}


def trace(
    subject: ExplainedMap, meter: Meter, start: Tensor, end: Tensor, order: Tensor, steps: int
) -> Generator[Progress, None, Curve]:
    """The probabilities on the way from `start` to `end`, pixel by pixel in `order`, and their area."""
    engine = subject.engine.of(Score(subject.target, "probability", multilabel=subject.classifier.multilabel))
    probabilities: list[float] = []
    for batch in engine.batches(_way(start, end, order, steps)):
        probabilities += finite(engine.scores(torch.stack(batch))).double().tolist()
        yield meter.spend(len(batch))
    return {"probabilities": probabilities, "area": float(np.trapezoid(probabilities, dx=1 / steps))}


def _way(start: Tensor, end: Tensor, order: Tensor, steps: int) -> Iterator[Tensor]:
    return (exchanged(start, end, order, count) for count in counts(len(order), steps))


def counts(pixels: int, steps: int) -> list[int]:
    """How many pixels are exchanged at each point of a curve, from none to all."""
    return [round(k * pixels / steps) for k in range(steps + 1)]


def exchanged_at(order: Tensor, steps: int) -> Tensor:
    """For each pixel the point k ≥ 1 of the curve from which on it is exchanged: (H·W,)."""
    places = torch.arange(len(order))
    points = torch.empty(len(order))
    points[order] = torch.searchsorted(torch.tensor(counts(len(order), steps)), places, right=True).float()
    return points


def exchanged(start: Tensor, end: Tensor, order: Tensor, count: int) -> Tensor:
    """`start` with the first `count` pixels of `order` taken from `end`: (C, H, W). The picture at a curve's point."""
    pixels = start.flatten(1).clone()
    taken = order[:count].to(pixels.device)
    pixels[:, taken] = end.flatten(1)[:, taken]
    return pixels.view_as(start)


def ranking(values: Tensor, seed: int) -> Tensor:
    """Places of `values`, (H, W), in falling order: (H·W,). Equal ones in an order drawn by the seed."""
    flat = values.flatten().cpu()
    drawn = torch.randperm(len(flat), generator=generator(seed, "ties"))
    return drawn[flat[drawn].argsort(descending=True, stable=True)]


def random_order(size: tuple[int, int], seed: int, draw: int) -> Tensor:
    return torch.randperm(size[0] * size[1], generator=generator(seed, "order", draw))


def curve_scalars(metric: str, better: Better, sign: int, does: str) -> tuple[Scalar, ...]:
    """The numbers of deletion and insertion; a gain is positive where the map does better than a control."""

    def over(control: Callable[[Figures], float]) -> Callable[[Figures], float]:
        return lambda figures: sign * (figures["map"]["area"] - control(figures))

    return (
        Scalar(
            f"{metric}.gain_random", f"{metric.capitalize()}: gain over a random order", "higher",
            f"By how much the area under the curve is better than where pixels {does} in a random order. At or below "
            "zero the map's order is worth no more than chance.",
            over(lambda figures: figures["random_area"]),
            reference=0.0,
        ),
        Scalar(
            f"{metric}.gain_displaced", f"{metric.capitalize()}: gain over the map displaced", "higher",
            "The same against the map itself, moved elsewhere: as coarse or as scattered as the map, which "
            "a random order is not. At or below zero, where the map points is worth no more than any other place.",
            over(lambda figures: figures["displaced_area"]),
        ),
        Scalar(
            f"{metric}.gain_gaussian", f"{metric.capitalize()}: gain over a centred Gaussian", "higher",
            "The same against an order from the centre outwards, which knows nothing of the picture but where "
            "photographers put things.",
            over(lambda figures: figures["gaussian"]["area"]),
            reference=0.0,
        ),
        Scalar(
            f"{metric}.area", f"{metric.capitalize()}: area under the curve", better,
            f"The mean probability of the class while pixels {does}, the map's strongest first. It depends on "
            "the picture and on how sure the model was: compare methods on the same pictures only.",
            lambda figures: figures["map"]["area"],
        ),
    )  # fmt: skip
