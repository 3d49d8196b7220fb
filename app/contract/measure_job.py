"""The job that measures a panel of an explanation that is there."""

from __future__ import annotations

from typing import cast

from .arrays import ScoreKind
from .jobs import Explain, Measure
from .problems import NotFound, Unprocessable
from .records import Explanation
from .wire import JsonObject


def measure_job(
    record: Explanation, panel: str, picture: bytes, metrics: tuple[str, ...], options: JsonObject, owner: str = ""
) -> Measure:
    """A job that makes only this panel, with the given metrics. Raises `NotFound` if there is no such panel,
    `Unprocessable` if it has no map."""
    panel_record = next((entry for entry in record.panels if entry.id == panel), None)
    if panel_record is None:
        listed = ", ".join(entry.id for entry in record.panels) or "none yet"
        raise NotFound(f"This explanation has no panel «{panel[:40]}». There are: {listed}.")
    if panel_record.status != "done" or panel_record.target is None:
        raise Unprocessable("This panel has no map, so there is nothing to measure. Its record says why.")
    model_input = next(entry for entry in record.inputs if entry.model == panel_record.model)
    request = Explain(
        id=record.id,
        picture=picture,
        models=(panel_record.model,),
        methods=(panel_record.method,),
        targets=(panel_record.target.index,),
        against=panel_record.against.index if panel_record.against else None,
        score=cast(ScoreKind, record.score),
        options={**options, panel_record.method: panel_record.parameters},
        seed=record.seed,
        fit=model_input.fit,
        size=(model_input.size[0], model_input.size[1]),
        owner=owner,
        metrics=metrics,
    )
    return Measure(request, panel)
