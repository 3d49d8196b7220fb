"""A server under full load: 50 clients with mixed work on this machine. `make load`

Each client comes from a loopback address of its own, asks one thing after another, and after a 429 it waits as long
as Retry-After says. Meanwhile another process asks for /healthz twenty times a second. Ends with 1 where an
answer was neither 200 nor 429, /healthz took too long, or memory grew; `--write` puts the table into docs/service.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import multiprocessing
import os
import platform
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx

from tests.support.paths import ROOT, sample
from tests.support.server import Server

CLIENTS, SECONDS = 50, 300.0
WARM_UP, WINDOW = 0.2, 0.2  # shares of the time: before memory counts, and over which it is averaged
HEALTH_SECONDS, DRIFT = 0.25, 0.05  # the limits: p99 of /healthz, growth of memory
PAUSE = 0.5  # seconds between a client's questions, in the mean
PAGE = ROOT / "docs" / "service.md"
MARKS = ("<!-- load -->\n", "<!-- /load -->\n")


class Tally:
    """What came of all requests: seconds by kind, statuses, and those that should not have been."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.statuses: dict[str, Counter[str]] = defaultdict(Counter)
        self.wrong: list[str] = []

    def add(self, kind: str, status: int | str, seconds: float, text: str = "") -> None:
        self.statuses[kind][str(status)] += 1
        if status in (200, 204):
            self.seconds[kind].append(seconds)
        elif status != 429:
            self.wrong.append(f"{kind}: {status} {text[:300]}")


class Client:
    """One visitor, with an address of its own."""

    def __init__(self, number: int, url: str, tally: Tally, ends: float) -> None:
        self.draw = random.Random(number)
        self.tally, self.ends = tally, ends
        transport = httpx.AsyncHTTPTransport(local_address=f"127.0.0.{2 + number}")
        self.http = httpx.AsyncClient(base_url=url, transport=transport, timeout=600)
        self.record: dict[str, Any] | None = None

    async def run(self) -> None:
        works: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (0.40, self.predict),
            (0.20, self.cam),
            (0.10, self.six),
            (0.20, self.results),
            (0.10, self.page),
        ]
        shares, choices = zip(*works, strict=True)
        async with self.http:
            while time.monotonic() < self.ends:
                await asyncio.sleep(self.draw.expovariate(1 / PAUSE))
                (work,) = self.draw.choices(choices, shares)
                await work()

    async def predict(self) -> None:
        await self.ask("predictions", "POST", "/api/v1/predictions", files={"image": self.picture()})

    async def cam(self) -> None:
        fields = {"method": "grad_cam", "target": self.draw.randrange(1000)}
        await self.explain("Grad-CAM", fields, stream=self.draw.random() < 0.5)

    async def six(self) -> None:
        await self.explain("six maps", {}, stream=self.draw.random() < 0.5)

    async def explain(self, kind: str, fields: dict[str, Any], stream: bool) -> None:
        headers = {"accept": "text/event-stream" if stream else "application/json"}
        answer = await self.ask(
            kind, "POST", "/api/v1/explanations", files={"image": self.picture()}, data=fields, headers=headers
        )
        if answer is None:
            return
        record = _last_event(answer.text) if stream else answer.json()
        if record.get("status") != "done" or any(panel["status"] != "done" for panel in record["panels"]):
            self.tally.wrong.append(f"{kind}: {json.dumps(record)[:300]}")
            return
        if self.record is not None:
            await self.ask("forgetting", "DELETE", f"/api/v1/explanations/{self.record['id']}")
        self.record = record

    async def results(self) -> None:
        if self.record is None:
            return
        panel = self.draw.choice(self.record["panels"])["urls"]
        address = f"/api/v1/explanations/{self.record['id']}"
        chosen = (address, f"{panel['npy']}?dtype=float16", panel["png"], f"{address}.png", f"{address}/image.png")
        await self.ask("results", "GET", self.draw.choice(chosen))

    async def page(self) -> None:
        for path in ("/", "/static/js/state/methods.js", "/api/v1/models", "/api/v1/methods"):
            await self.ask("page", "GET", path)

    async def ask(self, kind: str, method: str, path: str, **options: Any) -> httpx.Response | None:
        """One answer. After a 429 it waits as long as Retry-After says, and asks again."""
        while True:
            began = time.monotonic()
            try:
                answer = await self.http.request(method, path, **options)
            except httpx.HTTPError as error:
                self.tally.add(kind, type(error).__name__, 0, str(error))
                return None
            self.tally.add(kind, answer.status_code, time.monotonic() - began, answer.text)
            if answer.status_code != 429:
                return answer if answer.is_success else None
            wait = float(answer.headers["retry-after"])
            if time.monotonic() + wait > self.ends:
                return None
            await asyncio.sleep(wait)

    def picture(self) -> bytes:
        """A picture that was never seen before: a sample with a comment, which costs nothing to make."""
        data = sample(self.draw.choice(("cat.jpg", "espresso.jpg", "rocket.jpg")))
        return data[:2] + b"\xff\xfe\x00\x22" + secrets.token_hex(16).encode() + data[2:]


