"""A real server in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

# For a server of a test that is not about how quickly it computes: it looks for no faster backends.
NO_ACCELERATION = {"GRADOSCOPE_ACCELERATION": "none"}
WAITING_SIDE = 160  # pixels of the input at which the quick stand-in waits in each pass: see quick_model.py


class Server:
    """`gradoscope serve` on a free port, with a store of its own; `options` are the command's."""

    def __init__(self, store: Path, *options: str, **environment: str) -> None:
        self.log = store.parent / f"{store.name}.log"
        variables = {**os.environ, "GRADOSCOPE_STORE": str(store), "GRADOSCOPE_PORT": "0", **environment}
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gradoscope", "serve", *options], stdout=out, stderr=out, env=variables
            )
        self.url = self._wait(lambda: re.search(r"open (http://[\w.:\[\]-]+)", self.log.read_text()), "an address")[1]
        self.http = httpx.Client(base_url=self.url, timeout=300)
        self._wait(lambda: self.http.get("/readyz").status_code == 200, "readiness")

    def _wait(self, condition, what: str):  # type: ignore[no-untyped-def]
        for _ in range(600):
            if (result := condition()) or self.process.poll() is not None:
                break
            time.sleep(0.2)
        assert result, f"the server gave no {what}:\n{self.log.read_text()}"
        return result

    def log_text(self) -> str:
        """What it has logged so far."""
        return self.log.read_text()

    def worker_pid(self) -> int:
        """The worker is the one child of the server that multiprocessing has spawned."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
        raise AssertionError("the server has no worker")

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.http.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)
