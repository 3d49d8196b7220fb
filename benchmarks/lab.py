"""How soon does an experiment of the lab answer? `make bench-lab`

Every experiment of the registry with its defaults, against a server of its own on loopback whose worker is warm: time
to the first figure, to the whole result, and for the small ones the round trip of a changed parameter. Each run has a
seed of its own, so that no answer comes from memory. Prints a table beside the bounds; `--write` puts it into
docs/lab.md. Ends with 1 where a median is over its bound.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.paths import ROOT
from tests.support.server import NO_ACCELERATION, Server
from tests.support.streams import read_events

FIRST, SMALL = 0.3, 0.05  # seconds: to the first figure, and for a changed parameter of a small experiment
WHOLE, LONG = 10.0, {"plasticity": 60.0}
SMALL_COST = 0.1  # an experiment that says it takes no longer than these seconds is small: its figures follow the hand
ROUNDS, ENOUGH = 9, 40.0  # rounds of each experiment, and the seconds after which no other begins
PAGE = ROOT / "docs" / "lab.md"
MARKS = ("<!-- bench-lab -->\n", "<!-- /bench-lab -->\n")
Parameters = dict[str, Any]


@dataclass
class Timings:
    """Seconds in the client, of each round."""

    id: str
    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    changed: list[float] = field(default_factory=list)  # empty where the experiment is not small

    def over(self) -> Iterator[str]:
        """What is over its bound."""
        bounds = {"first figure": (self.first, FIRST), "whole": (self.whole, LONG.get(self.id, WHOLE)),
                  "changed parameter": (self.changed, SMALL)}  # fmt: skip
        for title, (seconds, bound) in bounds.items():
            if seconds and statistics.median(seconds) > bound:
                yield f"{self.id}: {title} {shown(seconds)}, bound {duration(bound)}"


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all numbers in a value."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


def changed_parameter(schema: Mapping[str, Any], turn: int) -> Parameters:
    """The parameters with one number changed, otherwise each turn: a real one, if possible in a grid or a mapping."""
    found = {name: copy.deepcopy(each["default"]) for name, each in schema["properties"].items()}
    numbers = [place_of(found, path) for path in leaves(found)]
    if not numbers:
        raise ValueError("no parameter of it is a number")
    inner, key, _ = min(numbers, key=lambda place: (isinstance(place[0][place[1]], int), -place[2]))
    inner[key] += -turn if isinstance(inner[key], int) else -inner[key] * turn / 1000 or turn / 1000
    return found


def place_of(value: Any, path: tuple[Any, ...]) -> tuple[Any, Any, int]:
    """What holds the number at a path, its key there, and how deep it is."""
    for key in path[:-1]:
        value = value[key]
    return value, path[-1], len(path)


def timed_run(http: httpx.Client, id: str, body: Parameters) -> tuple[float, float]:
    """Seconds to the first figure and to the whole result, as an event stream tells them."""
    first = None
    began = time.perf_counter()
    headers = {"accept": "text/event-stream"}
    with http.stream("POST", f"/api/v1/experiments/{id}", json=body, headers=headers) as response:
        for name, data in read_events(response):
            if name == "error":
                raise RuntimeError(f"{id}: {data}")
            if first is None and name in ("partial", "done") and data.get("result", data)["figures"]:
                first = time.perf_counter() - began
            if name == "done":
                break
    if first is None:
        raise RuntimeError(f"{id} showed no figure")
    return first, time.perf_counter() - began


def round_trip(http: httpx.Client, id: str, body: Parameters) -> float:
    """Seconds of one request that is answered as JSON."""
    began = time.perf_counter()
    http.post(f"/api/v1/experiments/{id}", json=body).raise_for_status()
    return time.perf_counter() - began


def repeat(rounds: int, once: Callable[[int], None]) -> None:
    """Once to warm up, then `rounds` times, or until it has taken long enough."""
    began = time.perf_counter()
    for turn in range(rounds + 1):
        once(turn)
        if turn and time.perf_counter() - began > ENOUGH:
            return


def measure(http: httpx.Client, about: Mapping[str, Any], rounds: int) -> Timings:
    found = Timings(about["id"])

    def with_defaults(turn: int) -> None:
        first, whole = timed_run(http, found.id, {"seed": 1000 + turn})
        if turn:
            found.first.append(first)
            found.whole.append(whole)

    def with_a_change(turn: int) -> None:
        body = {"parameters": changed_parameter(about["parameters"], turn + 1), "seed": 0}
        seconds = round_trip(http, found.id, body)
        if turn:
            found.changed.append(seconds)

    repeat(rounds, with_defaults)
    if about["seconds"] <= SMALL_COST:
        repeat(rounds, with_a_change)
    print(found.id, shown(found.first), shown(found.whole), shown(found.changed), file=sys.stderr, flush=True)
    return found


def duration(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def shown(seconds: list[float]) -> str:
    """Median (least–most)."""
    if not seconds:
        return "–"
    return f"{duration(statistics.median(seconds))} ({duration(min(seconds))}–{duration(max(seconds))})"


def table(timings: list[Timings]) -> str:
    load = os.getloadavg()[0]
    lines = [
        f"Measured by `make bench-lab` on {datetime.date.today().isoformat()}: {os.cpu_count()} cores "
        f"({platform.machine()}), load {load:.1f} at the end, Python {platform.python_version()}; a warm worker, a "
        "seed of its own for each run. Median (least–most). A small experiment, one that says it takes at most "
        f"{duration(SMALL_COST)}, is also asked with a changed parameter.",
        "",
        "| experiment | first figure | bound | whole, defaults | bound | changed parameter | bound | rounds |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for each in timings:
        small = duration(SMALL) if each.changed else "–"
        lines.append(
            f"| `{each.id}` | {shown(each.first)} | {duration(FIRST)} | {shown(each.whole)} | "
            f"{duration(LONG.get(each.id, WHOLE))} | {shown(each.changed)} | {small} | {len(each.whole)} |"
        )
    return "\n".join(lines) + "\n"


def write(text: str) -> None:
    """Puts the table between its marks. Raises `ValueError` where the page has none."""
    page = PAGE.read_text("utf-8")
    head, start, rest = page.partition(MARKS[0])
    _, end, tail = rest.partition(MARKS[1])
    if not start or not end:
        raise ValueError(f"{PAGE} has no place for the table: {MARKS[0].strip()} … {MARKS[1].strip()}")
    PAGE.write_text(head + start + text + end + tail, "utf-8")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("experiments", nargs="*", help="ids; all where none is named")
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--write", action="store_true", help="put the table into docs/lab.md")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "store", **NO_ACCELERATION)
        try:
            listed = server.http.get("/api/v1/experiments").json()["experiments"]
            asked = [one for one in listed if not given.experiments or one["id"] in given.experiments]
            timings = [measure(server.http, one, given.rounds) for one in asked]
        finally:
            server.stop()
    text = table(timings)
    faults = [fault for each in timings for fault in each.over()]
    print(text, *faults, sep="\n")
    if given.write:
        write(text)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
