"""What Prometheus reads at /metrics. docs/service.md lists all of it; a test holds the two together."""

from __future__ import annotations

import os
import platform

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from ..contract.metrics import MeasurementBody
from ..contract.records import PanelBody
from ..contract.version import VERSION
from ..contract.workers import Effort

SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS")


class Telemetry:
    """Counted in the web process, of what executors and the edge tell; each application has its own registry.

    Labels take few values: routes are templates, models are those with a card.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._count_http()
        self._count_computing()
        self._count_worker()
        self._count_store()
        build = Info("gradoscope_build", "Versions", registry=self.registry)
        build.info({"version": VERSION, "python": platform.python_version()})

    def _count_http(self) -> None:
        self._answered = self._counter("http_requests", "HTTP requests answered", "route", "method", "status")
        self._latency = self._histogram("http_request_seconds", "Time until an answer was whole", "route", "method")
        self._open = self._gauge("http_requests_in_flight", "HTTP requests being answered, streams among them")
        self._refused = self._counter("refusals", "Problems that clients were told, by title", "reason", "status")

    def _count_computing(self) -> None:
        self.in_flight = self._gauge("requests_in_flight", "Requests being computed")
        self.waiting = self._gauge("requests_waiting", "Of these: those that nothing has come of yet")
        self.limit = self._gauge("requests_limit", "Requests that are taken at once (GRADOSCOPE_MAX_REQUESTS)")
        self._ended = self._counter("requests", "Requests by how they ended", "outcome")
        self._panels = self._counter("panels", "Panels by what came of them", "method", "model", "status")
        self._measurements = self._counter("measurements", "Metrics of panels by what came of them", "metric", "status")
        self._seconds = self._histogram(
            "panel_seconds", "Computing time of a panel, as told by its record", "method", "model"
        )
        self._micro_batches = self._counter("micro_batches", "Passes through a network")
        self._evaluations = self._counter("gradient_evaluations", "Gradients of pictures in these passes")

    def _count_worker(self) -> None:
        self._starts = self._counter("worker_starts", "Workers that were started")
        self.worker_deaths = self._counter("worker_deaths", "Workers that died")
        self.decoder_deaths = self._counter(
            "decoder_deaths",
            "Decoding processes that died, overran, or ran out of memory: each is a picture that was refused",
        )
        self._models = self._gauge("models_loaded", "Models in memory")
        self._model_bytes = self._gauge("models_loaded_bytes", "Memory that they take, with what makes them quicker")
        self._resident = self._gauge("resident_bytes", "Memory of a process that is in RAM", "process")
        self._worker: int | None = None
        self._told: dict[str, Effort] = {}  # by worker

    def _count_store(self) -> None:
        self._lookups = self._counter("store_lookups", "Panels looked for in the store", "result")
        self._store_records = self._gauge("store_records", "Explanations in the store")
        self._store_bytes = self._gauge("store_bytes", "Bytes of the pictures and maps in the store")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"gradoscope_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"gradoscope_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"gradoscope_{name}", text, labels, buckets=SECONDS, registry=self.registry)

    def began(self) -> None:
        """An HTTP request has come in."""
        self._open.inc()

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """It is answered. `route` is a template, or one word for what fits none."""
        method = method if method in METHODS else "other"
        self._open.dec()
        self._answered.labels(route, method, status).inc()
        self._latency.labels(route, method).observe(seconds)

    def refused(self, reason: str, status: int) -> None:
        """A client was told a problem with that title, as an answer or in a stream."""
        self._refused.labels(reason, status).inc()

    def ended(self, outcome: str) -> None:
        """`done`, `refused` (4xx), `failed` (5xx) or `cancelled`."""
        self._ended.labels(outcome).inc()

    def panel(self, record: PanelBody) -> None:
        method, model = record.method, few(record.model)
        self._panels.labels(method, model, record.status).inc()
        if record.status == "done":
            self._seconds.labels(method, model).observe(record.seconds)
            self._lookups.labels("hit" if record.from_store else "miss").inc()

    def measured(self, record: MeasurementBody) -> None:
        self._measurements.labels(record.metric, record.status).inc()

    def worker_began(self, process: int | None) -> None:
        """A worker was started, as that process. It counts from zero."""
        self._starts.inc()
        self._worker = process
        if process is not None:  # the only one
            self._told = {}

    def worker_told(self, told: Effort, worker: str = "") -> None:
        """What a worker has counted since it began, and what it holds; `worker` names it where there are several."""
        before = self._told.get(worker)
        micro_batches = told["micro_batches"] - (before["micro_batches"] if before else 0)
        evaluations = told["gradient_evaluations"] - (before["gradient_evaluations"] if before else 0)
        if min(micro_batches, evaluations) < 0:
            return  # it was overtaken on its way
        self._micro_batches.inc(micro_batches)
        self._evaluations.inc(evaluations)
        self._told[worker] = told
        self._hold()

    def worker_left(self, worker: str) -> None:
        """One of several is there no more."""
        self._told.pop(worker, None)
        self._hold()

    def _hold(self) -> None:
        self._models.set(sum(told["models"] for told in self._told.values()))
        self._model_bytes.set(sum(told["model_bytes"] for told in self._told.values()))

    def stored(self, records: int, size: int) -> None:
        """What is in the store now."""
        self._store_records.set(records)
        self._store_bytes.set(size)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        self._resident.labels("web").set(resident(os.getpid()))
        elsewhere = sum(told.get("resident", 0) for told in self._told.values())
        self._resident.labels("worker").set(resident(self._worker) if self._worker else elsewhere)
        return generate_latest(self.registry)


def few(model: str) -> str:
    """A model's label: its id where it has a card, else the library that knows it, whose models are too many."""
    library, colon, _ = model.partition(":")
    return f"{library}:" if colon else model


def resident(process: int) -> int:
    """Bytes of a process that are in RAM; 0 where it is no more, or not ours to look at."""
    try:
        return psutil.Process(process).memory_info().rss
    except psutil.Error:
        return 0
