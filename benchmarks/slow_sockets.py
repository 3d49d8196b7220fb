"""What a good client notices of two hundred slow sockets. `make slow` (two minutes)

A server as it ships, with the real model. Half of the sockets send a head at a byte a second, half a body; one that is
closed or refused comes again a second later. They come from many addresses, so that no limit for one client spares the
server the work. The good client asks for /healthz, for the start page's largest script, and for the predictions of a
sample, before and meanwhile. Exit code 1 where its 99th percentile is not below twice what it was.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.server import Server

FACTOR = 2
PERIOD = 1.0  # seconds from one byte to the next, and until one that was closed comes again
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"a" * 4000
BODY = (
    b"POST /api/v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    b"Content-Length: 100000\r\n\r\n"
)
FIRST = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'


def address(place: int) -> str:
    """Many on loopback; not all systems have more than one."""
    return f"127.0.1.{place % 100 + 1}" if sys.platform == "linux" else "127.0.0.1"


async def crawl(port: int, place: int, ends: Counter[str]) -> None:
    """One slow socket, for ever."""
    at_once, slowly = (b"", HEAD) if place % 2 else (BODY, FIRST + b"a" * 4000)
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address(place), 0))
            try:
                writer.write(at_once)
                for byte in slowly:
                    writer.write(bytes([byte]))
                    with contextlib.suppress(TimeoutError):
                        answer = await asyncio.wait_for(reader.read(4096), PERIOD)
                        ends[answer[9:12].decode() or "closed"] += 1
                        break
            finally:
                writer.close()
        await asyncio.sleep(PERIOD)


async def attack(port: int, count: int, ends: Counter[str], begun: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        for place in range(count):
            group.create_task(crawl(port, place, ends))
        await asyncio.sleep(2 * PERIOD)
        begun.set()


def percentile(seconds: list[float], share: float) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))]


def asked(server: Server, seconds: float) -> dict[str, list[float]]:
    """Times of each kind of request of the good client, one after the other for so many seconds."""
    kinds = {
        "/healthz": lambda: server.http.get("/healthz"),
        "a script": lambda: server.http.get("/static/js/controller/controller.js"),
        "predictions": lambda: server.http.post("/api/v1/predictions", data={"sample": "cat"}),
    }
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for kind, ask in kinds.items():
            began = time.perf_counter()
            assert ask().status_code == 200
            times[kind].append(time.perf_counter() - began)
    return times


async def measure(server: Server, count: int, seconds: float) -> tuple[dict[str, list[float]], Counter[str]]:
    """The good client's times beside `count` slow sockets, and how those ended."""
    ends: Counter[str] = Counter()
    begun = asyncio.Event()
    attacking = asyncio.create_task(attack(urlsplit(server.url).port or 80, count, ends, begun))
    await begun.wait()
    times = await asyncio.to_thread(asked, server, seconds)
    attacking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await attacking
    return times, ends


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=70, help="beside them; half of it alone before")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "store")
        try:
            asked(server, 2)
            alone = asked(server, options.seconds / 2)
            beside, ends = asyncio.run(measure(server, options.sockets, options.seconds))
        finally:
            server.stop()
    print(f"milliseconds: median and 99th percentile alone, and beside {options.sockets} slow sockets")
    good = True
    for kind in alone:
        figures = [1000 * percentile(times[kind], share) for times in (alone, beside) for share in (0.5, 0.99)]
        good &= figures[3] < FACTOR * figures[1]
        shown = "".join(f"{figure:9.2f}" for figure in figures)
        print(f"{kind:12}{shown}   p99 × {figures[3] / figures[1]:.2f}, {len(beside[kind])} requests")
    print("slow sockets ended by:", dict(ends))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
