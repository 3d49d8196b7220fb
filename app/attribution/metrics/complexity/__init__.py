"""Over how many places is the map spread?"""

from __future__ import annotations

import math
from typing import Any, NotRequired, TypedDict

from torch.special import entr

from ...methods.base import Method, NoParameters, Paper, Progress
from ..base import CostInputs, ExplainedMap, Measurement, Metric, MetricCost, MetricSteps, register
from ..findings import Figures, Findings, percent, short
from ..scalars import Scalar
from ..sparseness import magnitudes


class ComplexityFigures(TypedDict):
    entropy: float | None
    largest: float
    places: float | None
    of: int
    reason: NotRequired[str]


@register
class Complexity(Metric[NoParameters]):
    """The entropy of the map's magnitudes: −Σ_i p_i ln p_i, p = a / Σ a, in nats.

    Bhatt, Weller, Moura 2020, arXiv:2005.00631. a is Σ over the channels of |values| at each of the n places. 0 is a
    map of a single place, ln n one that is the same everywhere. It costs nothing. Figures: `entropy`; `largest`, ln n;
    `places`, e^entropy: as many places of equal magnitude have this entropy; `of`, n. The first and third are None with
    a `reason` where the map is zero everywhere.
    """

    id = "complexity"
    title = "Complexity"
    order = 10
    paper = Paper(
        "Evaluating and Aggregating Feature-based Model Explanations (Bhatt, Weller, Moura)",
        "https://arxiv.org/abs/2005.00631",
    )
    summary = "Over how many places the map is spread, by its entropy."
    Parameters = NoParameters
    scalars = (
        Scalar(
            "complexity.entropy", "Complexity: entropy", "lower",
            "The entropy of the map's magnitudes, in nats: 0 is a single place, ln n the same at all n places. Easier "
            "to read, not more right. Compare it for maps of equal size only.",
            lambda figures: figures["entropy"],
        ),
    )  # fmt: skip

    def cost(self, cost_inputs: CostInputs, parameters: NoParameters) -> MetricCost:
        return MetricCost()

    def measure(self, subject: ExplainedMap, parameters: NoParameters) -> MetricSteps:
        yield Progress(0, 0)
        values = magnitudes(subject.values)
        total, count = float(values.sum()), len(values)
        figures: ComplexityFigures = {"entropy": None, "largest": math.log(count), "places": None, "of": count}
        if total:
            entropy = float(entr(values / total).sum())
            figures |= {"entropy": entropy, "places": math.exp(entropy)}
        else:
            figures["reason"] = "the map is zero everywhere: it has no magnitude to be spread"
        return Measurement(self.id, figures)

    def findings(self, figures: Figures, method: Method[Any]) -> Findings:
        if figures["entropy"] is None:
            yield "none", "note", {}
            return
        places, of = figures["places"], figures["of"]
        values = {"entropy": short(figures["entropy"]), "places": round(places), "of": of}
        yield "measured", "note", {**values, "percent": percent(places / of)}
