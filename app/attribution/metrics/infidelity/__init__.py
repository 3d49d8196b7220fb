"""Does the map foretell by how much the score falls when a part of the picture goes?"""

from __future__ import annotations

from collections.abc import Callable, Generator
from statistics import mean
from typing import Any, NotRequired, TypedDict

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ...gradients import finite
from ...methods.base import Method, Paper, Parameters, Progress
from ...methods.baselines import Baseline, make_baseline
from ..base import CostInputs, ExplainedMap, Measurement, Meter, Metric, MetricCost, MetricSteps, register
from ..controls import against, centred_gaussian, moved, moves, p_value
from ..findings import Figures, Findings, Level, percent, short
from ..scalars import Scalar, size_of
from ..squares import Square, draw_square

BLIND = 0.9  # share of the score's changes unexplained: more than that, and the map foretells next to nothing
MARGIN = 0.02  # shares unexplained that are closer are the same


class InfidelityParameters(Parameters):
    samples: int = Field(100, title="Samples", ge=2, le=2000, description="Number of random squares")
    replacement: Baseline = Field("blurred", title="Replacement", description="What replaces the pixels in a square")
    draws: int = Field(
        24, title="Draws", ge=1, le=99, description="Displaced maps to compare with, which cost no evaluation"
    )


class Forecast(TypedDict):
    """How well a map predicts the changes of the score."""

    unexplained: float  # share of the mean squared change
    scale: float  # β: what its sums are multiplied by to be in units of the score
    correlation: float | None  # Pearson's, of its sums with the changes; None if its sums are all equal


class InfidelityFigures(TypedDict):
    infidelity: float | None
    changes: float | None
    unexplained: float | None
    scale: float | None
    correlation: float | None
    samples: int
    constant: NotRequired[Forecast]
    gaussian: NotRequired[Forecast]
    displaced: NotRequired[list[Forecast]]
    displaced_unexplained: NotRequired[float]
    displaced_p: NotRequired[float]
    reason: NotRequired[str]


