"""Typed events of a running explanation, from a server's stream or from this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..contract import events
from ..contract.arrays import decode_map
from ..contract.metrics import MeasurementBody
from ..contract.predictions import PredictedClass
from ..contract.problems import problem_from_body
from ..contract.records import Explanation as Record
from ..contract.records import InputBody, PanelBody
from .results import Explanation


@dataclass(frozen=True)
class Planned:
    """A panel that will be computed: method, model, class (None: not known yet) and cost in evaluations."""

    id: str
    model: str
    method: str
    target: int | None
    cost: int


@dataclass(frozen=True)
class Accepted:
    """The request is valid; these panels will be computed."""

    id: str
    panels: tuple[Planned, ...]
    gradient_evaluations: int


@dataclass(frozen=True)
class Predicted:
    """A model's input and its top classes, best first."""

    model: str
    input: InputBody
    predictions: tuple[PredictedClass, ...]


@dataclass(frozen=True)
class Advanced:
    """`done` of `total` evaluations of a panel, or of a metric of its map."""

    panel: str
    done: int
    total: int
    metric: str | None = None


@dataclass(frozen=True, eq=False)
class Partial:
    """A panel's preliminary map, summed over channels with sign: (h, w), at most 112 on a side."""

    panel: str
    done: int
    total: int
    map: np.ndarray


@dataclass(frozen=True, eq=False)
class Finished:
    """A finished panel, with its map summed over channels with sign, (H, W); None if it has no map."""

    panel: PanelBody
    map: np.ndarray | None


@dataclass(frozen=True)
class Measured:
    """The result of a metric of a panel."""

    panel: str
    metric: MeasurementBody


@dataclass(frozen=True, eq=False)
class Done:
    """The last event: the explanation is complete."""

    explanation: Explanation


Event = Accepted | Predicted | Advanced | Partial | Finished | Measured | Done
Listener = Callable[[Event], object]


def client_event(event: events.Event, make_explanation: Callable[[Record], Explanation]) -> Event | None:
    """The event as the client has it; None for an unknown kind. Raises the problem of an `error`."""
    match event:
        case events.ErrorEvent():
            raise problem_from_body(event.problem)
        case events.AcceptedEvent():
            panels = (Planned(panel.id, panel.model, panel.method, panel.target, panel.cost) for panel in event.panels)
            return Accepted(event.id, tuple(panels), event.gradient_evaluations)
        case events.PredictionEvent():
            return Predicted(event.model, event.input, tuple(event.predictions))
        case events.ProgressEvent():
            return Advanced(event.panel, event.done, event.total, event.metric)
        case events.PartialEvent():
            return Partial(event.panel, event.done, event.total, decode_map(event.map))
        case events.PanelEvent():
            return Finished(event.panel, None if event.map is None else decode_map(event.map))
        case events.MetricEvent():
            return Measured(event.panel, event.metric)
        case events.DoneEvent():
            return Done(make_explanation(event.record))
    return None
