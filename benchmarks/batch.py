"""One request for many pictures at once, against one picture after the other: pictures per second. `make bench-batch`

One process, warm, both ways in turns (A B A B …), each from the file to the written folder; prints medians, spread and
ratios, asserts nothing. One by one is what `gradoscope explain IMAGE` does, picture after picture.
"""

from __future__ import annotations

import argparse
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import torch
from gradoscope.cli.explain_run import explain_batch
from gradoscope.contract.jobs import Explain
from gradoscope.images.image_files import ImageFile
from gradoscope.pipeline.archive import files
from gradoscope.pipeline.batch import Batch, ExplainedPicture
from gradoscope.pipeline.catalogue import titles
from gradoscope.pipeline.context import Context
from gradoscope.pipeline.pipeline import run
from gradoscope.pipeline.resume import write_folder
from gradoscope.service.warm_up import warm_up
from gradoscope.settings import Settings
from PIL import Image

from tests.support.paths import SAMPLES

Way = Callable[[list[ImageFile], Explain, Context], None]  # one of the two ways that are compared
THREE = Explain("", b"", methods=("vanilla_gradient", "guided_backprop", "grad_cam"))
SIX = Explain("", b"")  # the default methods


def fresh(folder: Path, count: int) -> list[ImageFile]:
    """Pictures that were never explained before: samples with 4×4 random pixels, as JPEG."""
    listed = []
    for number in range(count):
        with Image.open(SAMPLES / f"{('cat', 'espresso', 'rocket')[number % 3]}.jpg") as sample:
            picture = sample.convert("RGB")
        picture.paste(tuple(os.urandom(3)), (100, 100, 104, 104))
        path = folder / f"{secrets.token_hex(8)}.jpg"
        picture.save(path, quality=95)
        listed.append(ImageFile(path, folder / "out" / path.name))
    return listed


def one_by_one(entries: list[ImageFile], template: Explain, context: Context) -> None:
    for entry in entries:
        job = replace(template, id=secrets.token_hex(16), picture=entry.path.read_bytes())
        record = [event for event in run(job, context) if event is not None][-1].data
        write_folder(entry.folder, files(record, partial(context.store.read, job.id), titles()))


def together(entries: list[ImageFile], job: Explain, context: Context) -> None:
    results = explain_batch(Batch(job, context, is_kept=lambda entry, mark: False), entries)
    assert all(isinstance(result, ExplainedPicture) for result in results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--three", type=int, default=24, help="pictures a round for the three methods of one pass")
    parser.add_argument("--six", type=int, default=4, help="pictures a round for all six")
    arguments = parser.parse_args()
    ways: dict[str, Way] = {"one by one": one_by_one, "together": together}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context = Context.open(Settings(store=folder / "store"))
        warm_up(context)
        print(f"{torch.get_num_threads()} threads, {context.zoo.device}, micro-batch {context.settings.micro_batch}")
        for title, job, count in (("three of one pass", THREE, arguments.three), ("all six", SIX, arguments.six)):
            rates: dict[str, list[float]] = {way: [] for way in ways}
            for number in range(arguments.rounds + 1):
                for way, explain in ways.items():
                    entries = fresh(folder, count)
                    began = time.perf_counter()
                    explain(entries, job, context)
                    if number:  # the first round warms up
                        rates[way].append(count / (time.perf_counter() - began))
            for way, found in rates.items():
                print(f"{title:18} {way:11} {median(found):6.2f} pictures/s ({min(found):.2f} … {max(found):.2f})")
            ratios = [b / a for a, b in zip(*rates.values(), strict=True)]
            print(f"{title:18} ratio       {median(ratios):6.2f} ({min(ratios):.2f} … {max(ratios):.2f})", flush=True)


if __name__ == "__main__":
    main()
