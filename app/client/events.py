"""Typed events of a running explanation, from a server's stream or from this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..contract.arrays import decode_map
from ..contract.problems import problem_from_dict
from ..contract.schemas import InputBody, MeasurementBody, PanelBody, PredictedClass
from .results import Explanation


@dataclass(frozen=True)
class Planned:
    """A panel that will be computed: method, model, class (None: not known yet) and cost in gradient evaluations."""

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


def parse_event(
    name: str, data: dict[str, Any], make_explanation: Callable[[dict[str, Any]], Explanation]
) -> Event | None:
    """Parse an event of the wire format; None for an unknown kind. Raises the problem of an `error`."""
    if name == "error":
        raise problem_from_dict(data)
    if name == "accepted":
        panels = tuple(Planned(**{key: panel[key] for key in Planned.__annotations__}) for panel in data["panels"])
        return Accepted(data["id"], panels, data["gradient_evaluations"])
    if name == "prediction":
        model_input = InputBody.model_validate(data["input"])
        return Predicted(data["model"], model_input, tuple(model_input.predictions))
    if name == "progress":
        return Advanced(data["panel"], data["done"], data["total"], data.get("metric"))
    if name == "metric":
        return Measured(data["panel"], MeasurementBody.model_validate(data["metric"]))
    if name == "partial":
        return Partial(data["panel"], data["done"], data["total"], decode_map(data["map"]))
    if name == "panel":
        encoded = data.get("map")
        return Finished(PanelBody.model_validate(data["panel"]), None if encoded is None else decode_map(encoded))
    return Done(make_explanation(data)) if name == "done" else None
