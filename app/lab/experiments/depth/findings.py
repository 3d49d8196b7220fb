"""What a run says of gradients in depth."""

from __future__ import annotations

import math
from typing import Any

from ....contract.experiments import ExperimentFinding, Verdict
from . import DepthParameters

ORDER_ONE = 100.0
"""A ratio of two norms between 1/100 and 100 counts as one that gets through."""


SAME_ORDER = 1.0
"""Two ratios within this many powers of ten are of the same order."""


def findings(parameters: DepthParameters, found: dict[str, Any]) -> tuple[ExperimentFinding, ...]:
    """Each claim with its numbers."""
    ratio, depth = found["gradient_ratio"], parameters.depth
    said = []
    if ratio is None or ratio == 0:
        gradient = found["weight_gradient_norm"][0]
        verdict: Verdict = "fails" if gradient == 0 else "depends"
        said.append(ExperimentFinding(id="zeros", verdict=verdict, numbers={"gradient": gradient}))
    else:
        through: Verdict = "holds" if 1 / ORDER_ONE <= ratio <= ORDER_ONE else "fails"
        numbers = {"ratio": ratio, "factor": found["factor_per_layer"], "depth": depth}
        said.append(ExperimentFinding(id="through", verdict=through, numbers=numbers))
        said += _theory(found, ratio)
    said += _measured(found, ratio)
    if parameters.activation in ("sigmoid", "tanh"):
        small: Verdict = "holds" if found["slope_bound"] < 1e-3 else "fails"
        numbers = {"steepest": found["steepest"], "bound": found["slope_bound"], "depth": depth}
        said.append(ExperimentFinding(id="slope", verdict=small, numbers=numbers))
    if parameters.activation != "linear":
        share = found["saturated"][-1]
        asleep: Verdict = "holds" if share >= 0.5 else "fails"
        numbers = {"first": found["saturated"][0], "last": share, "depth": depth}
        said.append(ExperimentFinding(id="asleep", verdict=asleep, numbers=numbers))
    return (*said, *_initialisations(found.get("initialisations")))


def _initialisations(ratios: dict[str, float | None] | None) -> list[ExperimentFinding]:
    """Whether the gradient gets through with some ways to begin, and not with others. Weights of zero are no way."""
    if ratios is None:
        return []
    others = {name: ratio for name, ratio in ratios.items() if name != "zeros"}
    through = {ratio is not None and 1 / ORDER_ONE <= ratio <= ORDER_ONE for ratio in others.values()}
    verdict: Verdict = "holds" if len(through) == 2 else "fails" if through == {True} else "depends"
    return [ExperimentFinding(id="decides", verdict=verdict, numbers=others)]


def _measured(found: dict[str, Any], ratio: float | None) -> list[ExperimentFinding]:
    """Whether the gradient of another network that was measured is of the same order at its first layer."""
    measured = found.get("measured_ratio")
    if measured is None or not ratio:
        return []
    near = measured > 0 and abs(math.log10(measured / ratio)) <= SAME_ORDER
    return [
        ExperimentFinding(
            id="measured", verdict="holds" if near else "fails", numbers={"measured": measured, "ratio": ratio}
        )
    ]


def _theory(found: dict[str, Any], ratio: float) -> list[ExperimentFinding]:
    """Whether the theory's gradient and mean square lie within a factor of 3 of what was measured."""
    predicted = found.get("predicted_ratio")
    if not predicted:
        return []
    forward, expected = found["forward_variance"][-1], found["predicted_forward"][-1]
    near = 1 / 3 <= ratio / predicted <= 3 and expected > 0 and 1 / 3 <= forward / expected <= 3
    numbers = {"ratio": ratio, "predicted_ratio": predicted, "forward": forward, "predicted_forward": expected}
    return [ExperimentFinding(id="theory", verdict="holds" if near else "fails", numbers=numbers)]
