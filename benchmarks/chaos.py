"""`make chaos`: a worker that is killed again and again, and clients that leave in the middle. Exits 1 if that does
damage.

300 requests, six at a time, streamed and as JSON, while the worker is killed 20 times at moments drawn by a seed; the
same requests to a server that nobody disturbs; then 100 clients that leave in the middle of 1000-step integrals.
Networks run as they are written (GRADOSCOPE_ACCELERATION=none), so the same request gives the same bits.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.support.paths import SAMPLES
from tests.support.server import Server
from tests.support.streams import stream

AT_ONCE = 6
OPTIONS = {
    "smooth_grad": {"samples": 8},
    "integrated_gradients": {"steps": 10},
    "blur_integrated_gradients": {"steps": 8},
}
METHODS = ("vanilla_gradient", "guided_backprop", "grad_cam", *OPTIONS)
PICTURES = ("cat.jpg", "espresso.jpg", "rocket.jpg", "grid.jpg")
ENVIRONMENT = {"GRADOSCOPE_ACCELERATION": "none", "GRADOSCOPE_MICRO_BATCH": "4", "GRADOSCOPE_CLIENT_REQUESTS": "32"}


@dataclass
class Answer:
    """What came of a request: its maps if it was done, else the problem's title."""

    ends: list[str] = field(default_factory=list)  # the final events, `done` or `error`: there should be one
    events: Counter[str] = field(default_factory=Counter)
    maps: dict[str, np.ndarray] = field(default_factory=dict)
    problem: str | None = None


def fields_of(number: int) -> tuple[str, dict[str, Any]]:
    """Request `number`: its picture and its fields. No two have a map in common, so that none comes from the store."""
    draw = random.Random(number)
    methods = draw.sample(METHODS, draw.choice((1, 2, 3)))
    return draw.choice(PICTURES), {"method": methods, "options": json.dumps(OPTIONS), "target": number, "seed": number}


def ask(server: Server, number: int) -> Answer:
    name, fields = fields_of(number)
    files, answer = {"image": (SAMPLES / name).read_bytes()}, Answer()
    with httpx.Client(base_url=server.url, timeout=300) as http:
        if number % 3:
            with stream(http, files, **fields) as events:
                for event, data in events:
                    answer.events[f"{event} {data['panel']['id']}" if event == "panel" else event] += 1
                    if event in ("done", "error"):
                        answer.ends.append(event)
                        last = data
        else:
            response = http.post("/api/v1/explanations", files=files, data=fields)
            last = response.json()
            answer.ends.append("done" if response.status_code == 200 else "error")
        if answer.ends[-1:] == ["done"]:
            for panel in last["panels"]:
                data = http.get(panel["urls"]["npy"]).content
                answer.maps[panel["method"]] = np.load(io.BytesIO(data))
        elif answer.ends:
            answer.problem = f"{last['status']} {last['title']}"
    return answer


class Killer:
    """Kills the worker a little after each of some requests has begun, whatever it is doing. The seed draws which
    requests, and how long after."""

    def __init__(self, server: Server, requests: int, kills: int, seed: int) -> None:
        self._server, self._draw = server, random.Random(seed)
        self._requests = set(self._draw.sample(range(requests), kills))
        self._timers: list[threading.Timer] = []
        self._delays = [self._draw.uniform(0, 1.5) for _ in range(kills)]
        self.kills = 0

    def begun(self, number: int) -> None:
        if number in self._requests:
            timer = threading.Timer(self._delays.pop(), self._kill)
            self._timers.append(timer)
            timer.start()

    def _kill(self) -> None:
        while True:
            with suppress(AssertionError, ProcessLookupError, FileNotFoundError):  # none is there just now
                os.kill(self._server.worker_pid(), signal.SIGKILL)
                self.kills += 1
                return
            time.sleep(0.02)

    def wait(self) -> None:
        for timer in self._timers:
            timer.join()


def round_of(server: Server, requests: int, killer: Killer | None = None) -> list[Answer]:
    def one(number: int) -> Answer:
        if killer:
            killer.begun(number)
        return ask(server, number)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(one, range(requests)))
    if killer:
        killer.wait()
    return answers


