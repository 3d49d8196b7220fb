"""Fixtures that all tests share: a real server with the real EfficientNet-Lite0, in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Server

# Beside other test processes each computes with one thread: two threads that wait for each other at every layer
# would take many times as long.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cluster", action="store_true", help="the server computes on Ray Serve: `make test-cluster`")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--cluster"):
        config.addinivalue_line("filterwarnings", "ignore")  # Ray's own


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What needs a cluster lies in tests/service/cluster/live, and is not there without one."""
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


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Ray cluster with the explainers; only with --cluster."""
    from tests.support.cluster import TestCluster

    running = TestCluster(tmp_path_factory.mktemp("cluster"))
    yield running
    running.stop()
