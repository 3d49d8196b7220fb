"""The deployments on Ray Serve, and a process's connection to them."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import Any

import ray
from fastapi import FastAPI
from ray import serve
from ray.serve.config import AutoscalingConfig, RequestRouterConfig
from ray.serve.schema import ApplicationStatus

from ..contract.problems import Unavailable
from ..contract.wire import JsonObject
from ..service.cluster.executor import ClusterExecutor
from ..service.cluster.explainer import Explainer
from ..settings import Settings
from .application import create_app

log = logging.getLogger(__name__)
APPLICATION, EXPLAINER, INGRESS = "gradoscope", "Explainer", "Ingress"
MAX_ONGOING = 8  # requests that a replica works on at once, taking turns; further ones wait
TARGET_ONGOING = 2.0  # average requests per replica; above this, Serve adds replicas
STATISTICS_SECONDS = 2.0  # from one call of `record_routing_stats` by Serve to the next
CONNECT_SECONDS = 5
OBJECT_STORE_BYTES = 256 * 2**20  # of a Ray cluster started here; enough, because events are small and read soon


def explainer(settings: Settings) -> serve.Application:
    """The deployment of `Explainer`, whose replicas compute the explanations."""
    router: dict[str, Any] = {
        "request_router_class": "gradoscope.service.cluster.routing:ModelAwareRouter",
        "request_routing_stats_period_s": STATISTICS_SECONDS,
    }
    deployment: Any = serve.deployment(
        Explainer,
        name=EXPLAINER,
        ray_actor_options={"num_cpus": settings.cluster_cpus, "num_gpus": settings.cluster_gpus},
        autoscaling_config=AutoscalingConfig(
            min_replicas=settings.cluster_replicas_min,
            max_replicas=max(settings.cluster_replicas_min, settings.cluster_replicas_max),
            target_ongoing_requests=TARGET_ONGOING,
        ),
        max_ongoing_requests=min(MAX_ONGOING, settings.max_requests),
        max_queued_requests=settings.max_requests,
        graceful_shutdown_timeout_s=settings.grace_seconds,
        logging_config={"enable_access_log": False},
        request_router_config=RequestRouterConfig(**router),
    )
    application: serve.Application = deployment.bind(settings.model_dump(mode="json"))
    return application


@serve.ingress()
class Ingress:
    """The web application, which sends its jobs to the explainers."""

    def __init__(self, settings: JsonObject, explainers: Any) -> None:
        self._settings, self._explainers = Settings(**settings), explainers

    def __serve_build_asgi_app__(self) -> FastAPI:
        async def connect() -> Any:
            return self._explainers

        return create_app(self._settings, lambda settings: ClusterExecutor(settings, connect))


def build(settings: JsonObject) -> serve.Application:
    """The application for `serve deploy`. `settings` are the `args` of its configuration file; other settings come from
    the environment."""
    parsed = Settings(**settings)
    return ingress(parsed, explainer(parsed))


def ingress(settings: Settings, explainers: Any) -> serve.Application:
    """The deployment that answers HTTP; `explainers` is the application of the explainers, or a handle to it."""
    deployment: Any = serve.deployment(
        Ingress,
        name=INGRESS,
        ray_actor_options={"num_cpus": 0},
        num_replicas=1,
        max_ongoing_requests=settings.max_connections,
        graceful_shutdown_timeout_s=settings.grace_seconds,
        logging_config={"enable_access_log": False},  # Gradoscope writes its own access log
    )
    application: serve.Application = deployment.bind(settings.model_dump(mode="json"), explainers)
    return application


class ClusterConnection:
    """The connection of this process to a Ray cluster and the explainers in it.

    `address` is HOST:PORT of a cluster's head, or `auto`: the cluster on this machine (or RAY_ADDRESS), or, if there
    is none, a new one that ends with this process. Explainers that already run are used as they are; otherwise
    `connect` starts them, and `leave` removes them. Raises `Unavailable`.
    """

    def __init__(self, settings: Settings, address: str) -> None:
        self._settings = settings
        self._started_cluster, self._started_explainers = False, False
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry to Ray
        options: dict[str, Any] = {"logging_level": logging.WARNING, "include_dashboard": None}
        if address != "auto":
            check_reachable(address)
        try:
            ray.init(address=address, **options)
        except ConnectionError as error:
            if address != "auto":
                raise Unavailable(f"This machine cannot join the cluster at {address}: {error}") from error
            ray.init(address="local", object_store_memory=OBJECT_STORE_BYTES, **options | {"include_dashboard": False})
            self._started_cluster = True

    async def connect(self) -> Any:
        """The explainers' handle; waits until they are ready."""
        return await asyncio.to_thread(self._connect)

    def _connect(self) -> Any:
        running = serve.status().applications.get(APPLICATION)
        if running is None or running.status in (ApplicationStatus.DELETING, ApplicationStatus.DEPLOY_FAILED):
            self._started_explainers = True
            serve.start(proxy_location="Disabled")
            serve.run(explainer(self._settings), name=APPLICATION, route_prefix=None)
        return serve.get_deployment_handle(EXPLAINER, APPLICATION)

    def leave(self) -> None:
        """Disconnect, and stop what was started here."""
        if not ray.is_initialized():
            return
        if self._started_explainers and not self._started_cluster:
            serve.delete(APPLICATION)
        ray.shutdown()


def check_reachable(address: str) -> None:
    """Raise `Unavailable` if nothing listens at HOST:PORT. Ray itself would retry for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise Unavailable(f"{address} is no address of a Ray cluster. Write HOST:PORT, as in 127.0.0.1:6379.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise Unavailable(
            f"There is no Ray cluster at {address} ({error}). Start one there, ray start --head --port {port}, and "
            f"make this machine part of it, ray start --address {address}"
        ) from error
