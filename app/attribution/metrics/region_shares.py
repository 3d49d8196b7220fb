"""What the metrics of a region share: the region, the figures, and what they say against chance."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from ..methods.base import Method, Paper, Progress
from .base import CostInputs, ExplainedMap, Measurement, Metric, MetricCost, MetricSteps
from .findings import Figures, Findings, percent
from .regions import RegionParameters, region
from .sparseness import magnitudes

NO_REGION = "no region is named: draw a box or a mask, or give one"
NO_MAGNITUDE = "the map is zero everywhere: it has no magnitude"
PAPER = Paper("CLEVR-XAI (Arras, Osman, Samek)", "https://arxiv.org/abs/2003.07258")
MUCH = 2  # times as much as chance


class RegionShare(Metric[RegionParameters]):
    """A metric of the magnitudes a = Σ |values| over the channels, and of a region of the input. It costs nothing.

    Figures: one named `figure`, and `area`, the region's share of the places, which chance would give. Both are None
    with a `reason` where no region is named, `figure` where the map is zero everywhere. Raises `Refused` for a region
    that is not within the input, or a mask of another size.
    """

    figure: ClassVar[str]
    Parameters = RegionParameters

    @abstractmethod
    def share(self, values: Tensor, places: Tensor, seed: int) -> float:
        """The figure of magnitudes and a region, both (H · W,); the magnitudes are not all zero."""

    def cost(self, cost_inputs: CostInputs, parameters: RegionParameters) -> MetricCost:
        return MetricCost()

    def check(self, subject: ExplainedMap, parameters: RegionParameters) -> None:
        region(parameters, subject.size)

    def measure(self, subject: ExplainedMap, parameters: RegionParameters) -> MetricSteps:
        yield Progress(0, 0)
        inside = region(parameters, subject.size)
        figures: dict[str, Any] = {self.figure: None, "area": None}
        if inside is None:
            return Measurement(self.id, {**figures, "reason": NO_REGION})
        values, places = magnitudes(subject.values), inside.flatten()
        figures["area"] = float(places.double().mean())
        if bool(values.any()):
            figures[self.figure] = self.share(values, places, subject.seed)
        else:
            figures["reason"] = NO_MAGNITUDE
        return Measurement(self.id, figures)

    def findings(self, figures: Figures, method: Method[Any]) -> Findings:
        share, area = figures[self.figure], figures["area"]
        if area is None:
            yield "no_region", "note", {}
        elif share is None:
            yield "none", "note", {}
        else:
            values = {"percent": percent(share), "area": percent(area)}
            if share <= area:
                yield "no_more", "doubt", values
            elif share >= min(MUCH * area, (1 + area) / 2):
                yield "much", "support", values
            else:
                yield "some", "note", values
