"""Events on their way to one client."""

from __future__ import annotations

import asyncio
from collections import deque

from ..contract.events import (
    AcceptedEvent,
    Event,
    MetricEvent,
    PanelEvent,
    PartialEvent,
    PredictionEvent,
    ProgressEvent,
)

ONCE = (AcceptedEvent, PredictionEvent, PanelEvent, MetricEvent)


class EventQueue:
    """A queue in which a newer `progress` or `partial` of a panel takes the place of one not yet read.

    So a slow reader costs a bounded amount of memory, and gets the newest. A retried job tells again what was told
    already: `accepted`, `prediction`, `panel` and `metric` pass once.
    """

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._told: set[tuple[str, ...]] = set()

    def put(self, event: Event) -> None:
        if isinstance(event, ProgressEvent | PartialEvent):
            for i, waiting in enumerate(self._events):
                if waiting.name == event.name and _about(waiting) == _about(event):
                    self._events[i] = event
                    return
        elif isinstance(event, ONCE) and not self._first_time(event):
            return
        self._events.append(event)
        self._arrived.set()

    async def get(self) -> Event:
        while not self._events:
            self._arrived.clear()
            await self._arrived.wait()
        return self._events.popleft()

    def _first_time(self, event: Event) -> bool:
        label = (event.name, *_about(event))
        if label in self._told:
            return False
        self._told.add(label)
        return True


def _about(event: Event) -> tuple[str, ...]:
    """What an event tells of: a panel, a metric of it, or a model."""
    match event:
        case PanelEvent():
            return (event.panel.id,)
        case MetricEvent():
            return event.panel, event.metric.metric
        case ProgressEvent():
            return event.panel, event.metric or ""
        case PartialEvent():
            return (event.panel,)
        case PredictionEvent():
            return (event.model,)
    return ()
