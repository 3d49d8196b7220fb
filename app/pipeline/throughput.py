"""How long evaluations take on each model, as it was last measured: what an estimate in seconds rests on."""

from __future__ import annotations

from collections import defaultdict, deque
from statistics import median

Size = tuple[int, int]
REMEMBERED = 3  # measurements: one that something else disturbed does not count in the median


class Throughput:
    """Seconds for an evaluation, per input pixel, by the model and what was evaluated (such as `gradients`)."""

    def __init__(self) -> None:
        self._paces: dict[tuple[str, ...], deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))

    def learn(self, model: str, what: tuple[str, ...], seconds: float, evaluations: int, size: Size) -> None:
        """So many evaluations took so long."""
        self._paces[model, *what].append(seconds / evaluations / (size[0] * size[1]))

    def seconds(self, model: str, what: tuple[str, ...], evaluations: int, size: Size) -> float | None:
        """What so many evaluations will take, by the median of the last measurements; None before the first."""
        paces = self._paces.get((model, *what))
        return None if paces is None else median(paces) * evaluations * size[0] * size[1]
