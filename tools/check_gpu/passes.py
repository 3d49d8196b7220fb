"""Passes of the engine: memory that runs out, CUDA graphs, torch.compile."""

from __future__ import annotations

import copy
import statistics

import torch
from gradoscope.attribution.backends.backend import MAX_ERROR, MAX_MEDIAN_ERROR, PATIENCE
from gradoscope.attribution.gradients import take_gradients
from gradoscope.attribution.score import Score
from torch import Tensor

from tests.support.nets import LITE0, relative

from .card import Compute
from .report import Section
from .subjects import CAT, Check, Pair, timed

OUT_OF_MEMORY = ("what", "pictures in a pass", "distance")
GRAPHS = ("network", "pictures in a pass", "way", "ms a gradient", "plain / this", "distance")
ROOM = 2**29
SIZES = (1, 4, 16)


def out_of_memory(check: Check, section: Section) -> None:
    """A micro-batch that does not fit gives the same gradients as small ones; later ones are smaller, and when memory
    is back, whole again."""
    pair = check.known("resnet18", 64) if check.small else check.known(LITE0)
    many, part = (16, 2) if check.small else (256, 8)
    contrast = torch.linspace(0.2, 1, many, device=check.card.device).view(-1, 1, 1, 1)
    pictures = pair.x.to(check.card.device) * contrast
    engine, backend = pair.engine(many), pair.quick
    backend.max_batch = None
    expected = torch.cat([pair.engine(part).gradients(some) for some in pictures.split(part)])
    with check.card.limited(ROOM):
        given = engine.gradients(pictures)
        limited = engine.micro_batch
    distance = relative(given.cpu(), expected.cpu())
    section.row(f"{many} pictures, {ROOM >> 20} MiB", limited, f"{distance:.1e}")
    section.bound(f"memory ran out, and {limited} < {many} pictures went at a time", limited < many)
    section.bound(f"the gradients are the same: {distance:.1e} ≤ {MAX_MEDIAN_ERROR:.0e}", distance <= MAX_MEDIAN_ERROR)
    passes = 0
    while backend.max_batch is not None and passes < 8 * PATIENCE[0]:
        if not section.has_time_for("whether the full micro-batch is found again"):
            return
        engine.gradients(pictures[: engine.micro_batch])
        passes += 1
    again = relative(engine.gradients(pictures).cpu(), expected.cpu())
    section.row(f"memory is back, after {passes} passes", engine.micro_batch, f"{again:.1e}")
    section.bound(f"the full micro-batch is found again: {engine.micro_batch} of {many}", engine.micro_batch == many)


def graphs(check: Check, section: Section) -> None:
    """The gradient as it is, recorded as a CUDA graph, and by torch.compile."""
    for make in check.large():
        pair = make()
        for count in SIZES[:1] if check.small else SIZES:
            if section.has_time_for(f"{pair.name}, CUDA graph, {count} at a time"):
                _compare(check, section, pair, count, "CUDA graph")
    for make in check.large():
        pair = make()
        if section.has_time_for(f"{pair.name}, torch.compile"):
            _compare(check, section, pair, SIZES[1], "torch.compile")


def _compare(check: Check, section: Section, pair: Pair, count: int, way: str) -> None:
    pictures = pair.gpu.noise_pictures(count)

    def plain(some: Tensor) -> Tensor:
        return take_gradients(pair.gpu, some, Score(CAT))

    try:
        other = _made(check, pair, way, plain, pictures)
        distance = relative(other(pictures).cpu(), plain(pictures).cpu())
    except Exception as error:  # it is only an offer: the library does not use it
        section.row(pair.name, count, way, "–", "–", f"{type(error).__name__}: {str(error).splitlines()[0][:100]}")
        return
    times: dict[str, list[float]] = {"plain": [], way: []}
    for _ in range(3 * check.rounds):
        for name, compute in (("plain", plain), (way, other)):
            times[name].append(timed(check.card, lambda compute=compute: compute(pictures)) / count)  # type: ignore[misc]
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    section.row(pair.name, count, "plain", f"{1e3 * medians['plain']:.2f}", "1.00", "")
    ratio = medians["plain"] / medians[way]
    section.row(pair.name, count, way, f"{1e3 * medians[way]:.2f}", f"{ratio:.2f}", f"{distance:.1e}")
    section.bound(f"{pair.name}, {count} at a time, {way}: distance {distance:.1e} ≤ {MAX_ERROR:.0e}",
                  distance <= MAX_ERROR)  # fmt: skip


def _made(check: Check, pair: Pair, way: str, plain: Compute, pictures: Tensor) -> Compute:
    if way == "CUDA graph":
        return check.card.captured(plain, pictures)
    compiled = copy.copy(pair.gpu)
    compiled._modules = {**pair.gpu._modules, "network": check.card.compiled(pair.gpu.network)}
    return lambda some: take_gradients(compiled, some, Score(CAT))
