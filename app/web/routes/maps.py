"""POST /explanations/{id}/maps: a map that was made elsewhere, beside ours."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile

from ...contract.arrays import npy
from ...contract.jobs import AddMap
from ...contract.problems import Unprocessable
from ...contract.records import Explanation
from ...contract.uploaded_map import MAX_MAPS, MAX_TITLE, checked_title, uploaded_values
from .dependencies import ExecutorDep, ExplanationId, OwnerDep, StoreDep, require_owner
from .forms import FormRoute
from .results import record_of
from .submit import run_for_client
from .uploads import only_fields

router = APIRouter(prefix="/api/v1/explanations", tags=["explanations"], route_class=FormRoute)
MapFile = Annotated[
    UploadFile | None,
    File(description="The map: .npy, (H, W) or (C, H, W) of real numbers, C = 1 or 3, of the size that the model saw"),
]


@router.post("/{id}/maps", response_model=Explanation, dependencies=[only_fields("map", "title", "panel")])
async def add_map(
    request: Request,
    executor: ExecutorDep,
    store: StoreDep,
    owner: OwnerDep,
    id: ExplanationId,
    map: MapFile = None,
    title: Annotated[str, Form(description=f"What people see beside it, at most {MAX_TITLE} characters")] = "",
    panel: Annotated[
        str, Form(max_length=40, description="The panel whose model and class it has; default: the first with a map")
    ] = "",
) -> Any:
    """Put a map that was made elsewhere beside ours; it is shown, compared, measured and exported like any other.

    Its panel is marked: the method is `uploaded-N`, the title stands in its parameters.
    """
    await asyncio.to_thread(require_owner, store, id, owner, "add a map to it")
    await asyncio.to_thread(record_of, store, id)
    if map is None:
        raise Unprocessable(
            f"map: send the file, with curl: -F map=@map.npy. An explanation takes {MAX_MAPS} of them.", field="map"
        )
    plain = checked_title(title)
    values = await asyncio.to_thread(uploaded_values, await map.read())
    return await run_for_client(request, executor, AddMap(id, npy(values), plain, panel), Explanation)
