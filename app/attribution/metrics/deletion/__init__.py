"""Deletion: what the probability does while pixels go."""

from __future__ import annotations

from ..base import register
from ..curves import PerturbationCurve


@register
class Deletion(PerturbationCurve):
    __doc__ = PerturbationCurve.__doc__
    id = "deletion"
    title = "Deletion"
    summary = "How soon the class is lost as the map's strongest pixels are taken away: a small area is good."
    inserts = False
