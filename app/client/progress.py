"""Progress bars for an explanation, one for each map."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .events import Accepted, Advanced, Event, Finished, Listener


@contextmanager
def listener_for(progress: bool | Listener) -> Iterator[Listener]:
    """A context with the listener for `progress`: the given function, progress bars, or one that does nothing."""
    if callable(progress):
        yield progress
    elif progress:
        with _progress() as bars:
            yield ProgressBars(bars)
    else:
        yield lambda event: None


def _progress() -> Progress:
    return Progress(TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


class ProgressBars:
    """A listener that updates progress bars."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[Any, Any] = {}  # by panel id, and by panel id and metric
        self._methods: dict[str, str] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, Accepted):
            self._methods = {panel.id: panel.method for panel in event.panels}
            for panel in event.panels:
                self._tasks[panel.id] = self._bars.add_task(panel.method, total=panel.cost)
        elif isinstance(event, Advanced):
            if event.metric and (event.panel, event.metric) not in self._tasks:
                name = f"  {self._methods.get(event.panel, '')}: {event.metric}"
                self._tasks[event.panel, event.metric] = self._bars.add_task(name, total=event.total)
            task = self._tasks[(event.panel, event.metric) if event.metric else event.panel]
            self._bars.update(task, completed=event.done, total=event.total)
        elif isinstance(event, Finished) and event.panel.status == "done":
            task = self._tasks[event.panel.id]
            self._bars.update(task, completed=self._bars.tasks[task].total)
