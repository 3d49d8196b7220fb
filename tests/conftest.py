"""Fixtures that all tests share: a real server with the real EfficientNet-Lite0, in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

# Beside other test processes each computes with one thread: two threads that wait for each other at every layer
# would take many times as long.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "static" / "samples"
SHARED = ROOT.parent / "shared"


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

    def worker_pid(self) -> int:
        """The worker is the server's child that imported torch: the one that runs multiprocessing's spawn."""
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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cluster", action="store_true", help="the server computes on Ray Serve: `make test-cluster`")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--cluster"):
        config.addinivalue_line("filterwarnings", "ignore")  # Ray's own


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What needs a cluster lies in tests/cluster/live, and is not there without one."""
    return True if collection_path.name == "live" and not config.getoption("--cluster") else None


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if request.config.getoption("--cluster"):
        running = Server(*request.getfixturevalue("cluster").server)
    else:
        running = Server(tmp_path_factory.mktemp("server") / "store")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def server_url(server: Server) -> str:
    return server.url


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Ray cluster with the explainers; only with --cluster."""
    from cluster_support import TestCluster

    running = TestCluster(tmp_path_factory.mktemp("cluster"))
    yield running
    running.stop()
