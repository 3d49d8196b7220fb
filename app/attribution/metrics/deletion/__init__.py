"""Deletion: what the probability does while pixels go."""

from __future__ import annotations

from ..base import register
from ..curves import PerturbationCurve, curve_scalars


@register
class Deletion(PerturbationCurve):
    __doc__ = PerturbationCurve.__doc__
    id = "deletion"
    title = "Deletion"
    order = 0
    summary = "How soon the class is lost when the map's strongest pixels are removed: a small area is good."
    inserts = False
    default = True
    curve = "share of the pixels that are gone → probability of the class"
    scalars = curve_scalars("deletion", "lower", -1, "go")
