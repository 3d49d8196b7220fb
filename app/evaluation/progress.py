"""How far a run is, and how long it will still take."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from ..attribution.methods.base import Progress
from ..attribution.metrics.base import MetricCost

T = TypeVar("T")
BACKWARD = 2  # forward passes that a backward pass takes as long as
MEMORY = 300  # seconds that the pace is taken from


def weight(cost: MetricCost) -> int:
    """How long evaluations take, in forward passes."""
    return cost.forwards + (1 + BACKWARD) * cost.gradients


class EvaluationProgress:
    """A bar while the block lasts: by evaluations, for pictures differ less than methods do."""

    def __init__(self, console: Console) -> None:
        self.bars = Bars(
            TextColumn("{task.description}"), TextColumn("{task.fields[place]}"), BarColumn(), TimeElapsedColumn(),
            TextColumn("· left"), TimeRemainingColumn(), console=console, speed_estimate_period=MEMORY,
        )  # fmt: skip
        self._task: int | None = None
        self._done = self._total = 0.0

    def __enter__(self) -> EvaluationProgress:
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def begin(self, what: str, total: float) -> None:
        """A stage of that weight; the one before is over."""
        if self._task is not None:
            self.bars.update(self._task, completed=self._total, total=self._total)  # type: ignore[arg-type]
        self._done, self._total = 0.0, total
        self._task = self.bars.add_task(what, total=total, place="")

    def at(self, place: str) -> None:
        """Says which item it is at."""
        self._update(place=place[-36:])

    def skip(self, weight: float) -> None:
        """That much needs not be done: it was before, or cannot be."""
        self._total -= weight
        self._update(total=self._total)

    def follow(self, steps: Generator[Progress, None, T], weight: float) -> T:
        """Run a computation of that weight to its end; what it raises is raised, and its weight is off the way."""
        began, whole = self._done, False
        try:
            while True:
                step = next(steps)
                self._done = began + weight * min(1.0, step.done / step.total if step.total else 1.0)
                self._update(completed=self._done)
        except StopIteration as end:
            whole = True
            return end.value  # type: ignore[no-any-return]
        finally:
            steps.close()
            self._done = began + (weight if whole else 0)
            if not whole:
                self.skip(weight)
            self._update(completed=self._done)

    def _update(self, **fields: object) -> None:
        if self._task is not None:
            self.bars.update(self._task, **fields)  # type: ignore[arg-type]
