"""`make hostile`: a client that does its worst, beside one that only wants its maps (three minutes, loopback only).

A server with two API keys. The good client asks for one explanation after the other, and has a long one running;
another process asks for /healthz all the time. Meanwhile the hostile client sends, one kind after the other: deeply
nested options, slow readers of large ZIPs and a crowd of large PNGs, bodies and heads that are slow to parse,
explanations that fill the store, and pictures that are slow to decode. At last its key is revoked in all ways that
could fail.

Prints for each kind what /healthz took and the memory of the web process. Exits 1 if the 99th percentile of /healthz
is 250 ms or more, if the memory grows by more than 256 MB, if more than 96 MB of that are not freed afterwards, if the
good client loses anything that was accepted, or if a revoked key is let in.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
from PIL import Image

from tests.support.bad_pictures import many_scans, slow
from tests.support.server import Server
from tests.support.streams import stream

GOOD, BAD = "good-0123456789abcdef", "bad-0123456789abcdef"
KEYS = f"good:{GOOD}\nbad:{BAD}\n"
EXPLANATIONS, PREDICTIONS = "/api/v1/explanations", "/api/v1/predictions"
MAX_P99 = 0.25  # seconds
MAX_GROWTH, MAX_LEFT = 256, 96  # MB: during the attacks, and after them
SMALL = 32 * 1024
JOIN_SECONDS = 20  # for the last requests of an attack to be answered
STORE_BYTES = 24 * 2**20


@dataclass
class Phase:
    """What was measured during one kind of attack."""

    name: str
    healthz: list[float]
    memory: float  # at most, MB
    statuses: Counter[str]


@dataclass
class Good:
    """The good client: what came of its requests."""

    answers: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)


def probe(url: str, connection: Connection) -> None:
    """In a process of its own: ask for /healthz until told to end; sends (when, seconds) of each."""
    times = []
    with httpx.Client(base_url=url, timeout=60) as http:
        while not connection.poll(0.04):
            began = time.monotonic()
            http.get("/healthz").raise_for_status()
            times.append((began, time.monotonic() - began))
    connection.send(times)


def picture(seed: int, side: int = 64) -> bytes:
    values = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(values).resize((side, side), Image.Resampling.BICUBIC).save(out, "PNG")
    return out.getvalue()


class Hostile:
    """The hostile client. Each attack lasts until `over`; what the server answers is counted."""

    def __init__(self, url: str, over: threading.Event, statuses: Counter[str]) -> None:
        self.url, self.over, self.statuses = url, over, statuses
        self.port = urlsplit(url).port or 80

    def client(self, **options: object) -> httpx.Client:
        headers = {"x-api-key": BAD}
        return httpx.Client(base_url=self.url, headers=headers, timeout=120, **options)  # type: ignore[arg-type]

    def note(self, what: str, answer: httpx.Response) -> None:
        self.statuses[f"{what}: {answer.status_code}"] += 1

    def again_and_again(self, act: Callable[[httpx.Client, int], None]) -> None:
        with self.client() as http:
            number = 0
            while not self.over.is_set():
                with suppress(httpx.HTTPError):
                    act(http, number)
                number += 1

    def nested(self, http: httpx.Client, number: int) -> None:
        depth = (100, 520, 700, 900, 5000)[number % 5]
        options = '{"grad_cam": {"a": ' + "[" * depth + "]" * depth + "}}"
        data = {"sample": "cat", "method": "grad_cam", "options": options}
        self.note("nested", http.post(EXPLANATIONS, data=data))

    def slow_zip(self, id: str) -> None:
        """Read a ZIP at 64 kB a second."""
        request = f"GET {EXPLANATIONS}/{id}.zip HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {BAD}\r\n\r\n"
        with suppress(OSError), socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
            sock.connect(("127.0.0.1", self.port))
            sock.sendall(request.encode())
            first = sock.recv(SMALL)
            self.statuses[f"ZIP: {first[9:12].decode()}"] += 1
            while not self.over.wait(1):
                sock.recv(SMALL)

    def png(self, id: str, http: httpx.Client) -> None:
        for number in range(1, 4):
            answer = http.get(f"{EXPLANATIONS}/{id}/panels/p{number}.png", params={"zoom": 4, "overlay": 0.5})
            self.note("PNG", answer)

    def classes(self, http: httpx.Client, number: int) -> None:
        self.note("classes", http.get("/api/v1/models/efficientnet_lite0/classes", params={"query": f"c{number}"}))

    def raw(self, what: str, pieces: Iterator[bytes]) -> None:
        """Send bytes as fast as they are taken, then read the status."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as sock:
            with suppress(OSError):
                for piece in pieces:
                    sock.sendall(piece)
                    if self.over.is_set():
                        break
            with suppress(OSError):
                self.statuses[f"{what}: {sock.recv(4096)[9:12].decode() or 'closed'}"] += 1

    def unparsable(self) -> None:
        head = "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        session, form = (head.format(path).encode() for path in ("/api/v1/session", PREDICTIONS))
        chunked, key = b"Transfer-Encoding: chunked\r\n\r\n", b"X-API-Key: " + BAD.encode() + b"\r\n"
        while not self.over.is_set():
            megabyte = b"&" * 2**20
            self.raw("33 MB of & to sign in", iter([session + b"Content-Length: 33000000\r\n\r\n", *[megabyte] * 33]))
            self.raw("33 MB of & as a form", iter([form + key + chunked, *[b"100000\r\n" + megabyte + b"\r\n"] * 33]))
            chunks = b"1\r\n&\r\n" * 10_000
            self.raw("one-byte chunks, 401", iter([form + chunked, *[chunks] * 200]))
            self.raw("one-byte chunks", iter([form + key + chunked, *[chunks] * 15, b"0\r\n\r\n"]))
            self.raw("10,000 headers", iter([b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a:b\r\n" * 10_000 + b"\r\n"]))

    def fill(self, http: httpx.Client, number: int) -> None:
        """Maps that nobody has asked for before, of a large picture."""
        data = {"method": ["vanilla_gradient", "grad_cam"], "target": number % 1000}
        answer = http.post(EXPLANATIONS, files={"image": picture(number, 1500)}, data=data)
        self.note("explanation", answer)

    def undecodable(self, http: httpx.Client, number: int) -> None:
        data = slow(6_000_000 + number // 2) if number % 3 else many_scans(2000, extra=20_000)
        self.note("slow picture", http.post(PREDICTIONS, files={"image": data}))


def threads_of(count: int, call: Callable[[], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=call, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def ask_on(server: Server, good: Good, over: threading.Event) -> None:
    """The good client: one explanation after the other, each of a new picture. After a 429 or 503 it waits."""
    with httpx.Client(base_url=server.url, headers={"x-api-key": GOOD}, timeout=120) as http:
        number = 10**6
        while not over.is_set():
            number += 1
            try:
                answer = http.post(EXPLANATIONS, files={"image": picture(number)}, data={"method": "grad_cam"})
            except httpx.HTTPError as error:
                good.lost.append(repr(error))
                continue
            good.answers[str(answer.status_code)] += 1
            if answer.status_code in (429, 503) and "retry-after" in answer.headers:
                over.wait(min(5, int(answer.headers["retry-after"])))
            elif answer.status_code != 200:
                good.lost.append(answer.text[:300])
            else:
                map = http.get(answer.json()["panels"][0]["urls"]["npy"])
                if map.status_code != 200:
                    good.lost.append(f"a map that was just made: {map.text[:200]}")


def run_long(server: Server, good: Good, steps: int) -> None:
    """The good client's long explanation."""
    options = json.dumps({"integrated_gradients": {"steps": steps}})
    last = ""
    with (
        httpx.Client(base_url=server.url, headers={"x-api-key": GOOD}, timeout=600) as http,
        stream(http, {"image": picture(7)}, method="integrated_gradients", options=options) as events,
    ):
        for last, data in events:  # noqa: B007
            pass
    good.answers[f"long: {last}"] += 1
    if last != "done":
        good.lost.append(f"the long explanation: {json.dumps(data)[:300]}")


@contextmanager
def watched(server: Server) -> Iterator[Callable[[], float]]:
    """A context that watches the memory of the web process; the function gives the most since the last call, in MB."""
    process, most, over = psutil.Process(server.process.pid), [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            most.append(process.memory_info().rss / 1e6)

    def take() -> float:
        highest = max(most)
        del most[:]
        most.append(process.memory_info().rss / 1e6)
        return highest

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield take
    finally:
        over.set()
        thread.join()


def attack(server: Server, name: str, seconds: float, id: str, memory: Callable[[], float]) -> Phase:
    """One kind of attack for so many seconds; its times of /healthz are filled in later."""
    over, statuses = threading.Event(), Counter[str]()
    hostile = Hostile(server.url, over, statuses)
    memory()
    if name == "nested options":
        threads = threads_of(4, lambda: hostile.again_and_again(hostile.nested))
    elif name == "slow ZIPs, large PNGs":
        threads = threads_of(12, lambda: hostile.slow_zip(id))
        threads += threads_of(10, lambda: hostile.again_and_again(lambda http, _: hostile.png(id, http)))
        threads += threads_of(10, lambda: hostile.again_and_again(hostile.classes))
    elif name == "slow to parse":
        threads = threads_of(4, hostile.unparsable)
    elif name == "a full store":
        threads = threads_of(3, lambda: hostile.again_and_again(hostile.fill))
    else:
        threads = threads_of(4, lambda: hostile.again_and_again(hostile.undecodable))
    time.sleep(seconds)
    over.set()
    until = time.monotonic() + JOIN_SECONDS
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return Phase(name, [], memory(), statuses)


PHASES = ("nested options", "slow ZIPs, large PNGs", "slow to parse", "a full store", "slow to decode")


def revoke(server: Server, keys: Path) -> list[str]:
    """Revoke the hostile key in every way. What went wrong."""
    wrong = []

    def statuses() -> tuple[int, int]:
        return tuple(  # type: ignore[return-value]
            httpx.get(f"{server.url}/api/v1/models", headers={"x-api-key": key}).status_code for key in (BAD, GOOD)
        )

    for what, text, expected in (
        ("both keys", KEYS, (200, 200)),
        ("its line is gone", f"good:{GOOD}\n", (401, 200)),
        ("its line is faulty", f"bad:short\ngood:{GOOD}\n", (401, 200)),
        ("the file is empty", "", (401, 401)),
        ("the file is gone", None, (401, 401)),
        ("both keys again", KEYS, (200, 200)),
    ):
        if text is None:
            keys.unlink()
        else:
            part = keys.with_name("keys.part")
            part.write_text(text)
            os.replace(part, keys)
        found = statuses()
        if found != expected:
            wrong.append(f"{what}: {found} instead of {expected}")
    return wrong


def large(server: Server) -> str:
    """An explanation with a large ZIP: its id."""
    with httpx.Client(base_url=server.url, headers={"x-api-key": BAD}, timeout=300) as http:
        data = {"method": ["vanilla_gradient"], "target": list(range(12)), "size": "512"}
        answer = http.post(EXPLANATIONS, files={"image": picture(1, 600)}, data=data)
        answer.raise_for_status()
        return str(answer.json()["id"])


def measure(server: Server, seconds: float, good: Good) -> tuple[list[Phase], float, float]:
    """All attacks; the memory of the web process before and after them, in MB."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    prober = multiprocessing.get_context("spawn").Process(target=probe, args=(server.url, theirs), daemon=True)
    prober.start()
    over, phases, spans = threading.Event(), [], []
    with watched(server) as memory:
        id = large(server)
        long = threading.Thread(target=run_long, args=(server, good, 400))
        asking = threading.Thread(target=ask_on, args=(server, good, over))
        long.start()
        asking.start()
        time.sleep(5)
        memory()
        before = memory()
        for name in PHASES:
            began = time.monotonic()
            phases.append(attack(server, name, seconds, id, memory))
            spans.append((began, began + seconds))
        over.set()
        asking.join()
        long.join()
        time.sleep(5)
        memory()
        after = memory()
    ours.send("end")
    times = ours.recv()
    prober.join()
    for phase, (began, ended) in zip(phases, spans, strict=True):
        phase.healthz = sorted(took for when, took in times if began <= when <= ended)
    return phases, before, after


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="of each kind of attack")
    seconds = parser.parse_args().seconds
    good = Good()
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys"
        keys.write_text(KEYS)
        server = Server(Path(folder) / "store", GRADOSCOPE_KEYS=str(keys), GRADOSCOPE_STORE_BYTES=str(STORE_BYTES))
        try:
            phases, before, after = measure(server, seconds, good)
            wrong = revoke(server, keys)
        finally:
            server.stop()
        if "Traceback" in server.log_text():
            wrong.append("there is a traceback in the log")
    return report(phases, before, after, good, wrong)


def report(phases: list[Phase], before: float, after: float, good: Good, wrong: list[str]) -> int:
    print("| attack | `/healthz`, median | p99 | slowest | web process at most |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for phase in phases:
        times = phase.healthz
        p99 = times[min(len(times) - 1, int(0.99 * len(times)))]
        shown = " | ".join(f"{1000 * took:.0f} ms" for took in (times[len(times) // 2], p99, times[-1]))
        print(f"| {phase.name} | {shown} | {phase.memory:.0f} MB |")
        if p99 >= MAX_P99:
            wrong.append(f"{phase.name}: /healthz took {p99:.2f} s")
    most = max(phase.memory for phase in phases)
    print(f"\nweb process: {before:.0f} MB before, at most {most:.0f} MB, {after:.0f} MB after")
    print("the good client:", dict(good.answers))
    for phase in phases:
        print(f"{phase.name}:", dict(phase.statuses))
    if most - before > MAX_GROWTH or after - before > MAX_LEFT:
        wrong.append(f"memory: {before:.0f} → {most:.0f} → {after:.0f} MB")
    wrong += good.lost
    if not good.answers["200"] or not good.answers["long: done"]:
        wrong.append("the good client got nothing")
    print("\n".join(["", *(f"WRONG {fault}" for fault in wrong)]) if wrong else "\nnothing is lost, nobody waits")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