def _last_event(text: str) -> dict[str, Any]:
    return json.loads(text.rsplit("data: ", 1)[1])  # type: ignore[no-any-return]


def check_reachable(port: int, ended: Connection, out: Connection) -> None:
    """Ask /healthz until told to end; sends the seconds of each."""
    seconds = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while not ended.poll(0.05):
        began = time.perf_counter()
        connection.request("GET", "/healthz")
        assert connection.getresponse().read()
        seconds.append(time.perf_counter() - began)
    out.send(seconds)


def resident(process: int) -> float:
    """MB of a process in RAM."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return 0.0


async def watch(server: Server, ends: float) -> list[tuple[float, float]]:
    """Memory of the web process and the worker, second by second."""
    samples = []
    while time.monotonic() < ends:
        samples.append((resident(server.process.pid), resident(server.worker_pid())))
        await asyncio.sleep(1)
    return samples


async def load(server: Server, clients: int, seconds: float, tally: Tally) -> list[tuple[float, float]]:
    ends = time.monotonic() + seconds
    watching = asyncio.create_task(watch(server, ends))
    await asyncio.gather(*(Client(number, server.url, tally, ends).run() for number in range(clients)))
    return await watching


def drift(samples: list[tuple[float, float]]) -> tuple[list[str], float]:
    """Lines of a table, and by how much both together have grown from the first part after warming up to the last."""
    first = int(len(samples) * WARM_UP)
    window = max(1, int(len(samples) * WINDOW))
    lines, sums = [], []
    for name, column in (("web", [s[0] for s in samples]), ("worker", [s[1] for s in samples])):
        before, after = statistics.fmean(column[first : first + window]), statistics.fmean(column[-window:])
        sums.append((before, after))
        lines.append(f"| {name} | {before:.0f} MB | {after:.0f} MB | {after / before - 1:+.1%} |")
    before, after = (sum(column) for column in zip(*sums, strict=True))
    lines.append(f"| both | {before:.0f} MB | {after:.0f} MB | {after / before - 1:+.1%} |")
    return lines, after / before - 1


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def table(tally: Tally, health: list[float], memory: list[str], clients: int, seconds: float) -> str:
    answered = sum(count for kind in tally.statuses.values() for count in kind.values())
    rows = [
        f"{clients} clients for {seconds:.0f} s on {os.cpu_count()} cores ({platform.machine()}), which the clients "
        f"share: {answered} answers, {answered / seconds:.0f} a second.",
        "",
        "| work | 200 | 429 | others | median | p99 |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind, statuses in sorted(tally.statuses.items()):
        good = statuses["200"] + statuses["204"]
        others = sum(statuses.values()) - good - statuses["429"]
        times = tally.seconds[kind]
        rows.append(
            f"| {kind} | {good} | {statuses['429']} | {others} | {percentile(times, 0.5):.2f} s | "
            f"{percentile(times, 0.99):.2f} s |"
        )
    rows += [
        f"| `/healthz` | {len(health)} | 0 | 0 | {percentile(health, 0.5):.3f} s | {percentile(health, 0.99):.3f} s |",
        "",
        "| memory | first minute after warming up | last minute | drift |"
        if seconds >= SECONDS
        else "| memory | first fifth after warming up | last fifth | drift |",
        "| --- | ---: | ---: | ---: |",
        *memory,
    ]
    return "\n".join(rows) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--write", action="store_true", help="put the table into docs/service.md")
    arguments = parser.parse_args()
    tally = Tally()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "store")
        (listening, telling), (theirs, end) = context.Pipe(duplex=False), context.Pipe(duplex=False)
        polling = context.Process(target=check_reachable, args=(int(server.url.rsplit(":", 1)[1]), theirs, telling))
        polling.start()
        try:
            samples = asyncio.run(load(server, arguments.clients, arguments.seconds, tally))
            end.send("end")
            health: list[float] = listening.recv()
            numbers = server.http.get("/metrics").text
        finally:
            polling.kill()
            status = server.stop()
        log = server.log.read_text()
    memory, grown = drift(samples)
    print("web and worker, MB, by second:", *(f"{web:.0f}+{worker:.0f}" for web, worker in samples[::10]))
    text = table(tally, health, memory, arguments.clients, arguments.seconds)
    print(text)
    faults = tally.wrong[:10]
    if "gradoscope_requests_in_flight 0.0" not in numbers or "gradoscope_worker_deaths_total 0.0" not in numbers:
        faults.append("something is in flight still, or the worker has died")
    if status or "Traceback" in log:
        faults.append(f"the server ended with {status}; its log: {log[-2000:]}")
    if (slow := percentile(health, 0.99)) > HEALTH_SECONDS:
        faults.append(f"/healthz: p99 is {slow:.3f} s, the slowest {max(health):.3f} s")
    if grown > DRIFT:
        faults.append(f"memory has grown by {grown:.1%}")
    print("\n".join(faults) or "all as it should be")
    if arguments.write and not faults:
        page = PAGE.read_text("utf-8")
        head, _, rest = page.partition(MARKS[0])
        PAGE.write_text(head + MARKS[0] + text + MARKS[1] + rest.partition(MARKS[1])[2], "utf-8")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
