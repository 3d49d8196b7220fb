"""Insertion: what the probability does while pixels come."""

from __future__ import annotations

from ..base import register
from ..curves import PerturbationCurve


@register
class Insertion(PerturbationCurve):
    __doc__ = PerturbationCurve.__doc__
    id = "insertion"
    title = "Insertion"
    summary = "How soon the class is found as the map's strongest pixels are put in: a large area is good."
    inserts = True
