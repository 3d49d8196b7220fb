"""Minimal records and events for tests, with dummy values."""

from __future__ import annotations

from typing import Any

from gradoscope.contract.arrays import EncodedMap
from gradoscope.contract.catalogue import Catalogue, LayerBody, ModelBody, WeightsBody
from gradoscope.contract.events import (
    AcceptedEvent,
    DoneEvent,
    PanelEvent,
    PartialEvent,
    PlannedPanelBody,
    PredictionEvent,
    ProgressEvent,
)
from gradoscope.contract.experiment_events import ExperimentDoneEvent
from gradoscope.contract.experiments import ExperimentResult
from gradoscope.contract.predictions import ClassBody
from gradoscope.contract.records import Explanation, ImageBody, InputBody, PanelBody, PanelUrls


def panel_record(id: str = "p1", **given: Any) -> PanelBody:
    known = {
        "id": id, "status": "done", "model": "m", "method": "f", "target": ClassBody(index=0, label="zero"),
        "against": None, "parameters": {}, "shape": None, "statistics": None, "diagnostics": {}, "seconds": 0.1,
        "from_store": False, "urls": PanelUrls(npy=None, png=None), "metrics": {}, "problem": None,
    }  # fmt: skip
    return PanelBody(**known | given)


def input_record(model: str = "m", **given: Any) -> InputBody:
    known = {"model": model, "size": [8, 8], "fit": "crop", "crop": [0, 0, 8, 8], "url": "", "predictions": []}
    return InputBody(**known | given)


def explanation(id: str = "x", *panels: PanelBody, **given: Any) -> Explanation:
    known = {
        "id": id, "url": f"/e/{id}", "status": "done", "problem": None, "seed": 0, "score": "logit", "seconds": 0.0,
        "versions": {"gradoscope": "0"}, "image": ImageBody(width=8, height=8), "inputs": [], "panels": list(panels),
    }  # fmt: skip
    return Explanation(**known | given)


def accepted(evaluations: int = 1, id: str = "x", **costs: int) -> AcceptedEvent:
    panels = [PlannedPanelBody(id=panel, model="m", method="f", target=0, cost=cost) for panel, cost in costs.items()]
    return AcceptedEvent(id=id, panels=panels, gradient_evaluations=evaluations)


def prediction(model: str = "m") -> PredictionEvent:
    return PredictionEvent(model=model, input=input_record(model), predictions=[])


def progress(panel: str, done: int, total: int = 1000) -> ProgressEvent:
    return ProgressEvent(panel=panel, done=done, total=total)


def partial(panel: str, done: int) -> PartialEvent:
    drawn = EncodedMap(shape=[0, 0], dtype="float16", scale=0.0, data="")
    return PartialEvent(panel=panel, done=done, total=1000, map=drawn)


def panel_event(id: str = "p1") -> PanelEvent:
    return PanelEvent(panel=panel_record(id), map=None)


def done(id: str = "x", **given: Any) -> DoneEvent:
    return DoneEvent(record=explanation(id, **given))


def model_row(id: str, layers: list[str] | None = None, bytes: int = 1, availability: str = "ready") -> ModelBody:
    return ModelBody(
        id=id, title=id, architecture="", source="file", licence="", url="", paper=None, accuracy=None,
        input_size=[8, 8], channels=3, fit="crop", classes=2, parameters=None, availability=availability, remedy=None,
        weights=WeightsBody(file="f", bytes=bytes, sha256=None),
        layers=layers and [LayerBody(name=name, shape=[1, 1, 1], default=True) for name in layers],
    )  # fmt: skip


def catalogue(*models: ModelBody) -> Catalogue:
    return Catalogue(default="none", downloads="none", models=list(models), faults=[], methods=[], metrics=[])


def experiment_done(**numbers: Any) -> ExperimentDoneEvent:
    """The last event of an experiment that has found these numbers."""
    result = ExperimentResult(
        id="graph", parameters={}, seed=0, seconds=0.1, numbers=numbers, figures=[], findings=[], versions={}
    )
    return ExperimentDoneEvent(result=result)
