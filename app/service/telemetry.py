"""The metrics that Prometheus reads at /metrics. docs/service.md lists all of them; a test compares the two."""

from __future__ import annotations

import os
import platform

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from ..contract.metrics import MeasurementBody
from ..contract.records import PanelBody
from ..contract.version import VERSION
from ..contract.workers import WorkerCounters

SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS")


class Telemetry:
    """The counters, kept in the web process; executors and middleware update them. Each application has its own
    registry.

    Labels take few values: routes are templates, models are those with a card.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._create_http_metrics()
        self._create_job_metrics()
        self._create_worker_metrics()
        self._create_store_metrics()
        build = Info("gradoscope_build", "Versions", registry=self.registry)
        build.info({"version": VERSION, "python": platform.python_version()})

    def _create_http_metrics(self) -> None:
        self._responses = self._counter("http_requests", "HTTP requests answered", "route", "method", "status")
        self._latency = self._histogram("http_request_seconds", "Time until a response was complete", "route", "method")
        self._open = self._gauge("http_requests_in_flight", "HTTP requests being answered, streams among them")
        self._refused = self._counter("refusals", "Problems returned to clients, by title", "reason", "status")

    def _create_job_metrics(self) -> None:
        self.in_flight = self._gauge("requests_in_flight", "Requests being computed")
        self.waiting = self._gauge("requests_waiting", "Of these: requests that have no result yet")
        self.limit = self._gauge("requests_limit", "Requests that are accepted at once (GRADOSCOPE_MAX_REQUESTS)")
        self._ended = self._counter("requests", "Requests by how they ended", "outcome")
        self._panels = self._counter("panels", "Panels by how they ended", "method", "model", "status")
        self._measurements = self._counter("measurements", "Metrics of panels by how they ended", "metric", "status")
        self._seconds = self._histogram(
            "panel_seconds", "Computing time of a panel, as in its record", "method", "model"
        )
        self._micro_batches = self._counter("micro_batches", "Passes through a network")
        self._evaluations = self._counter("gradient_evaluations", "Gradients of pictures in these passes")

    def _create_worker_metrics(self) -> None:
        self._starts = self._counter("worker_starts", "Workers that were started")
        self.worker_deaths = self._counter("worker_deaths", "Workers that died")
        self.decoder_deaths = self._counter(
            "decoder_deaths",
            "Decoder processes that died, took too long, or ran out of memory: each is a picture that was refused",
        )
        self._models = self._gauge("models_loaded", "Models in memory")
        self._model_bytes = self._gauge("models_loaded_bytes", "Memory that they take, including faster backends")
        self._resident = self._gauge("resident_bytes", "Memory of a process that is in RAM", "process")
        self._worker: int | None = None  # the process id of the only worker
        self._reports: dict[str, WorkerCounters] = {}  # the last report of each worker

    def _create_store_metrics(self) -> None:
        self._lookups = self._counter("store_lookups", "Panels looked for in the store", "result")
        self._store_records = self._gauge("store_records", "Explanations in the store")
        self._store_bytes = self._gauge("store_bytes", "Bytes of the pictures and maps in the store")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"gradoscope_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"gradoscope_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"gradoscope_{name}", text, labels, buckets=SECONDS, registry=self.registry)

    def request_started(self) -> None:
        """Count an HTTP request that has come in."""
        self._open.inc()

    def request_answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an HTTP request that is answered. `route` is a path template, or one word if none matches."""
        method = method if method in METHODS else "other"
        self._open.dec()
        self._responses.labels(route, method, status).inc()
        self._latency.labels(route, method).observe(seconds)

    def request_refused(self, reason: str, status: int) -> None:
        """Count a problem that was sent to a client, as a response or in a stream. `reason` is its title."""
        self._refused.labels(reason, status).inc()

    def job_ended(self, outcome: str) -> None:
        """Count a job that has ended: `done`, `refused` (4xx), `failed` (5xx) or `cancelled`."""
        self._ended.labels(outcome).inc()

    def panel_ended(self, record: PanelBody) -> None:
        method, model = record.method, model_label(record.model)
        self._panels.labels(method, model, record.status).inc()
        if record.status == "done":
            self._seconds.labels(method, model).observe(record.seconds)
            self._lookups.labels("hit" if record.from_store else "miss").inc()

    def metric_ended(self, record: MeasurementBody) -> None:
        self._measurements.labels(record.metric, record.status).inc()

    def worker_started(self, process: int | None) -> None:
        """Count a worker that was started. Its own counters begin at zero.

        `process` is the process id of a `LocalExecutor`'s only worker; None for one of several replicas.
        """
        self._starts.inc()
        self._worker = process
        if process is not None:
            self._reports = {}

    def worker_reported(self, report: WorkerCounters, worker: str = "") -> None:
        """Take in what a worker has counted since its start, and what it holds. `worker` names it among several."""
        before = self._reports.get(worker)
        micro_batches = report["micro_batches"] - (before["micro_batches"] if before else 0)
        evaluations = report["gradient_evaluations"] - (before["gradient_evaluations"] if before else 0)
        if min(micro_batches, evaluations) < 0:
            return  # an old report that arrived after a newer one
        self._micro_batches.inc(micro_batches)
        self._evaluations.inc(evaluations)
        self._reports[worker] = report
        self._update_memory_gauges()

    def worker_removed(self, worker: str) -> None:
        """One of several workers is gone."""
        self._reports.pop(worker, None)
        self._update_memory_gauges()

    def _update_memory_gauges(self) -> None:
        self._models.set(sum(report["models"] for report in self._reports.values()))
        self._model_bytes.set(sum(report["model_bytes"] for report in self._reports.values()))

    def set_store_size(self, records: int, size: int) -> None:
        """Set the size of the store."""
        self._store_records.set(records)
        self._store_bytes.set(size)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        self._resident.labels("web").set(resident_bytes(os.getpid()))
        replicas = sum(report.get("resident", 0) for report in self._reports.values())
        self._resident.labels("worker").set(resident_bytes(self._worker) if self._worker else replicas)
        return generate_latest(self.registry)


def model_label(model: str) -> str:
    """A model's label: its id if it has a card, else only the name of its library, which has too many models."""
    library, colon, _ = model.partition(":")
    return f"{library}:" if colon else model


def resident_bytes(process: int) -> int:
    """Resident memory of a process in bytes; 0 if the system does not tell."""
    try:
        return psutil.Process(process).memory_info().rss
    except psutil.Error:
        return 0
