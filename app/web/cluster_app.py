"""The deployments as Ray Serve has them, and how a process comes to their handles."""

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
SIDE_BY_SIDE = 8  # requests of a replica, which take turns; others wait for a place
TARGET = 2.0  # requests of a replica, on average, beyond which there are to be more replicas
STATISTICS_SECONDS = 2.0  # between two questions of Serve which models a replica holds
KNOCK_SECONDS = 5
OBJECT_STORE_BYTES = 256 * 2**20  # of a Ray that is started here: events are small and soon read


def explainer(settings: Settings) -> serve.Application:
    """The deployment that computes."""
    router: dict[str, Any] = {
        "request_router_class": "gradoscope.service.cluster.routing:ByModel",
        "request_routing_stats_period_s": STATISTICS_SECONDS,
    }
    deployment: Any = serve.deployment(
        Explainer,
        name=EXPLAINER,
        ray_actor_options={"num_cpus": settings.cluster_cpus, "num_gpus": settings.cluster_gpus},
        autoscaling_config=AutoscalingConfig(
            min_replicas=settings.cluster_replicas_min,
            max_replicas=max(settings.cluster_replicas_min, settings.cluster_replicas_max),
            target_ongoing_requests=TARGET,
        ),
        max_ongoing_requests=min(SIDE_BY_SIDE, settings.max_requests),
        max_queued_requests=settings.max_requests,
        graceful_shutdown_timeout_s=settings.grace_seconds,
        logging_config={"enable_access_log": False},
        request_router_config=RequestRouterConfig(**router),
    )
    bound: serve.Application = deployment.bind(settings.model_dump(mode="json"))
    return bound


@serve.ingress()
class Ingress:
    """The web application, with the explainers behind it."""

    def __init__(self, settings: JsonObject, explainers: Any) -> None:
        self._settings, self._explainers = Settings(**settings), explainers

    def __serve_build_asgi_app__(self) -> FastAPI:
        async def connect() -> Any:
            return self._explainers

        return create_app(self._settings, lambda settings: ClusterExecutor(settings, connect))


def build(settings: JsonObject) -> serve.Application:
    """For `serve deploy`: `args` of the configuration are settings by name, the rest comes from the environment."""
    made = Settings(**settings)
    return ingress(made, explainer(made))


def ingress(settings: Settings, explainers: Any) -> serve.Application:
    """The deployment that answers HTTP; `explainers` is their application, or a handle of theirs."""
    deployment: Any = serve.deployment(
        Ingress,
        name=INGRESS,
        ray_actor_options={"num_cpus": 0},
        num_replicas=1,
        max_ongoing_requests=settings.max_connections,
        graceful_shutdown_timeout_s=settings.grace_seconds,
        logging_config={"enable_access_log": False},  # ours has a line for each
    )
    bound: serve.Application = deployment.bind(settings.model_dump(mode="json"), explainers)
    return bound


class ClusterConnection:
    """A Ray cluster and the explainers in it, for as long as this process wants them.

    `address` is HOST:PORT of a cluster's head, or `auto`: the cluster that runs on this machine (or RAY_ADDRESS), and
    where there is none, one that is started now and ends with this process. Explainers that run there already are
    used as they are; else they are started, and taken away at the end. Raises `Unavailable`.
    """

    def __init__(self, settings: Settings, address: str) -> None:
        self._settings = settings
        self._own_cluster, self._own_explainers = False, False
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anyone
        options: dict[str, Any] = {"logging_level": logging.WARNING, "include_dashboard": None}
        if address != "auto":
            knock(address)
        try:
            ray.init(address=address, **options)
        except ConnectionError as error:
            if address != "auto":
                raise Unavailable(f"This machine cannot join the cluster at {address}: {error}") from error
            ray.init(address="local", object_store_memory=OBJECT_STORE_BYTES, **options | {"include_dashboard": False})
            self._own_cluster = True

    async def connect(self) -> Any:
        """The explainers' handle; waits until they are there."""
        return await asyncio.to_thread(self._connect)

    def _connect(self) -> Any:
        running = serve.status().applications.get(APPLICATION)
        if running is None or running.status in (ApplicationStatus.DELETING, ApplicationStatus.DEPLOY_FAILED):
            self._own_explainers = True
            serve.start(proxy_location="Disabled")
            serve.run(explainer(self._settings), name=APPLICATION, route_prefix=None)
        return serve.get_deployment_handle(EXPLAINER, APPLICATION)

    def leave(self) -> None:
        """Take away what was started."""
        if not ray.is_initialized():
            return
        if self._own_explainers and not self._own_cluster:
            serve.delete(APPLICATION)
        ray.shutdown()


def knock(address: str) -> None:
    """Raise `Unavailable` where nobody listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise Unavailable(
            f"There is no Ray cluster at {address} ({error}). Start one there, ray start --head --port {port}, and "
            f"make this machine part of it, ray start --address {address}"
        ) from error
