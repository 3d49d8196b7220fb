"""Maps that were made elsewhere: put beside ours, and measured like them."""

from __future__ import annotations

import io

import numpy as np
from pydantic import Field

from ..attribution.engine import Engine
from ..attribution.errors import Refused
from ..attribution.methods.base import Method, Parameters, Steps
from ..attribution.metrics.base import CostInputs
from ..contract.arrays import statistics
from ..contract.events import DoneEvent
from ..contract.jobs import AddMap, Measure
from ..contract.packed_map import pack_map
from ..contract.problems import NotFound, Unprocessable
from ..contract.records import Explanation, MapFacts, PanelBody, PanelUrls
from ..contract.uploaded_map import MAX_MAPS, UPLOADED, is_uploaded
from ..storage.records import load_record
from ..storage.store import deleted_problem
from ..storage.stores import AnyStore
from .context import Context
from .cost import panel_cost
from .plan import PlannedPanel, check_work, choose_metrics
from .turns import Run


class UploadedParameters(Parameters):
    title: str = Field("", title="Title", description="What people see beside the map")


class UploadedMap(Method[UploadedParameters]):
    """A map that was made elsewhere. It can be looked at and measured, and not be made anew."""

    title, year = "Uploaded map", 0
    summary, strengths, weaknesses = "A map that was made elsewhere.", (), ()
    differentiates = False
    Parameters = UploadedParameters

    def cost(self, parameters: UploadedParameters, size: tuple[int, int]) -> int:
        return 0

    def attribute(self, engine: Engine, picture: object, parameters: UploadedParameters, seed: int) -> Steps:
        raise Refused(
            f"The map «{parameters.title}» was uploaded, and only what made it can make it anew, as this metric "
            "asks for."
        )
        yield


def uploaded_method(id: str, channels: int) -> UploadedMap:
    """The method of an uploaded map. One of a single channel is ordered by its values, one of colours by Σ|·|."""
    made: type[UploadedMap] = type("UploadedMap", (UploadedMap,), {"id": id, "single_channel": channels == 1})
    return made()


def uploaded_key(store: AnyStore, explanation: str, panel: str) -> str:
    """The store's key of an uploaded map: no other explanation has it."""
    return store.key(UPLOADED, explanation, panel)


def add_map(job: AddMap, context: Context) -> Run:
    """Put an uploaded map beside those of an explanation. Raises `Problem`."""
    name = context.store.pin(job.id)
    try:
        record = load_record(context.store, job.id)
        if record is None:
            raise deleted_problem()
        beside = _beside(record, job.beside)
        values = np.load(io.BytesIO(job.values), allow_pickle=False)
        _check_size(values, record, beside)
        number = 1 + sum(is_uploaded(panel.method) for panel in record.panels)
        if number > MAX_MAPS:
            raise Unprocessable(f"map: this explanation has {MAX_MAPS} uploaded maps, which is the limit.", field="map")
        facts = MapFacts(
            shape=list(values.shape), statistics=statistics(values), diagnostics={UPLOADED: True}, seconds=0.0
        )
        panel = f"u{number}"
        context.store.put(
            job.id, f"panel:{panel}", uploaded_key(context.store, job.id, panel), pack_map(values), facts.to_dict()
        )
        record.panels.append(_panel(job, panel, f"{UPLOADED}-{number}", beside, facts))
        context.store.update(job.id, record.to_dict())
    finally:
        context.store.unpin(job.id, name)
    yield DoneEvent(record=record)


def _beside(record: Explanation, wanted: str) -> PanelBody:
    """The panel whose model and class an uploaded map has: the one that is named, or the first that has a map."""
    if record.status == "running":
        raise Unprocessable("This explanation is still being computed. Upload the map when it is done.")
    done = [panel for panel in record.panels if panel.status == "done" and panel.target is not None]
    found = next((panel for panel in done if wanted in ("", panel.id)), None)
    if found is None:
        listed = ", ".join(panel.id for panel in done) or "none"
        raise NotFound(f"This explanation has no map «{wanted[:40]}» to put another beside. There are: {listed}.")
    return found


def _check_size(values: np.ndarray, record: Explanation, beside: PanelBody) -> None:
    size = next((seen.size for seen in record.inputs if seen.model == beside.model), None)
    if size is not None and list(values.shape[1:]) != size:
        raise Unprocessable(
            f"map: it is {values.shape[1]} × {values.shape[2]} (height × width), and {beside.model} saw {size[0]} × "
            f"{size[1]} pixels. Resize it to that; inputs/{beside.model}.png of this explanation is what it saw.",
            field="map",
        )


def _panel(job: AddMap, id: str, method: str, beside: PanelBody, facts: MapFacts) -> PanelBody:
    url = f"/api/v1/explanations/{job.id}/panels/{id}"
    return PanelBody(
        id=id,
        status="done",
        model=beside.model,
        method=method,
        target=beside.target,
        against=beside.against,
        parameters={"title": job.title},
        shape=facts.shape,
        statistics=facts.statistics,
        diagnostics=facts.diagnostics,
        seconds=0.0,
        from_store=False,
        urls=PanelUrls(npy=f"{url}.npy", png=f"{url}.png"),
        metrics={},
        problem=None,
    )


def plan_uploaded(job: Measure, context: Context) -> PlannedPanel:
    """The panel of an uploaded map that is to be measured. Raises `Problem`."""
    request, record = job.request, load_record(context.store, job.id)
    panel = next((panel for panel in record.panels if panel.id == job.panel), None) if record else None
    if panel is None or panel.shape is None or panel.target is None:
        raise deleted_problem()
    method = uploaded_method(panel.method, panel.shape[0])
    against = panel.against.index if panel.against else None
    parameters = UploadedParameters(title=str(panel.parameters.get("title", "")))
    planned = PlannedPanel(
        panel.id, panel.model, method, parameters, panel.target.index, against, metrics=choose_metrics(request)
    )
    height, width = panel.shape[-2:]
    labels = context.zoo.labels(panel.model)
    inputs = CostInputs(method, parameters, (height, width), len(labels))
    check_work([panel_cost(inputs, planned.metrics)], context.settings.max_work)
    return planned
