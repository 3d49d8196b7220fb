"""Six maps of a picture on the card, beside the CPU's; and six maps of each of 32 pictures."""

from __future__ import annotations

import secrets
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from gradoscope.attribution.backends.backend import MAX_ERROR, MAX_MEDIAN_ERROR
from gradoscope.attribution.methods.base import find_method
from gradoscope.contract.jobs import Explain
from gradoscope.contract.packed_map import unpack_map
from gradoscope.images.image_files import ImageFile
from gradoscope.pipeline.batch import Batch, ExplainedPicture
from gradoscope.pipeline.context import Context
from gradoscope.pipeline.pipeline import explain
from gradoscope.settings import Settings
from PIL import Image

from tests.support.nets import relative
from tests.support.paths import SAMPLES

from .report import Section
from .subjects import FEW, Check, Pair, default_methods, map_of, timed

SIX = ("network", "method", "gradients", "ms", "ms a gradient", "CPU ms", "CPU / GPU", "distance to the CPU")
BATCH = ("way", "pictures", "pictures / s", "gradients / s")
PICTURES = 32


def hold(section: Section, distances: list[float], what: str) -> None:
    """Bound the median and the largest of relative L2 distances by what rounding explains."""
    if distances:
        median, worst = statistics.median(distances), max(distances)
        text = f"{what}: median {median:.1e} ≤ {MAX_MEDIAN_ERROR:.0e}, worst {worst:.1e} ≤ {MAX_ERROR:.0e}"
        section.bound(text, median <= MAX_MEDIAN_ERROR and worst <= MAX_ERROR)


def six_maps(check: Check, section: Section) -> None:
    """Each default method once to warm up and to compare, then some rounds."""
    for make in check.large():
        pair = make()
        if section.has_time_for(pair.name):
            _six_maps_of(check, section, pair)


def _six_maps_of(check: Check, section: Section, pair: Pair) -> None:
    engine, distances, total, cpu_total, gradients = pair.engine(), [], 0.0, 0.0, 0
    for id in default_methods():
        if not section.has_time_for(f"{pair.name}, {id}"):
            continue
        options, method = check.options(id), find_method(id)
        found = map_of(id, engine, pair.x, options)
        if found is None:
            section.row(pair.name, id, "refused", *["–"] * 5)
            continue
        seconds = []
        for _ in range(check.rounds):
            seconds.append(timed(check.card, lambda id=id, options=options: map_of(id, engine, pair.x, options)))  # type: ignore[misc]
        began = time.perf_counter()
        expected = map_of(id, pair.cpu_engine, pair.x, options)
        cpu_seconds = time.perf_counter() - began
        if expected is None:
            section.bound(f"{pair.name}, {id}: refused on the CPU only", False)
            continue
        cost, median = method.cost(method.Parameters(**options), pair.gpu.size), statistics.median(seconds)
        distances.append(relative(found, expected))
        total, cpu_total, gradients = total + median, cpu_total + cpu_seconds, gradients + cost
        section.row(
            pair.name, id, cost, f"{1e3 * median:.1f}", f"{1e3 * median / cost:.2f}", f"{1e3 * cpu_seconds:.0f}",
            f"{cpu_seconds / median:.1f}", f"{distances[-1]:.1e}",
        )  # fmt: skip
    if distances:
        section.row(
            pair.name, f"**all {len(distances)}**", gradients, f"{1e3 * total:.1f}", f"{1e3 * total / gradients:.2f}",
            f"{1e3 * cpu_total:.0f}", f"{cpu_total / total:.1f}", f"{max(distances):.1e}",
        )  # fmt: skip
        hold(section, distances, f"{pair.name}, distances to the CPU")
        used = f"backend {pair.quick.name}, micro-batch {engine.micro_batch}"
        section.notes.append(f"{pair.name}: {gradients / total:.1f} gradients a second, {used}")


def batch(check: Check, section: Section) -> None:
    """As `gradoscope explain FOLDER` does it, and picture by picture as a request is answered."""
    with _pictures(4 if check.small else PICTURES) as folder:
        settings = Settings(store=folder / "store", device=str(check.card.device), acceleration="pytorch")
        entries = [ImageFile(path, folder) for path in sorted(folder.glob("*.png"))]
        _compare_batch(check, section, Context.open(settings), entries)


@contextmanager
def _pictures(count: int) -> Iterator[Path]:
    """A folder with different crops of the samples."""
    with tempfile.TemporaryDirectory() as name:
        for number in range(count):
            with Image.open(SAMPLES / f"{('cat', 'espresso', 'rocket')[number % 3]}.jpg") as picture:
                width, height = picture.size
                picture.crop((2 * number, number, width - number, height)).save(Path(name) / f"{number:02}.png")
        yield Path(name)


def _compare_batch(check: Check, section: Section, context: Context, entries: list[ImageFile]) -> None:
    options = {id: FEW[id] for id in default_methods() if id in FEW} if check.small else {}
    request = Explain("", b"", options=options)
    one_by_one(context, request, entries[:1])  # warms up: loads the model, tries backends
    began = time.perf_counter()
    expected = one_by_one(context, request, entries)
    alone = time.perf_counter() - began
    began = time.perf_counter()
    shots = list(Batch(request, context, lambda entry, mark: False).explain(entries))
    together = time.perf_counter() - began
    explained = [shot for shot in shots if isinstance(shot, ExplainedPicture)]
    chosen = map(find_method, default_methods())
    cost = sum(m.cost(m.Parameters(**options.get(m.id, {})), (224, 224)) for m in chosen)
    for way, seconds in (("one by one", alone), ("together", together)):
        rate = len(entries) / seconds
        section.row(way, len(entries), f"{rate:.2f}", f"{rate * cost:.0f}")
    section.bound(f"{len(explained)} of {len(entries)} pictures are explained", len(explained) == len(entries))
    pairs = [
        (shot.maps, maps) for shot, maps in zip(shots, expected, strict=True) if isinstance(shot, ExplainedPicture)
    ]
    section.bound("both ways give the same maps", all(one.keys() == other.keys() for one, other in pairs))
    distances = [
        relative(torch.from_numpy(one[id]), torch.from_numpy(other[id]))
        for one, other in pairs for id in one.keys() & other.keys()
    ]  # fmt: skip
    hold(section, distances, f"{len(distances)} maps together, distances to one by one")


def one_by_one(context: Context, request: Explain, entries: list[ImageFile]) -> list[dict[str, np.ndarray]]:
    """The maps of each picture, by panel; as for a request with this picture."""
    found = []
    for entry in entries:
        job = Explain(secrets.token_hex(16), entry.path.read_bytes(), options=request.options)
        record = [event for event in explain(job, context) if event is not None][-1].data
        panels = [panel["id"] for panel in record["panels"]]
        arrays = {id: context.store.read(job.id, f"panel:{id}") for id in panels}
        found.append({id: unpack_map(content) for id, content in arrays.items() if content is not None})
    return found
