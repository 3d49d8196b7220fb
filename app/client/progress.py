"""Progress bars of an explanation, one for each map."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..pipeline.progress import PanelBars, ProgressBars
from .events import Accepted, Advanced, Event, Finished, Listener


@contextmanager
def listening(progress: bool | Listener) -> Iterator[Listener]:
    """Who is told of the events: a function, or bars that are there meanwhile, or nobody."""
    if callable(progress):
        yield progress
    elif progress:
        with ProgressBars() as bars:
            yield EventBars(bars)
    else:
        yield lambda event: None


class EventBars:
    """Moves the bars by the events that it is told."""

    def __init__(self, bars: ProgressBars) -> None:
        self._panels = PanelBars(bars)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Accepted):
            self._panels.accept((panel.id, panel.method, panel.cost) for panel in event.panels)
        elif isinstance(event, Advanced):
            self._panels.advance(event.panel, event.metric, event.done, event.total)
        elif isinstance(event, Finished) and event.panel.status == "done":
            self._panels.finish(event.panel.id)
