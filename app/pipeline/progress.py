"""How far a long run is: one kind of bar for explain, batch, cluster, evaluate, downloads and the Python client.

Needs no torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Self

from rich import filesize, get_console
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)  # fmt: skip
from rich.text import Text

LINE_SECONDS = 10.0  # from one line to the next, where there is no terminal
SPEED_SECONDS = 300  # the time left is estimated from the speed in so many last seconds
BYTES = "bytes"


class ProgressBars:
    """Bars while the block lasts, each with its count, the time so far and the time left.

    Where there is no terminal, nor a notebook, a line every ten seconds and at the end of each.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console or get_console()
        self._live = self.console.is_terminal or self.console.is_jupyter
        self._progress = Progress(
            TextColumn("{task.description:28}"), BarColumn(), _CountColumn(), TimeElapsedColumn(), TextColumn("· left"),
            TimeRemainingColumn(), console=self.console, speed_estimate_period=SPEED_SECONDS, disable=not self._live,
            get_time=clock,
        )  # fmt: skip
        self._clock = clock
        self._told: dict[TaskID, float] = {}  # when a line was last printed; infinity after the last one

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def add(self, what: str, total: float | None, unit: str = "") -> TaskID:
        """A bar that ends at `total`, counted in `unit`. `total` is None if it is not known yet."""
        task = self._progress.add_task(what, total=total, unit=unit, item="")
        self._told[task] = self._clock()
        return task

    def update(
        self,
        task: TaskID,
        done: float | None = None,
        total: float | None = None,
        *,
        what: str | None = None,
        item: str | None = None,
    ) -> None:
        """How far it is now. `item`, the name of what is computed, is shown instead of the count."""
        fields = {} if item is None else {"item": item}
        self._progress.update(task, completed=done, total=total, description=what, **fields)  # type: ignore[arg-type]
        if not self._live:
            self._tell(self._progress.tasks[task])

    def finish(self, task: TaskID) -> None:
        """It is at its end, however far it was, and if nobody knew how far it would go."""
        total = self._progress.tasks[task].total
        self.update(task, done=1 if total is None else total, total=1 if total is None else None)

    def _tell(self, task: Task) -> None:
        now = self._clock()
        due = self._told[task.id] < float("inf") if task.finished else now - self._told[task.id] >= LINE_SECONDS
        if not due:
            return
        self._told[task.id] = float("inf") if task.finished else now
        parts = [f"{task.description.strip()}: {_count(task)}", f"{_duration(task.elapsed)} so far"]
        if task.finished:
            parts[1:] = [_duration(task.finished_time)]
        elif task.time_remaining is not None:
            parts.append(f"{_duration(task.time_remaining)} left")
        self.console.print(", ".join(parts), highlight=False, markup=False, soft_wrap=True)


class PanelBars:
    """The bars of one explanation: one for each map, and one for each metric of it; moved by what its events tell."""

    def __init__(self, bars: ProgressBars) -> None:
        self._bars = bars
        self._tasks: dict[tuple[str, str | None], TaskID] = {}  # by panel and metric
        self._methods: dict[str, str] = {}

    def accept(self, panels: Iterable[tuple[str, str, int]]) -> None:
        """The panels that will come: id, method, and cost in evaluations."""
        for id, method, cost in panels:
            self._methods[id] = method
            self._tasks[id, None] = self._bars.add(method, cost, "evaluations")

    def advance(self, panel: str, metric: str | None, done: int, total: int) -> None:
        """`done` of `total` evaluations of a panel, or of a metric of its map."""
        if (panel, metric) not in self._tasks:
            name = f"  {self._methods.get(panel, '')}: {metric}"
            self._tasks[panel, metric] = self._bars.add(name, total, "evaluations")
        self._bars.update(self._tasks[panel, metric], done, total)

    def finish(self, panel: str) -> None:
        """A panel is done, from the store perhaps."""
        self._bars.finish(self._tasks[panel, None])


class _CountColumn(ProgressColumn):
    """Done and total in a bar's unit, or the item that is computed."""

    def render(self, task: Task) -> Text:
        return Text(_count(task), style="progress.download")


def _count(task: Task) -> str:
    if task.fields["item"]:
        return str(task.fields["item"])
    done, total = task.completed, task.total
    if task.fields["unit"] == BYTES:
        speed = f", {filesize.decimal(int(task.speed))}/s" if task.speed and not task.finished else ""
        return f"{filesize.decimal(int(done))}/{'?' if total is None else filesize.decimal(int(total))}{speed}"
    return f"{done:.0f}/{'?' if total is None else f'{total:.0f}'} {task.fields['unit']}".rstrip()


def _duration(seconds: float | None) -> str:
    """h:mm:ss"""
    return str(timedelta(seconds=round(seconds or 0)))
