"""A progress bar for evaluations, with the remaining time."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from ..attribution.methods.base import Progress
from ..attribution.metrics.base import MetricCost

T = TypeVar("T")
BACKWARD_WEIGHT = 2  # a backward pass takes as long as so many forward passes
SPEED_SECONDS = 300  # the speed is estimated from so many last seconds


def weight(cost: MetricCost) -> int:
    """The duration of evaluations, in forward passes."""
    return cost.forwards + (1 + BACKWARD_WEIGHT) * cost.gradients


class EvaluationProgress:
    """A progress bar, shown inside its context. It counts evaluations, because methods differ more than pictures."""

    def __init__(self, console: Console) -> None:
        self.bars = Bars(
            TextColumn("{task.description}"), TextColumn("{task.fields[place]}"), BarColumn(), TimeElapsedColumn(),
            TextColumn("· left"), TimeRemainingColumn(), console=console, speed_estimate_period=SPEED_SECONDS,
        )  # fmt: skip
        self._task: int | None = None
        self._done = self._total = 0.0

    def __enter__(self) -> EvaluationProgress:
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def start_stage(self, what: str, total: float) -> None:
        """Start a stage with this total weight; the previous one is complete."""
        if self._task is not None:
            self.bars.update(self._task, completed=self._total, total=self._total)  # type: ignore[arg-type]
        self._done, self._total = 0.0, total
        self._task = self.bars.add_task(what, total=total, item="")

    def show_item(self, item: str) -> None:
        """Show which item is being computed."""
        self._update(item=item[-36:])

    def skip(self, weight: float) -> None:
        """Take a weight off the total: it was computed before, or cannot be computed."""
        self._total -= weight
        self._update(total=self._total)

    def run(self, steps: Generator[Progress, None, T], weight: float) -> T:
        """Run a computation and return its result. If it raises, its weight is taken off the total."""
        before, complete = self._done, False
        try:
            while True:
                step = next(steps)
                self._done = before + weight * min(1.0, step.done / step.total if step.total else 1.0)
                self._update(completed=self._done)
        except StopIteration as stop:
            complete = True
            return stop.value  # type: ignore[no-any-return]
        finally:
            steps.close()
            self._done = before + (weight if complete else 0)
            if not complete:
                self.skip(weight)
            self._update(completed=self._done)

    def _update(self, **fields: object) -> None:
        if self._task is not None:
            self.bars.update(self._task, **fields)  # type: ignore[arg-type]
