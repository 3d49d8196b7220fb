"""Does the map foretell by how much the score falls when a part of the picture goes?"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

import torch
from captum.metrics import infidelity
from pydantic import Field
from torch import Tensor

from ...gradients import finite
from ...methods.base import Method, Paper, Parameters
from ...methods.baselines import Baseline, make_baseline
from ...noise import generator
from ...threaded_generator import Pause, interleave
from ..base import CostInputs, ExplainedMap, Measurement, Meter, Metric, MetricCost, MetricSteps, register
from ..findings import Figures, Findings, percent
from ..scalars import Scalar, size_of

MIN_SIDE, MAX_SIDE = 1 / 8, 1 / 2  # side of a square, as a share of the picture's


BLIND = 0.9  # share of the score's changes unexplained: more than that, and the map foretells next to nothing


class InfidelityParameters(Parameters):
    samples: int = Field(100, title="Samples", ge=2, le=2000, description="Number of random squares")
    replacement: Baseline = Field("blurred", title="Replacement", description="What replaces the pixels in a square")


class InfidelityFigures(TypedDict):
    infidelity: float | None
    changes: float | None
    unexplained: float | None
    samples: int
    reason: NotRequired[str]


@register
class Infidelity(Metric[InfidelityParameters]):
    """min over β of the mean over k of (β ⟨I_k, φ⟩ − (S(x) − S(x − d_k)))², d_k = x − replacement within a square, else
    0.

    Yeh, Hsieh, Suggala, Inouye, Ravikumar 2019, arXiv:1901.09392, with the perturbation «square removal»; by captum,
    with its `normalize`, since many maps have no unit. I_k is d_k for maps of slopes. Maps that hold the picture's own
    values already, as parts of the score, and those with one value for a place are summed over the square: I_k is 1
    there. Squares have sides between an eighth and half of the picture's; square k comes from (seed, k) alone.

    Figures: `infidelity`, in units of S²; `changes`, the mean of (S(x) − S(x − d_k))², which a map that says nothing
    would miss; `unexplained`, the share of it that the map misses, from 0 to 1; `samples`. None with a `reason` where
    the map is zero everywhere, or no square changes the score.
    """

    id = "infidelity"
    title = "Infidelity"
    order = 7
    paper = Paper(
        "On the (In)fidelity and Sensitivity of Explanations (Yeh et al.)", "https://arxiv.org/abs/1901.09392"
    )
    summary = "Whether the map's sum over a square predicts how much the score falls when the square is removed."
    Parameters = InfidelityParameters
    scalars = (
        Scalar(
            "infidelity.unexplained", "Infidelity: share left unexplained", "lower",
            "The share of the score's changes that the map's forecast misses: 0 is a perfect forecast, 1 none at all.",
            size_of("unexplained"),
        ),
        Scalar(
            "infidelity.infidelity", "Infidelity", "lower",
            "The mean squared error of the map's forecast of how the score falls where squares are taken away; in "
            "units of the squared score, so of one model only.",
            size_of("infidelity"),
        ),
    )  # fmt: skip

    def cost(self, cost_inputs: CostInputs, parameters: InfidelityParameters) -> MetricCost:
        return MetricCost(forwards=1 + parameters.samples)

    def measure(self, subject: ExplainedMap, parameters: InfidelityParameters) -> MetricSteps:
        meter = Meter(self.cost(subject.cost_inputs, parameters))
        figures = InfidelityFigures(infidelity=None, changes=None, unexplained=None, samples=parameters.samples)
        if not subject.values.any():
            yield meter.spend(meter.total)
            figures["reason"] = "the map is zero everywhere: it foretells nothing"
            return Measurement(self.id, figures)
        trial = Perturbation(subject, parameters, meter)
        missed = yield from interleave(trial.infidelity, meter.progress)
        changes = float(trial.changes.square().mean())
        if not changes:
            figures["reason"] = "no square changes the score: there is nothing to foretell"
            return Measurement(self.id, figures)
        figures |= {"infidelity": missed, "changes": changes, "unexplained": min(max(missed / changes, 0.0), 1.0)}
        return Measurement(self.id, figures)

    def findings(self, figures: Figures, method: Method[Any]) -> Findings:
        unexplained = figures["unexplained"]
        if unexplained is None:
            yield "none", "note", {}
            return
        values = {"percent": percent(unexplained), "samples": figures["samples"]}
        yield "foretells_little" if unexplained > BLIND else "foretells", "note", values


class Perturbation:
    """One run of captum's function; keeps the scores that it asked for. Sums are in float64."""

    def __init__(self, subject: ExplainedMap, parameters: InfidelityParameters, meter: Meter) -> None:
        self.subject, self.parameters, self.meter = subject, parameters, meter
        self.replacement = make_baseline(parameters.replacement, subject.picture, subject.seed)
        self.asked: list[Tensor] = []

    @property
    def changes(self) -> Tensor:
        """S(x) − S(x − d_k): (samples,)"""
        return self.asked[0] - torch.cat(self.asked[1:])

    def infidelity(self, pause: Pause) -> float:
        subject, batch = self.subject, min(self.subject.engine.micro_batch, self.parameters.samples)
        self.asked = [self._scores(subject.picture[None], pause)]
        drawn, original = iter(range(self.parameters.samples)), subject.picture[None].double()

        def remove(pictures: Tensor) -> tuple[Tensor, Tensor]:
            masks = torch.stack([square(subject, next(drawn)) for _ in pictures])
            removed = masks * (subject.picture - self.replacement)
            weights = masks.expand_as(removed) if sums(subject) else removed
            return weights.double(), subject.picture - removed

        def score(pictures: Tensor) -> Tensor:
            if pictures is original:  # captum asks again for the picture itself, with each batch
                return self.asked[0]
            self.asked.append(self._scores(pictures, pause))
            return self.asked[-1]

        values = subject.values.double()
        if len(values) != len(subject.picture):
            values = values.expand(subject.picture.shape) / len(subject.picture)
        (found,) = infidelity(
            score,
            remove,
            original,
            values[None],
            n_perturb_samples=self.parameters.samples,
            max_examples_per_batch=batch,
            normalize=True,
        )
        return float(found)

    def _scores(self, pictures: Tensor, pause: Pause) -> Tensor:
        scores = finite(self.subject.engine.scores(pictures)).double()
        self.meter.spend(len(pictures))
        pause()
        return scores


def sums(subject: ExplainedMap) -> bool:
    """Whether the map is summed over a square, else multiplied with what goes there first."""
    return subject.method.additive or subject.method.single_channel


def square(subject: ExplainedMap, index: int) -> Tensor:
    """1 within a square drawn for sample `index`, else 0: (1, H, W)."""
    u = torch.rand(3, generator=generator(subject.seed, "square", index)).tolist()
    height, width = subject.size
    side = max(1, round((MIN_SIDE + (MAX_SIDE - MIN_SIDE) * u[0]) * min(height, width)))
    top, left = int(u[1] * (height - side + 1)), int(u[2] * (width - side + 1))
    mask = torch.zeros(1, height, width)
    mask[:, top : top + side, left : left + side] = 1
    return mask.to(subject.picture)
