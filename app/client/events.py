"""What is told while an explanation is made, typed: by a server's stream, or to `progress` without one."""

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
    """A panel that will come: which method on which model for which class (None: not settled), at what cost."""

    id: str
    model: str
    method: str
    target: int | None
    cost: int


@dataclass(frozen=True)
class Accepted:
    """The question is right, and this is what will be made of it."""

    id: str
    panels: tuple[Planned, ...]
    gradient_evaluations: int


@dataclass(frozen=True)
class Predicted:
    """What a model sees and believes, best first."""

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
    """A panel's map as it is so far, summed over channels with sign: (h, w), at most 112 on a side."""

    panel: str
    done: int
    total: int
    map: np.ndarray


@dataclass(frozen=True, eq=False)
class Finished:
    """What came of a panel; its map summed over channels with sign, (H, W), None where it has none."""

    panel: PanelBody
    map: np.ndarray | None


@dataclass(frozen=True)
class Measured:
    """What came of a metric of a panel."""

    panel: str
    metric: MeasurementBody


@dataclass(frozen=True, eq=False)
class Done:
    """The end: everything is there."""

    explanation: Explanation


Event = Accepted | Predicted | Advanced | Partial | Finished | Measured | Done
Listener = Callable[[Event], object]


def typed(name: str, data: dict[str, Any], whole: Callable[[dict[str, Any]], Explanation]) -> Event | None:
    """An event as it goes over the wire; None for a kind that is not known here. Raises the problem of an `error`."""
    if name == "error":
        raise problem_from_dict(data)
    if name == "accepted":
        panels = tuple(Planned(**{key: panel[key] for key in Planned.__annotations__}) for panel in data["panels"])
        return Accepted(data["id"], panels, data["gradient_evaluations"])
    if name == "prediction":
        seen = InputBody.model_validate(data["input"])
        return Predicted(data["model"], seen, tuple(seen.predictions))
    if name == "progress":
        return Advanced(data["panel"], data["done"], data["total"], data.get("metric"))
    if name == "metric":
        return Measured(data["panel"], MeasurementBody.model_validate(data["metric"]))
    if name == "partial":
        return Partial(data["panel"], data["done"], data["total"], decode_map(data["map"]))
    if name == "panel":
        drawn = data.get("map")
        return Finished(PanelBody.model_validate(data["panel"]), None if drawn is None else decode_map(drawn))
    return Done(whole(data)) if name == "done" else None
