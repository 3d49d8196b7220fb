"""The queue of events for one client."""

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
from ..contract.experiment_events import ExperimentAcceptedEvent, ExperimentPartialEvent, ExperimentProgressEvent

ONCE = (AcceptedEvent, PredictionEvent, PanelEvent, MetricEvent, ExperimentAcceptedEvent)
REPLACED = (ProgressEvent, PartialEvent, ExperimentProgressEvent, ExperimentPartialEvent)


class EventQueue:
    """A queue in which a newer `progress` or `partial` of a panel, or of an experiment, replaces an unread older one.

    So a slow reader costs bounded memory and gets the newest state. A retried job sends events again that the client
    already has: `accepted`, `prediction`, `panel` and `metric` pass only once.
    """

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._seen: set[tuple[str, ...]] = set()

    def put(self, event: Event) -> None:
        if isinstance(event, REPLACED):
            for i, waiting in enumerate(self._events):
                if waiting.name == event.name and _topic(waiting) == _topic(event):
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
        key = (event.name, *_topic(event))
        if key in self._seen:
            return False
        self._seen.add(key)
        return True


def _topic(event: Event) -> tuple[str, ...]:
    """The ids of what an event is about: a panel, a metric of it, or a model."""
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
