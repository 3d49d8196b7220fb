"""A server in a process of its own, for benchmarks that count from its start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx


@contextmanager
def started(
    store: Path, log: Path, *, answers: str, poll: float, python: str = sys.executable
) -> Iterator[tuple[httpx.Client, float]]:
    """A client of a server that has just answered `answers`, and when its process was started (`time.perf_counter`).

    It is asked every `poll` seconds. Raises `AssertionError` with the log if it ends before.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = {**os.environ, "GRADOSCOPE_STORE": str(store), "GRADOSCOPE_PORT": str(port)}
    began = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen([python, "-m", "gradoscope", "serve"], env=variables, stdout=out, stderr=out)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as http:
            while process.poll() is None:
                with suppress(httpx.TransportError):
                    if http.get(answers).status_code == 200:
                        break
                time.sleep(poll)
            assert process.poll() is None, log.read_text()
            yield http, began
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
