"""Fixtures that all tests share: a real server with the real EfficientNet-Lite0, in a process of its own."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.support.server import NO_ACCELERATION, Server
from tests.support.warm_python import WarmPython

# Beside other test processes each computes with one thread: two threads that wait for each other at every layer
# would take many times as long.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

SECONDS_PER_PASS = 0.03  # of the model that waits

# Files that take longest, by what `--durations` tells.
LONGEST = [f"tests/{name}.py" for name in (
    "page/test_page_axe", "web/routes/test_measurements", "service/test_faults", "web/test_rest",
    "attribution/methods/test_every_method", "lab/test_conventions", "page/test_page_pictures", "page/test_page_models",
    "page/test_page_previous", "page/test_page_shipped_model", "attribution/methods/test_lrp",
    "attribution/backends/test_compiled", "page/test_page_grid", "pipeline/test_batch", "web/test_server",
    "web/test_plugins", "page/test_page", "page/test_page_layout", "zoo/test_library_imports", "page/test_page_checks",
    "cli/test_evaluate", "service/test_local_executor", "attribution/methods/test_parity", "page/test_page_trust",
    "page/test_page_rows", "attribution/test_token_layers", "attribution/test_layers", "attribution/methods/test_xrai",
    "attribution/methods/test_blur_integrated", "attribution/methods/test_integrated", "page/test_page_keep",
    "page/test_page_languages", "page/test_page_flow", "storage/test_object_store", "storage/test_sharing",
    "service/test_state_machine", "benchmarks/test_sweep", "zoo/test_sources", "page/test_page_look",
    "attribution/methods/test_full_grad", "attribution/methods/test_cams", "page/test_page_key",
    "attribution/methods/test_forms", "storage/test_disk", "page/test_page_export", "cli/doctor/test_doctor",
    "attribution/backends/test_folding", "pipeline/test_pipeline", "zoo/test_zoo_memory",
)]  # fmt: skip


# Files whose tests ask the same server: one process of pytest takes them all, and starts it once.
TOGETHER = {f"tests/{name}.py": server for server, names in {
    "server": (
        "web/test_rest", "web/routes/test_flows", "web/routes/test_experiments", "web/test_runs", "client/test_client",
        "client/test_experiments", "client/test_in_process",
    ),
    "quick_model_server": (
        "web/routes/test_measurements", "cli/test_main", "docs/test_snippets", "web/test_bad_pictures",
        "web/routes/test_models", "web/test_bad_requests", "web/routes/test_estimates", "web/routes/test_maps",
        "web/middleware/test_host_origin", "docs/test_readme", "docs/test_docs", "web/routes/test_qualities",
    ),
    "slow_model_server": ("service/test_faults", "web/test_leaving"),
}.items() for name in names}  # fmt: skip


class TogetherByServer(LoadFileScheduling):
    """`--dist loadfile`, where the files of a server count as one."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return TOGETHER.get(file, file)


def shared_servers(item: pytest.Item) -> list[str]:
    """Of the fixtures below, the servers that a test asks for. Slow tests and those of the page are not spread so, and
    a cluster is one for all."""
    if (
        item.config.getoption("--cluster")
        or item.get_closest_marker("slow")
        or item.location[0].startswith("tests/page/")
    ):
        return []
    known = item._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]
    ours = {name: found[-1].baseid in ("", "tests") for name, found in known.items()}  # not one of the file's own
    return [name for name in sorted(set(TOGETHER.values())) if ours.get(name)]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return TogetherByServer(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cluster", action="store_true", help="the server computes on Ray Serve: `make test-cluster`")


def pytest_configure(config: pytest.Config) -> None:
    gc.disable()  # until all is imported
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
    gc.enable()


@pytest.fixture(scope="session")
def warm_python() -> Iterator[WarmPython]:
    """For code that is to run in a process of its own, where PyTorch may be there but nothing else."""
    running = WarmPython()
    yield running
    running.stop()


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
def quick_model(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables for a server whose default model is a small, quick network in the place of the shipped one; so is
    EfficientNet-Lite2, for what needs a second one."""
    from tests.support.quick_model import write_quick_model  # torch, once the threads are set

    folder = tmp_path_factory.mktemp("quick-models")
    for number in (0, 2):
        write_quick_model(folder, number=number)
    return {"GRADOSCOPE_MODELS": str(folder), **NO_ACCELERATION}


@pytest.fixture(scope="session")
def quick_model_server(
    cluster_server: Server | None, quick_model: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that computes with the small network of `quick_model`; with --cluster the one on the cluster."""
    if cluster_server is not None:
        yield cluster_server
        return
    running = Server(tmp_path_factory.mktemp("quick-model-server") / "store", **quick_model)
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
