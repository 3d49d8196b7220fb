"""Do the strongest places of the map lie within a region?"""

from __future__ import annotations

from torch import Tensor

from ..base import register
from ..curves import ranking
from ..region_shares import PAPER, RegionShare
from ..scalars import Scalar


@register
class RelevanceRank(RegionShare):
    """The share of the k strongest places that lie within a region of k places: |top_k ∩ R| / k, k = |R|.

    Arras, Osman, Samek 2022, arXiv:2003.07258. Places are ordered by Σ over the channels of |values|; among equal ones
    chance decides by the seed. A random order has the region's share of the places, `area`. Figures: `hits`; `area`.
    See `RegionShare` for where they are None, and what is refused.
    """

    id = "relevance_rank"
    title = "Relevance rank"
    order = 12
    paper = PAPER
    summary = "How many of the map's strongest places lie within a region that you name."
    figure = "hits"
    scalars = (
        Scalar(
            "relevance_rank.hits", "Relevance rank: strongest places within the region", "higher",
            "Of as many strongest places as the region has, the share within it. Single very strong places count no "
            "more than others.",
            lambda figures: figures["hits"],
        ),
    )  # fmt: skip

    def share(self, values: Tensor, places: Tensor, seed: int) -> float:
        strongest = ranking(values, seed)[: int(places.sum())]
        return float(places[strongest].double().mean())
