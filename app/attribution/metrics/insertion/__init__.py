"""Insertion: the probability of the class while the pixels are added, the map's strongest first."""

from __future__ import annotations

from ..base import register
from ..curves import PerturbationCurve, curve_scalars


@register
class Insertion(PerturbationCurve):
    __doc__ = PerturbationCurve.__doc__
    id = "insertion"
    title = "Insertion"
    order = 1
    summary = "How soon the class is found when the map's strongest pixels are added: a large area is good."
    inserts = True
    default = True
    curve = "share of the pixels that have come → probability of the class"
    scalars = curve_scalars("insertion", "higher", 1, "come")
