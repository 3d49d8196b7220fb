"""The progress of `evaluate`. It counts forward passes and not pictures, because methods differ in cost."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from rich.progress import TaskID

from ..attribution.methods.base import Progress
from ..pipeline.progress import ProgressBars

T = TypeVar("T")


class EvaluationProgress:
    """A progress bar for each stage. A weight is the cost of a computation in forward passes, see `pipeline.cost`."""

    def __init__(self, bars: ProgressBars) -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._done = self._total = 0.0

    def start_stage(self, what: str, total: float) -> None:
        """Start a stage with this total weight; the previous one is complete."""
        self.end()
        self._done, self._total = 0.0, total
        self._task = self._bars.add(what, total)

    def end(self) -> None:
        """Complete the current stage."""
        if self._task is not None:
            self._bars.update(self._task, self._total, self._total)

    def show_item(self, item: str) -> None:
        """Show which item is being computed."""
        if self._task is not None:
            self._bars.update(self._task, item=item[-36:])

    def skip(self, weight: float) -> None:
        """Take a weight off the total: it was computed before, or cannot be computed."""
        self._total -= weight
        self._update()

    def run(self, steps: Generator[Progress, None, T], weight: float) -> T:
        """Run a computation and return its result. If it raises, its weight is taken off the total."""
        before, complete = self._done, False
        try:
            while True:
                step = next(steps)
                self._done = before + weight * min(1.0, step.done / step.total if step.total else 1.0)
                self._update()
        except StopIteration as stop:
            complete = True
            return stop.value  # type: ignore[no-any-return]
        finally:
            steps.close()
            self._done = before + (weight if complete else 0)
            if not complete:
                self.skip(weight)
            self._update()

    def _update(self) -> None:
        if self._task is not None:
            self._bars.update(self._task, self._done, self._total)
