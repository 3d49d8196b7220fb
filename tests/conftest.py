"""Fixtures that all tests share: a real server with the real EfficientNet-Lite0, in a process of its own."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import NO_ACCELERATION, Server

# Beside other test processes each computes with one thread: two threads that wait for each other at every layer
# would take many times as long.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

SECONDS_PER_PASS = 0.03  # of the model that waits

# Files that take longest, by what `--durations` tells.
LONGEST = [f"tests/{name}.py" for name in (
    "page/test_page_axe", "page/test_page_grid", "web/test_server", "service/test_faults", "page/test_page_models",
    "pipeline/test_batch", "page/test_page", "attribution/methods/test_every_method", "page/test_page_care",
    "web/test_leaving", "page/test_page_trust", "service/test_local_executor", "page/test_page_keyboard",
    "page/test_page_keep", "page/test_page_look", "page/test_page_export", "attribution/backends/test_compiled",
    "cli/test_main", "page/test_page_learn", "client/test_in_process", "web/test_plugins", "pipeline/test_pipeline",
    "client/test_client", "cli/test_evaluate", "docs/test_snippets", "zoo/test_library_imports",
)]  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cluster", action="store_true", help="the server computes on Ray Serve: `make test-cluster`")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--cluster"):
        config.addinivalue_line("filterwarnings", "ignore")  # Ray's own


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What needs a cluster lies in tests/service/cluster/live, and is not there without one."""
    return True if collection_path.name == "live" and not config.getoption("--cluster") else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files begin, so that none is left over at the end while the other processes have nothing to do."""
    items.sort(key=lambda item: LONGEST.index(name) if (name := item.location[0]) in LONGEST else len(LONGEST))


def pytest_collection_finish() -> None:
    """As a worker does at its start: the objects of all imports stay for ever. Each model that is loaded or unloaded
    collects garbage, and would walk a million of them each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def cluster_server(request: pytest.FixtureRequest) -> Iterator[Server | None]:
    """The server whose explainers are on the cluster; None without --cluster."""
    if not request.config.getoption("--cluster"):
        yield None
        return
    running = Server(*request.getfixturevalue("cluster").server)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def server(cluster_server: Server | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Nothing that is asked of it may leave a traceback in its log."""
    if cluster_server is not None:
        yield cluster_server
        return
    running = Server(tmp_path_factory.mktemp("server") / "store")
    yield running
    running.stop()
    assert "Traceback" not in running.log_text(), running.log_text()


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables for a server whose default model is a stand-in for the shipped one."""
    from tests.support.quick_model import write_quick_model  # torch, once the threads are set

    folder = tmp_path_factory.mktemp("quick-models")
    write_quick_model(folder)
    return {"GRADOSCOPE_MODELS": str(folder), **NO_ACCELERATION}


@pytest.fixture(scope="session")
def quick_server(
    cluster_server: Server | None, quick: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that computes with the stand-in; with --cluster the one on the cluster."""
    if cluster_server is not None:
        yield cluster_server
        return
    running = Server(tmp_path_factory.mktemp("quick") / "store", **quick)
    yield running
    running.stop()
    assert "Traceback" not in running.log_text(), running.log_text()


@pytest.fixture(scope="session")
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables for a server whose default model waits in each pass: a job of 1000 steps takes some seconds, and
    hardly any processor time."""
    from tests.support.quick_model import write_quick_model

    folder = tmp_path_factory.mktemp("slow-models")
    write_quick_model(folder, SECONDS_PER_PASS)
    return {"GRADOSCOPE_MODELS": str(folder), **NO_ACCELERATION}


@pytest.fixture(scope="session")
def slow_model_server(slow_model: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the model that waits, for tests that close their connection or kill its worker. Each of them waits
    until the server is ready again. None may leave a traceback."""
    running = Server(tmp_path_factory.mktemp("slow-model-server") / "store", **slow_model)
    yield running
    running.stop()
    assert "Traceback" not in running.log_text(), running.log_text()


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