@register
class Infidelity(Metric[InfidelityParameters]):
    """min over β ≥ 0 of the mean over k of (β f_k − c_k)², with the forecast f_k = ⟨I_k, φ⟩ and the change of the score
    c_k = S(x) − S(x − d_k); d_k = x − replacement within a square, else 0.

    Yeh, Hsieh, Suggala, Inouye, Ravikumar 2019, arXiv:1901.09392, with the perturbation «square removal» and their
    scale β, since many maps have no unit: β = max(0, Σ f c / Σ f²). It has no offset: a map that says that the score
    falls where on the whole it rises has β = 0 and explains nothing. I_k is d_k for maps of slopes. Maps that are
    multiplied by the picture already, and those with one value for a place, are summed over the square: I_k is 1 there.
    Squares have sides between an eighth and half of the picture's; square k comes from (seed, k) alone.

    A large square changes the score more than a small one, whatever it covers. So three controls predict the same
    changes: a `constant` map, whose forecast is the square's area; a `gaussian` at the centre, σ a quarter of each
    side, summed over the square; and the map itself, `displaced` (see `controls.moves`).

    Figures: `infidelity`, in units of S²; `changes`, the mean of c², which a map of zeros would miss; `unexplained`,
    the share of it that the map misses, from 0 to 1; `scale`, β; `correlation`, Pearson's r of f and c, which does
    not depend on β; `samples`; the same of each control, with `displaced_unexplained`, the mean over the draws, and
    `displaced_p`, (1 + the draws that miss no more than the map) / (1 + draws). None with a `reason` where the map is
    zero everywhere, or no square changes the score.
    """

    id = "infidelity"
    title = "Infidelity"
    order = 7
    paper = Paper(
        "On the (In)fidelity and Sensitivity of Explanations (Yeh et al.)", "https://arxiv.org/abs/1901.09392"
    )
    summary = "Whether the map's sum over a square predicts how much the score falls when the square is removed."
    Parameters = InfidelityParameters
    revision = 2  # β ≥ 0, and controls
    scalars = (
        Scalar(
            "infidelity.unexplained", "Infidelity: share left unexplained", "lower",
            "The share of the score's changes that the map's forecast misses, at its best scale β ≥ 0: 0 is a perfect "
            "forecast, 1 none at all. A map that is the same everywhere may already explain much: see the gains.",
            size_of("unexplained"),
        ),
        Scalar(
            "infidelity.gain_constant", "Infidelity: gain over a constant map", "higher",
            "How much less of the changes is unexplained than by a map that is the same everywhere, whose forecast is "
            "the area of the square. At or below zero, how large a square is says more than what the map has in it.",
            lambda figures: _gain(figures, lambda found: found["constant"]["unexplained"]),
            reference=0.0,
        ),
        Scalar(
            "infidelity.gain_displaced", "Infidelity: gain over the map displaced", "higher",
            "The same against the map itself, moved elsewhere. At or below zero, where the map points is worth no more "
            "than any other place.",
            lambda figures: _gain(figures, lambda found: found["displaced_unexplained"]),
            reference=0.0,
        ),
        Scalar(
            "infidelity.correlation", "Infidelity: correlation", "higher",
            "Pearson's correlation of the forecast with the changes of the score, whatever the map's scale. Below zero "
            "the score falls less where the map says more.",
            lambda figures: figures.get("correlation"),
            reference=0.0,
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
        figures = InfidelityFigures(
            infidelity=None, changes=None, unexplained=None, scale=None, correlation=None, samples=parameters.samples
        )
        if not subject.values.any():
            yield meter.spend(meter.total)
            figures["reason"] = "the map is zero everywhere: it foretells nothing"
            return Measurement(self.id, figures)
        squares = [draw_square(subject.size, subject.seed, k) for k in range(parameters.samples)]
        replacement = make_baseline(parameters.replacement, subject.picture, subject.seed)
        changes = yield from score_changes(subject, replacement, squares, meter)
        if not changes.any():
            figures["reason"] = "no square changes the score: there is nothing to foretell"
            return Measurement(self.id, figures)

        def forecast(weights: Tensor) -> Forecast:
            return fit(square_sums(weights, squares), changes)

        found = forecast(weights_of(subject, subject.values, replacement))
        displaced = [
            forecast(weights_of(subject, moved(subject.values, move), replacement))
            for move in moves(subject.size, parameters.draws, subject.seed)
        ]
        mean_square = float(np.square(changes).mean())
        figures |= {"infidelity": found["unexplained"] * mean_square, "changes": mean_square}
        figures |= {
            "unexplained": found["unexplained"],
            "scale": found["scale"],
            "correlation": found["correlation"],
            "constant": forecast(torch.ones(subject.size, dtype=torch.float64)),
            "gaussian": forecast(centred_gaussian(subject.size)),
            "displaced": displaced,
            "displaced_unexplained": mean(one["unexplained"] for one in displaced),
            "displaced_p": p_value([one["unexplained"] - found["unexplained"] for one in displaced]),
        }
        return Measurement(self.id, figures)

    def findings(self, figures: Figures, method: Method[Any]) -> Findings:
        """Whether the map predicts more than the area of the squares does, and than it does elsewhere."""
        unexplained = figures["unexplained"]
        if unexplained is None:
            yield "none", "note", {}
            return
        displaced = [one["unexplained"] for one in figures["displaced"]]
        values = {
            "percent": percent(unexplained),
            "samples": figures["samples"],
            "constant": percent(figures["constant"]["unexplained"]),
            "gaussian": percent(figures["gaussian"]["unexplained"]),
            "displaced": percent(mean(displaced)),
            "draws": len(displaced),
            "p": short(figures["displaced_p"]),
        }
        if not figures["scale"]:
            correlation = figures["correlation"] or 0.0
            level: Level = "doubt" if correlation <= 0 else "note"
            yield "wrong_sign", level, {**values, "correlation": short(correlation)}
            return
        elsewhere = against(unexplained, displaced, -1, MARGIN)
        if figures["constant"]["unexplained"] - unexplained <= MARGIN:
            yield "constant_as_good", "note", values
        elif elsewhere == "no better":
            yield "place_does_not_matter", "doubt", values
        elif elsewhere == "better":
            yield "foretells", "support", values
        else:
            yield "unclear", "note", values
        if unexplained > BLIND:
            yield "foretells_little", "note", values
        elif figures["gaussian"]["unexplained"] - unexplained <= MARGIN:
            yield "gaussian_as_good", "note", values


def score_changes(
    subject: ExplainedMap, replacement: Tensor, squares: list[Square], meter: Meter
) -> Generator[Progress, None, np.ndarray]:
    """S(x) − S(x − d_k) for each square: (samples,) in float64."""
    engine, picture = subject.engine, subject.picture
    scores = finite(engine.scores(picture[None])).double().tolist()
    yield meter.spend(1)
    for batch in engine.batches(squares):
        masks = torch.stack([square.mask(picture) for square in batch])
        scores += finite(engine.scores(picture - masks * (picture - replacement))).double().tolist()
        yield meter.spend(len(batch))
    changes: np.ndarray = scores[0] - np.asarray(scores[1:])
    return changes


def sums(subject: ExplainedMap) -> bool:
    """Whether the map is summed over a square, else multiplied with what goes there first."""
    method = subject.method
    return method.additive or method.multiplies_by_inputs or method.single_channel


def weights_of(subject: ExplainedMap, values: Tensor, replacement: Tensor) -> Tensor:
    """What each place adds to the forecast of a square that holds it, for a map (C, H, W) of the subject's method:
    (H, W) in float64."""
    values = values.double()
    if not sums(subject):
        values = values * (subject.picture - replacement).double()
    return values.sum(0)


def square_sums(weights: Tensor, squares: list[Square]) -> np.ndarray:
    """The sum of (H, W) over each square, by a summed-area table."""
    table = np.pad(weights.cpu().numpy().cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    found = []
    for square in squares:
        top, left, below, right = square.top, square.left, square.top + square.side, square.left + square.side
        found.append(table[below, right] - table[top, right] - table[below, left] + table[top, left])
    return np.asarray(found)


def fit(forecast: np.ndarray, changes: np.ndarray) -> Forecast:
    """How well β times the forecast predicts the changes, at the best β ≥ 0; not all changes are 0."""
    size = float(forecast @ forecast)
    scale = max(0.0, float(forecast @ changes) / size) if size else 0.0
    missed = float(np.square(scale * forecast - changes).sum() / np.square(changes).sum())
    ours, theirs = forecast - forecast.mean(), changes - changes.mean()
    spread = float(np.sqrt((ours @ ours) * (theirs @ theirs)))
    correlation = float(np.clip(ours @ theirs / spread, -1, 1)) if spread and not _equal(forecast) else None
    return {"unexplained": min(missed, 1.0), "scale": scale, "correlation": correlation}


def _equal(values: np.ndarray) -> bool:
    """Whether all are equal but for rounding."""
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())


def _gain(figures: Figures, control: Callable[[Figures], float]) -> float | None:
    """How much less the map leaves unexplained than a control; None where nothing could be measured."""
    return None if figures.get("unexplained") is None else control(figures) - figures["unexplained"]
