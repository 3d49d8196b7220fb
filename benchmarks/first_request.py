"""The first request after a start, against a warm one, both for six maps. `make bench-first-request`

Each round starts a server with an empty store, waits until /readyz says so, and sends a fresh picture at once. Then it
lets the server be idle, so that its trials of backends end, and sends another fresh picture: that is the warm request.
With --after the first picture is sent so many seconds after ready, for a client that is less hasty. With --beside, the
Python of another checkout's environment, its server is measured too, in turns with this one's.

Prints medians and spread, and with --write puts them into docs/speed.md. The exit status is 1 where the six maps of
the first request take longer than the goal.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

import httpx

from tests.support.streams import stream

from .latency import Figures, fresh
from .maps.report import write
from .server_start import started

GOAL = 2.5  # seconds for six maps, from sending to the last event, on two cores
POLL = 0.02  # seconds between two questions whether the server is ready: they take its cores
MARKS = {"prediction": "names", "panel": "first map", "done": "six maps"}
ROWS = ("start until ready", *(f"{when}: {mark}" for when in ("first", "warm") for mark in MARKS.values()))


def explain(http: httpx.Client, figures: Figures, when: str, files: dict[str, tuple[str, bytes]]) -> list[str]:
    """Send a picture; notes the seconds of the marks, and returns the backends of the maps."""
    began = time.perf_counter()
    seen: set[str] = set()
    backends: list[str] = []
    with stream(http, files) as events:
        for name, data in events:
            mark = MARKS.get(name)
            if mark and mark not in seen:
                seen.add(mark)
                figures[f"{when}: {mark}"].append(time.perf_counter() - began)
            if name == "panel":
                backends.append(data["panel"]["diagnostics"]["engine"]["backend"])
    assert seen == set(MARKS.values())
    return backends


def one_start(python: str, figures: Figures, folder: Path, after: float, settle: float) -> None:
    files = fresh()
    own = Path(tempfile.mkdtemp(dir=folder))
    with started(own / "store", own / "log", answers="/readyz", poll=POLL, python=python) as (http, began):
        figures["start until ready"].append(time.perf_counter() - began)
        time.sleep(after)
        first = explain(http, figures, "first", files)
        time.sleep(settle)
        warm = explain(http, figures, "warm", fresh())
    print(f"{python}: backends {', '.join(first)}; warm {', '.join(warm)}", file=sys.stderr)


def table(figures: Figures) -> list[str]:
    lines = ["| two cores, Lite0, a fresh picture | seconds, median | of each round |", "| --- | ---: | --- |"]
    names = {"first": "sent at once after ready", "warm": "the same server later"}
    for row in ROWS:
        when, _, mark = row.partition(": ")
        title = f"{names[when]}: until {mark.replace('names', 'the names').replace('six', 'all six')}" if mark else row
        values = ", ".join(f"{value:.2f}" for value in figures[row])
        lines.append(f"| {title} | {median(figures[row]):.2f} | {values} |")
    return lines


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--starts", type=int, default=7)
    options.add_argument("--after", type=float, default=0, help="seconds from ready to the first picture")
    options.add_argument("--settle", type=float, default=6, help="seconds from the first request to the warm one")
    options.add_argument("--write", action="store_true", help="into docs/speed.md")
    options.add_argument("--beside", metavar="PYTHON", help="of another checkout, whose server is measured too")
    arguments = options.parse_args()
    sides = dict.fromkeys((sys.executable, *([arguments.beside] if arguments.beside else [])))
    of_sides: dict[str, Figures] = {python: defaultdict(list) for python in sides}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.starts):
            for python, figures in of_sides.items():
                one_start(python, figures, Path(folder), arguments.after, arguments.settle)
    for python, figures in of_sides.items():
        print("\n".join([*([python] if arguments.beside else []), *table(figures)]))
    figures = of_sides[sys.executable]
    lines = table(figures)
    if arguments.write:
        write("first-request", "\n".join(lines))
    return 0 if median(figures["first: six maps"]) <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
