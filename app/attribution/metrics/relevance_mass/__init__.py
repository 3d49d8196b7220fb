"""How much of the map lies within a region?"""

from __future__ import annotations

from torch import Tensor

from ..base import register
from ..region_shares import PAPER, RegionShare
from ..scalars import Scalar


@register
class RelevanceMass(RegionShare):
    """The share of the map's magnitude within a region: Σ_{i ∈ R} a_i / Σ_i a_i.

    Arras, Osman, Samek 2022, arXiv:2003.07258. a is Σ over the channels of |values| at each place, R a box or a mask.
    A map that is the same everywhere has the region's share of the places, `area`. Figures: `mass`; `area`. See
    `RegionShare` for where they are None, and what is refused.
    """

    id = "relevance_mass"
    title = "Relevance mass"
    order = 11
    paper = PAPER
    summary = "How much of the map lies within a region that you name."
    figure = "mass"
    scalars = (
        Scalar(
            "relevance_mass.mass", "Relevance mass: share within the region", "higher",
            "The share of the map's magnitude within the region. What the model looks at need not lie there.",
            lambda figures: figures["mass"],
        ),
    )  # fmt: skip

    def share(self, values: Tensor, places: Tensor, seed: int) -> float:
        return float(values[places].sum()) / float(values.sum())
