"""Progress bars for an explanation, one for each map."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..pipeline.progress import PanelBars, ProgressBars
from .events import Accepted, Advanced, Event, Finished, Listener


@contextmanager
def listener_for(progress: bool | Listener) -> Iterator[Listener]:
    """A context with the listener for `progress`: the given function, progress bars, or one that does nothing."""
    if callable(progress):
        yield progress
    elif progress:
        with ProgressBars() as bars:
            yield EventBars(bars)
    else:
        yield lambda event: None


class EventBars:
    """A listener that updates progress bars."""

    def __init__(self, bars: ProgressBars) -> None:
        self._panels = PanelBars(bars)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Accepted):
            self._panels.accept((panel.id, panel.method, panel.cost) for panel in event.panels)
        elif isinstance(event, Advanced):
            self._panels.advance(event.panel, event.metric, event.done, event.total)
        elif isinstance(event, Finished) and event.panel.status == "done":
            self._panels.finish(event.panel.id)
