"""Measured durations of evaluations on each model, for estimates in seconds."""

from __future__ import annotations

from collections import defaultdict, deque
from statistics import median

Size = tuple[int, int]
MAX_MEASUREMENTS = 3  # measurements; the median ignores one that was disturbed


class Throughput:
    """Seconds per evaluation and input pixel, by model and kind of evaluation (such as `gradients`)."""

    def __init__(self) -> None:
        self._measurements: dict[tuple[str, ...], deque[float]] = defaultdict(lambda: deque(maxlen=MAX_MEASUREMENTS))

    def record(self, model: str, kind: tuple[str, ...], seconds: float, evaluations: int, size: Size) -> None:
        """Add a measurement: `evaluations` took `seconds` on inputs of this size."""
        self._measurements[model, *kind].append(seconds / evaluations / (size[0] * size[1]))

    def seconds(self, model: str, kind: tuple[str, ...], evaluations: int, size: Size) -> float | None:
        """The expected seconds of `evaluations`, by the median of the last measurements; None before the first."""
        measurements = self._measurements.get((model, *kind))
        return None if measurements is None else median(measurements) * evaluations * size[0] * size[1]
