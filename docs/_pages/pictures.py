"""The pictures on the methods' pages, computed by the product and cached until the code changes."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from pathlib import Path

import numpy as np
from gradoscope import __version__
from gradoscope.attribution.methods.base import methods
from gradoscope.contract.arrays import reduce_channels
from gradoscope.contract.jobs import Explain
from gradoscope.contract.packed_map import unpack_map
from gradoscope.images.render import draw
from gradoscope.images.samples import read_sample
from gradoscope.pipeline.context import Context
from gradoscope.pipeline.pipeline import run
from gradoscope.settings import PACKAGE, Settings
from PIL import Image

MODEL, CLASS, SAMPLE = "efficientnet_lite0", 282, "cat"  # tiger cat
GAP = 8  # pixels between frames
ID = "0" * 32


def pictures(kept: Path) -> dict[str, bytes]:
    """WebP files by path in the site. For each method: the input, its map, and the map over the input."""
    folder = kept / _mark()
    if not folder.is_dir():
        _make(folder)
    return {f"images/methods/{file.name}": file.read_bytes() for file in sorted(folder.glob("*.webp"))}


def _mark() -> str:
    """A hash of everything that determines the pictures: the version, and the code of the package."""
    state = hashlib.sha256(__version__.encode())
    for file in sorted((*PACKAGE.rglob("*.py"), Path(__file__))):
        state.update(file.read_bytes())
    return state.hexdigest()[:16]


def _make(folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="gradoscope-") as store:
        context = Context.open(Settings(store=Path(store), default_model=MODEL))
        known = tuple(id for id, method in methods().items() if not method.transformers_only)  # the model is a CNN
        job = Explain(ID, read_sample(SAMPLE), (MODEL,), known, (CLASS,))
        record = next(event.data for event in run(job, context) if event is not None and event.name == "done")
        seen = Image.open(io.BytesIO(context.store.read(ID, f"input:{MODEL}") or b"")).convert("RGB")
        made = {}
        for panel in record["panels"]:
            if panel["status"] != "done":
                raise RuntimeError(f"{panel['method']}: {json.dumps(panel['problem'])}")
            values = unpack_map(context.store.read(ID, f"panel:{panel['id']}") or b"")
            made[panel["method"]] = _strip(seen, reduce_channels(values, "abs"))
        context.store.close()
    folder.mkdir(parents=True)
    for id, strip in made.items():
        strip.save(folder / f"{id}.webp", quality=88)


def _strip(seen: Image.Image, values: np.ndarray) -> Image.Image:
    frames = [
        seen,
        draw(values, "inferno", 99, None, 0, signed=False),
        draw(values, "inferno", 99, seen, 0.6, signed=False),
    ]
    strip = Image.new("RGB", (3 * seen.width + 2 * GAP, seen.height), "white")
    for place, frame in enumerate(frames):
        strip.paste(frame, (place * (seen.width + GAP), 0))
    return strip