def faults_of(answers: list[Answer], undisturbed: list[Answer]) -> list[str]:
    faults = []
    for number, (answer, expected) in enumerate(zip(answers, undisturbed, strict=True)):
        if len(answer.ends) != 1:
            faults.append(f"request {number} ended {len(answer.ends)} times")
        often = [name for name, count in answer.events.items() if count > 1 and name not in ("progress", "partial")]
        if often:
            faults.append(f"request {number} got some events twice: {', '.join(often)}")
        if answer.problem and not answer.problem.startswith("503"):
            faults.append(f"request {number}: {answer.problem}")
        for method, values in answer.maps.items():
            if not np.array_equal(values, expected.maps[method]):
                faults.append(f"request {number}: the map of {method} is another one")
        if answer.ends == ["done"] and answer.maps.keys() != expected.maps.keys():
            faults.append(f"request {number} lacks maps")
    return faults


def gauge(server: Server, name: str) -> float:
    lines = httpx.get(f"{server.url}/metrics", timeout=30).text.splitlines()
    return float(next(line.split()[-1] for line in lines if line.startswith(f"{name} ")))


def deaths(requests: int, kills: int, seed: int, folder: Path) -> list[str]:
    """Send the requests while the worker is killed; returns what went wrong."""
    calm = Server(folder / "calm", **ENVIRONMENT)
    try:
        undisturbed = round_of(calm, requests)
    finally:
        calm.stop()
    server = Server(folder / "chaos", **ENVIRONMENT)
    try:
        killer, began = Killer(server, requests, kills, seed), time.monotonic()
        answers = round_of(server, requests, killer)
        seconds = time.monotonic() - began
        faults = faults_of(answers, undisturbed)
        if killer.kills != kills:
            faults.append(f"{killer.kills} kills, not {kills}")
        if (left := gauge(server, "gradoscope_requests_in_flight")) != 0:
            faults.append(f"{left:g} requests are still in flight")
    finally:
        server.stop()
    ends = Counter(end for answer in answers for end in answer.ends)
    problems = Counter(answer.problem for answer in answers if answer.problem)
    maps = sum(len(answer.maps) for answer in answers)
    print(
        f"{requests} requests, {killer.kills} kills in {seconds:.0f} s: {sum(ends.values())} ends {dict(ends)}, "
        f"{maps} maps compared with those of a run without faults, problems {dict(problems)}",
        flush=True,
    )
    return faults


def ticks(process: int) -> int:
    """Processor time of a process, user and system, in ticks of 10 ms."""
    numbers = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return int(numbers[11]) + int(numbers[12])


def resident(process: int) -> float:
    """Resident memory of a process, in MiB."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def leave_in_the_middle(server: Server, number: int) -> None:
    options = json.dumps({"integrated_gradients": {"steps": 1000}})
    fields = {"method": "integrated_gradients", "options": options, "target": number}
    with (
        httpx.Client(base_url=server.url, timeout=300) as http,
        stream(http, {"image": (SAMPLES / "cat.jpg").read_bytes()}, **fields) as events,
    ):
        next(event for event in events if event[0] == "progress")


def leaving(clients: int, folder: Path) -> list[str]:
    """Let clients leave in the middle; returns what went wrong."""
    server, faults = Server(folder / "leaving", **ENVIRONMENT), []
    try:
        for number in range(AT_ONCE):
            leave_in_the_middle(server, 900 + number)
        time.sleep(3)
        before = resident(server.worker_pid())
        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(lambda number: leave_in_the_middle(server, number), range(clients)))
        time.sleep(1)
        worker = server.worker_pid()
        worked = ticks(worker)
        time.sleep(0.5)
        busy, queued = ticks(worker) - worked, gauge(server, "gradoscope_requests_in_flight")
        time.sleep(3)
        after = resident(worker)
        print(
            f"{clients} clients left in the middle of 1000-step integrals: 1 s after the last {queued:g} in flight, "
            f"{busy} ticks of 10 ms in half a second; memory of the worker {before:.0f} MiB, then {after:.0f}",
            flush=True,
        )
        if queued or busy > 5:
            faults.append("the worker still computes for somebody who has left")
        if after > before + 50:
            faults.append(f"the worker has grown by {after - before:.0f} MiB")
    finally:
        server.stop()
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--clients", type=int, default=100, help="that leave in the middle")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        faults = deaths(arguments.requests, arguments.kills, arguments.seed, Path(folder))
        faults += leaving(arguments.clients, Path(folder))
    print(*(faults or ["no fault"]), sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
