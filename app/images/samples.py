"""The sample pictures that ship with Gradoscope."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TypedDict

from ..contract.parsing import did_you_mean
from ..contract.problems import NotFound
from ..settings import shipped


class Sample(TypedDict):
    """A sample picture: its file in static/samples/, with title, credit and licence."""

    id: str
    file: str
    title: str
    credit: str
    licence: str


@cache
def samples() -> dict[str, Sample]:
    """The entries of `static/samples/samples.json`, by id."""
    listed = json.loads((_folder() / "samples.json").read_text("utf-8"))
    return {entry["id"]: entry for entry in listed}


def read_sample(name: str) -> bytes:
    """The bytes of a sample. Raises `NotFound`. Only listed names are read, so a name cannot be a path."""
    if name not in samples():
        raise NotFound(
            f"There is no sample «{name[:80]}».{did_you_mean(name, samples())} There are: {', '.join(samples())}.",
            field="sample",
        )
    path: Path = _folder() / samples()[name]["file"]
    return path.read_bytes()


def _folder() -> Path:
    return shipped("static") / "samples"
