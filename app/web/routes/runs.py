"""POST /runs: what the file of a run says that `gradoscope.watch` recorded."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, File, Response, UploadFile

from ...contract.experiments import ExperimentResult
from ...contract.problems import Unprocessable
from ...lab.runs.record import FIELD, MAX_BYTES
from ...lab.runs.report import report
from .forms import FormRoute
from .uploads import only_fields

router = APIRouter(prefix="/api/v1/runs", tags=["lab"], route_class=FormRoute)
RunFile = Annotated[
    UploadFile | None,
    File(description=f"The file that gradoscope.watch wrote, JSON lines, at most {MAX_BYTES // 2**20} MiB"),
]


@router.post("", response_model=ExperimentResult, dependencies=[only_fields("run")])
async def read(run: RunFile = None) -> Any:
    """Figures, numbers and findings of a run, in the shape of an experiment's result. Nothing is kept."""
    if run is None:
        raise Unprocessable("run: send the file, with curl: -F run=@run.jsonl.", field=FIELD)
    data = await run.read(MAX_BYTES + 1)
    return Response(await asyncio.to_thread(_report, data), media_type="application/json")


def _report(data: bytes) -> str:
    return json.dumps(report(data).to_dict())
