"""How far does the map move, when the picture moves a little?"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

import torch
from pydantic import Field
from torch import Tensor

from ...methods.base import Method, Paper, Parameters
from ...noise import generator
from ...threaded_generator import Pause, interleave, run_with_pauses
from ..base import CostInputs, ExplainedMap, Measurement, Meter, Metric, MetricCost, MetricSteps, register
from ..findings import Figures, Findings, percent
from ..scalars import Scalar, size_of


class SensitivityParameters(Parameters):
    radius: float = Field(
        0.02, title="Radius", gt=0, le=1, description="How much each pixel value may change at most, for a range of 1"
    )
    samples: int = Field(10, title="Samples", ge=1, le=1000, description="Number of random pictures near the picture")


class SensitivityFigures(TypedDict):
    max_sensitivity: float | None
    radius: float
    samples: int
    reason: NotRequired[str]


@register
class MaxSensitivity(Metric[SensitivityParameters]):
    """max over k of ‖φ(x + ε_k) − φ(x)‖ / ‖φ(x)‖, ε_k uniform in ±radius for each pixel value, not clipped.

    A lower bound of the maximum over all pictures within the radius, which nobody knows: more samples can only raise
    it. A change that is searched for, as in adversarial examples, moves the map further (Ghorbani, Abid, Zou 2019,
    arXiv:1710.10547).

    Yeh, Hsieh, Suggala, Inouye, Ravikumar 2019, arXiv:1901.09392; by captum. Sample k's ε comes from (seed, k) alone;
    the method keeps its own seed, so that only the picture differs. Figures: `max_sensitivity`, `radius` and
    `samples`; None with a `reason` where the map is zero everywhere.
    """

    id = "max_sensitivity"
    title = "Maximum sensitivity"
    order = 8
    paper = Paper(
        "On the (In)fidelity and Sensitivity of Explanations (Yeh et al.)", "https://arxiv.org/abs/1901.09392"
    )
    summary = (
        "The largest change of the map found, relative to its own size, when every pixel value changes by up to 2 %."
    )
    Parameters = SensitivityParameters
    scalars = (
        Scalar(
            "max_sensitivity.max_sensitivity", "Maximum sensitivity", "lower",
            "The farthest that the map has moved, in its own size, among random small changes of the picture: a lower "
            "bound of how far it can move. Compare it for equal numbers of samples only.",
            size_of("max_sensitivity"),
        ),
    )  # fmt: skip

    def cost(self, cost_inputs: CostInputs, parameters: SensitivityParameters) -> MetricCost:
        return cost_inputs.map_cost * parameters.samples

    def measure(self, subject: ExplainedMap, parameters: SensitivityParameters) -> MetricSteps:
        meter = Meter(self.cost(subject.cost_inputs, parameters))
        figures = SensitivityFigures(max_sensitivity=None, radius=parameters.radius, samples=parameters.samples)
        if not subject.values.any():
            yield meter.spend(meter.total)
            figures["reason"] = "the map is zero everywhere: there is no size to compare a change with"
            return Measurement(self.id, figures)

        def compute(pause: Pause) -> float:
            return float(largest_change(subject, parameters, meter, pause))

        figures["max_sensitivity"] = yield from interleave(compute, meter.progress)
        return Measurement(self.id, figures)

    def findings(self, figures: Figures, method: Method[Any]) -> Findings:
        moved = figures["max_sensitivity"]
        if moved is None:
            yield "none", "note", {}
            return
        values = {"percent": percent(moved), "radius": percent(figures["radius"]), "samples": figures["samples"]}
        yield "moves", "note", values


def largest_change(subject: ExplainedMap, parameters: SensitivityParameters, meter: Meter, pause: Pause) -> Tensor:
    """captum's figure, of the map that is there and maps of pictures near by: (1,)."""
    from captum.metrics import sensitivity_max  # here: it takes Matplotlib along, half a second in each start

    drawn = iter(range(parameters.samples))

    def move(pictures: Tensor) -> Tensor:
        moves = [nudge(subject, next(drawn), parameters.radius) for _ in pictures]
        return pictures + torch.stack(moves)

    def explain(pictures: Tensor | tuple[Tensor, ...]) -> tuple[Tensor]:
        if isinstance(pictures, tuple):  # captum's way to ask for the map of the picture itself
            return (subject.values[None],)
        with torch.enable_grad():
            maps = [run_with_pauses(meter.explain(subject, subject.engine, picture), pause) for picture in pictures]
        return (torch.stack(maps),)  # in a tuple, else captum would read the stack as one map for each picture

    found: Tensor = sensitivity_max(
        explain, subject.picture[None], move, n_perturb_samples=parameters.samples, max_examples_per_batch=1
    )
    return found


def nudge(subject: ExplainedMap, index: int, radius: float) -> Tensor:
    """What sample `index` adds to the picture, (C, H, W)."""
    drawn = torch.rand(subject.picture.shape, generator=generator(subject.seed, "nudge", index))
    return ((2 * drawn - 1) * radius).to(subject.picture)
