"""What Prometheus reads at /metrics."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)


class Metrics:
    """Counted in the web process, of what executors tell; each application has its own registry."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.in_flight = Gauge("gradoscope_requests_in_flight", "Requests being computed", registry=self._registry)
        self.worker_deaths = Counter("gradoscope_worker_deaths", "Workers that died", registry=self._registry)
        self.decoder_deaths = Counter(
            "gradoscope_decoder_deaths",
            "Decoding processes that died, overran, or ran out of memory: each is a picture that was refused",
            registry=self._registry,
        )
        self._ended = Counter("gradoscope_requests", "Requests by how they ended", ["outcome"], registry=self._registry)
        self._panels = Counter(
            "gradoscope_panels", "Panels by what came of them", ["method", "model", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "gradoscope_panel_seconds",
            "Computing time of a panel, as told by its record",
            ["method", "model"],
            buckets=SECONDS,
            registry=self._registry,
        )

    def ended(self, outcome: str) -> None:
        """`done`, `refused` (4xx), `failed` (5xx) or `cancelled`."""
        self._ended.labels(outcome).inc()

    def panel(self, record: dict[str, Any]) -> None:
        self._panels.labels(record["method"], record["model"], record["status"]).inc()
        if record["status"] == "done":
            self._seconds.labels(record["method"], record["model"]).observe(record["seconds"])

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)
