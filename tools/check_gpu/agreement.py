"""Every method in float32 on the card, with the fastest backend there, against the plain one on the CPU."""

from __future__ import annotations

from gradoscope.attribution.methods.base import methods

from tests.support.nets import relative

from .maps import hold
from .report import Section
from .subjects import NETS, Check, Pair, map_of

COLUMNS = ("network", "method", "distance to the CPU")


def agreement(check: Check, section: Section) -> None:
    """Network by network, each method with few samples."""
    distances: list[float] = []
    for name in ("resnet18",) if check.small else NETS:
        if section.has_time_for(name):
            distances += _of_network(check, section, check.known(name, 64 if check.small else 224))
    hold(section, distances, f"{len(distances)} maps of all methods, distances to the CPU")


def _of_network(check: Check, section: Section, pair: Pair) -> list[float]:
    distances = []
    for id in methods():
        if not section.has_time_for(f"{pair.name}, {id}"):
            continue
        options = check.options(id, few=True)
        expected, found = (map_of(id, engine, pair.x, options) for engine in (pair.cpu_engine, pair.engine(8)))
        if expected is None or found is None:
            section.row(pair.name, id, "refused")
            if (expected is None) != (found is None):
                section.bound(f"{pair.name}: {id} refuses on both devices or on none", False)
            continue
        distances.append(relative(found, expected))
        section.row(pair.name, id, f"{distances[-1]:.1e}")
    return distances
