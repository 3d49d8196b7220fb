"""Measured durations of evaluations on each model, for estimates in seconds."""

from __future__ import annotations

from collections import defaultdict, deque
from statistics import median

Size = tuple[int, int]
MAX_MEASUREMENTS = 3  # measurements; the median ignores one that was disturbed


class Throughput:
    """Seconds per evaluation and input pixel, by model and kind of evaluation (such as `gradients`).

    A measurement may name the backend that computed: what another one took before says nothing of it.
    """

    def __init__(self) -> None:
        self._backends: dict[tuple[str, ...], str] = {}
        self._measurements: dict[tuple[str, ...], deque[float]] = defaultdict(lambda: deque(maxlen=MAX_MEASUREMENTS))

    def record(
        self, model: str, kind: tuple[str, ...], seconds: float, evaluations: int, size: Size, backend: str = ""
    ) -> None:
        """Add a measurement: `evaluations` took `seconds` on inputs of this size. Those of another backend go."""
        if self.backend(model, kind) != backend:
            self._measurements.pop((model, *kind), None)
            self._backends[model, *kind] = backend
        self._measurements[model, *kind].append(seconds / evaluations / (size[0] * size[1]))

    def backend(self, model: str, kind: tuple[str, ...]) -> str:
        """The name of the backend that was measured last; empty where none was named."""
        return self._backends.get((model, *kind), "")

    def seconds(self, model: str, kind: tuple[str, ...], evaluations: float, size: Size) -> float | None:
        """The expected seconds of `evaluations`, by the median of the last measurements; None before the first."""
        measurements = self._measurements.get((model, *kind))
        return None if measurements is None else median(measurements) * evaluations * size[0] * size[1]
