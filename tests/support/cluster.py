"""A Ray cluster on one machine for tests, with replicas of the `Explainer` deployment, and helpers for such tests."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from gradoscope.service.cluster.executor import ClusterExecutor
from gradoscope.settings import Settings
from gradoscope.web.cluster_app import APPLICATION, EXPLAINER, explainer, ingress
from ray import serve

STORE_BYTES = 100 * 2**20  # of Ray's own object store
MICRO_BATCH = 8


class TestCluster:
    """Ray, started in this process. `scale` starts replicas of the `Explainer` with its settings."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(
            store=folder / "store",
            cluster_cpus=0.5,
            threads=1,
            micro_batch=MICRO_BATCH,
            device="cpu",
            offline=True,
            acceleration="none",  # the same operations everywhere: the maps are compared
        )
        ray.init(
            address="local", include_dashboard=False, object_store_memory=STORE_BYTES, logging_level=logging.WARNING
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        serve.start(http_options={"host": "127.0.0.1", "port": self.port})
        self.address = ray.get_runtime_context().gcs_address
        self.handle: Any = None

    def scale(self, replicas: int) -> None:
        """Runs this number of replicas, and waits until all are ready."""
        limits = {"cluster_replicas_min": replicas, "cluster_replicas_max": replicas}
        self.settings = self.settings.model_copy(update=limits)
        serve.run(explainer(self.settings), name=APPLICATION, route_prefix=None)
        self.handle = serve.get_deployment_handle(EXPLAINER, APPLICATION)
        self.reports(replicas)

    def reports(self, replicas: int = 1) -> list[dict[str, Any]]:
        """The reports of the replicas, once there are at least `replicas`."""
        while True:
            answers = self.handle.broadcast("report", {}).results(return_exceptions=True)
            answers = [answer for answer in answers if isinstance(answer, dict)]
            if len(answers) >= replicas:
                return answers

    def web(self) -> str:
        """Deploys the web application too; its address, at Serve's own proxy."""
        serve.run(ingress(self.settings, self.handle), name="web", route_prefix="/")
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        serve.shutdown()
        ray.shutdown()

    @property
    def server(self) -> tuple[Any, ...]:
        """Arguments of a `Server` that computes here."""
        if self.handle is None:
            self.scale(2)
        return self.settings.store, "--cluster", self.address

    def with_executor(self, scenario: Any) -> Any:
        """Runs the coroutine `scenario(executor)` with an executor of this cluster, and returns what it returns."""

        async def run() -> Any:
            async def connect() -> Any:
                return self.handle

            executor = ClusterExecutor(self.settings, connect)
            await executor.start()
            while executor.unready:
                await asyncio.sleep(0.05)
            try:
                return await scenario(executor)
            finally:
                await executor.stop()

        return asyncio.run(asyncio.wait_for(run(), 100))


def reports_when_idle(cluster: TestCluster) -> list[dict[str, Any]]:
    """The reports of the replicas when nothing runs any more, and their workers have reported that."""
    while any(report["running"] for report in cluster.reports()):
        time.sleep(0.05)
    counted = None
    while counted != (counted := [report["counters"]["gradient_evaluations"] for report in cluster.reports()]):
        time.sleep(1)  # a worker reports its counters when it is idle, or each second
    return cluster.reports()


def final_status(load: Callable[[], Any], patience: float = 30) -> str:
    """A record's status once it is no longer `running`: a worker writes it after the micro-batch that it computes."""
    until = time.monotonic() + patience
    while (status := str(load()["status"])) == "running" and time.monotonic() < until:
        time.sleep(0.1)
    return status
