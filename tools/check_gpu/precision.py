"""TF32 off and on: the error of each map, the speed, and the memory."""

from __future__ import annotations

from contextlib import nullcontext

from torch import Tensor

from tests.support.nets import relative

from .maps import hold
from .report import Section
from .subjects import FEW, Check, Pair, default_methods, map_of, timed

COLUMNS = ("network", "method", "TF32", "ms", "off / on", "distance to the CPU", "MiB at the peak")
SAMPLES = 16


def precision(check: Check, section: Section) -> None:
    """Both networks, each default method; TF32 is not bounded, for the library never uses it."""
    for make in check.large():
        pair, off = make(), []
        for id in default_methods():
            if section.has_time_for(f"{pair.name}, {id}"):
                off += _both(check, section, pair, id)
        hold(section, off, f"{pair.name}, distances to the CPU with TF32 off")


def _both(check: Check, section: Section, pair: Pair, id: str) -> list[float]:
    """The distance with TF32 off, in a list; an empty one where the method refuses the network."""
    count = next(iter(FEW.get(id, {})), None)
    options = check.options(id, few=True) if check.small or count is None else {count: SAMPLES}
    expected = map_of(id, pair.cpu_engine, pair.x, options)
    if expected is None:
        return []
    seconds: dict[str, float] = {}
    distances: dict[str, float] = {}
    for mode in ("off", "on"):
        with check.card.reduced_precision() if mode == "on" else nullcontext():
            found, seconds[mode], peak = _measured(check, pair, id, options)
        distances[mode] = relative(found, expected)
        gain = f"{seconds['off'] / seconds['on']:.2f}" if mode == "on" else ""
        section.row(pair.name, id, mode, f"{1e3 * seconds[mode]:.1f}", gain, f"{distances[mode]:.1e}", f"{peak:.0f}")
    return [distances["off"]]


def _measured(check: Check, pair: Pair, id: str, options: dict[str, int]) -> tuple[Tensor, float, float]:
    """The map, seconds of the quickest round after a warm one, and MiB at the peak."""
    engine = pair.engine()
    found = map_of(id, engine, pair.x, options)
    assert found is not None, f"{id} refuses {pair.name} on the card only"
    check.card.reset_peak()
    seconds = min(timed(check.card, lambda: map_of(id, engine, pair.x, options)) for _ in range(check.rounds))
    return found, seconds, check.card.peak()
