"""How far an evaluation is: by evaluations, for pictures differ less than methods do."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from rich.progress import TaskID

from ..attribution.methods.base import Progress
from ..pipeline.progress import ProgressBars

T = TypeVar("T")


class EvaluationProgress:
    """A bar for each stage, moved by the weights (in forward passes) of what is done."""

    def __init__(self, bars: ProgressBars) -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._done = self._total = 0.0

    def begin(self, what: str, total: float) -> None:
        """A stage of that weight; the one before is over."""
        self.end()
        self._done, self._total = 0.0, total
        self._task = self._bars.add(what, total)

    def end(self) -> None:
        """The stage is over."""
        if self._task is not None:
            self._bars.update(self._task, self._total, self._total)

    def at(self, place: str) -> None:
        """Says which item it is at."""
        if self._task is not None:
            self._bars.update(self._task, place=place[-36:])

    def skip(self, weight: float) -> None:
        """That much needs not be done: it was before, or cannot be."""
        self._total -= weight
        self._update()

    def follow(self, steps: Generator[Progress, None, T], weight: float) -> T:
        """Run a computation of that weight to its end; what it raises is raised, and its weight is off the way."""
        began, whole = self._done, False
        try:
            while True:
                step = next(steps)
                self._done = began + weight * min(1.0, step.done / step.total if step.total else 1.0)
                self._update()
        except StopIteration as end:
            whole = True
            return end.value  # type: ignore[no-any-return]
        finally:
            steps.close()
            self._done = began + (weight if whole else 0)
            if not whole:
                self.skip(weight)
            self._update()

    def _update(self) -> None:
        if self._task is not None:
            self._bars.update(self._task, self._done, self._total)
