"""Progress bars of an explanation, one for each map."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .events import Accepted, Advanced, Event, Finished, Listener


@contextmanager
def listening(progress: bool | Listener) -> Iterator[Listener]:
    """Who is told of the events: a function, or bars that are there meanwhile, or nobody."""
    if callable(progress):
        yield progress
    elif progress:
        with _progress() as shown:
            yield ProgressBars(shown)
    else:
        yield lambda event: None


def _progress() -> Progress:
    return Progress(TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


class ProgressBars:
    """Moves the bars by the events that it is told."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._tasks: dict[Any, Any] = {}  # by panel, and by panel and metric
        self._methods: dict[str, str] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, Accepted):
            self._methods = {panel.id: panel.method for panel in event.panels}
            for panel in event.panels:
                self._tasks[panel.id] = self._shown.add_task(panel.method, total=panel.cost)
        elif isinstance(event, Advanced):
            if event.metric and (event.panel, event.metric) not in self._tasks:
                name = f"  {self._methods.get(event.panel, '')}: {event.metric}"
                self._tasks[event.panel, event.metric] = self._shown.add_task(name, total=event.total)
            task = self._tasks[(event.panel, event.metric) if event.metric else event.panel]
            self._shown.update(task, completed=event.done, total=event.total)
        elif isinstance(event, Finished) and event.panel.status == "done":
            task = self._tasks[event.panel.id]
            self._shown.update(task, completed=self._shown.tasks[task].total)
