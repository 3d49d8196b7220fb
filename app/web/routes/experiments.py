"""The lab: GET /experiments lists them, POST /experiments/{id} runs one."""

from __future__ import annotations

import json
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from ...contract.experiments import ExperimentRequest, ExperimentResult, Experiments
from ...contract.jobs import RunExperiment
from ...contract.parsing import parse_json
from ...contract.problems import Unprocessable
from ...lab.arguments import as_json, check_seconds, checked_parameters, checked_request
from ...lab.registry import experiments, find_experiment
from ...lab.wording import described
from .dependencies import ExecutorDep, OwnerDep, SettingsDep
from .explanations import negotiate, stream
from .forms import has_body, media_type
from .submit import run_for_client

router = APIRouter(prefix="/api/v1/experiments", tags=["lab"])
JSON = "application/json"
ExperimentId = Annotated[str, Path(description="Id of an experiment", max_length=200)]


@router.get("", response_model=Experiments)
async def list_experiments() -> Any:
    """Experiments on gradients, each with its question, the JSON Schema of its parameters, and what to try."""
    return Response(_listed(), media_type=JSON)


@cache
def _listed() -> str:
    return json.dumps(Experiments(experiments=[described(one) for one in experiments().values()]).to_dict())


@router.post(
    "/{id}",
    response_model=ExperimentResult,
    openapi_extra={"requestBody": {"content": {JSON: {"schema": ExperimentRequest.model_json_schema()}}}},
    responses={
        200: {
            "description": "Numbers, figures and findings, when all is done; or, by `Accept`, events as they happen",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def run(request: Request, executor: ExecutorDep, owner: OwnerDep, settings: SettingsDep, id: ExperimentId) -> Any:
    """Run an experiment. Closing the connection ends the computation."""
    experiment = find_experiment(id)
    asked = checked_request(await _json_body(request))
    parameters = checked_parameters(experiment, asked.parameters)
    check_seconds(experiment, parameters, settings.deadline)
    job = RunExperiment(experiment.id, as_json(parameters), asked.seed, owner or "")
    if negotiate(request.headers.get("accept", "")) == "text/event-stream":
        return await stream(request, executor, job)
    result = await run_for_client(request, executor, job, ExperimentResult)
    return Response(json.dumps(result.to_dict()), media_type=JSON)


async def _json_body(request: Request) -> object:
    """The body of a request as JSON; an empty one asks for the defaults. Raises `Unprocessable`."""
    for name in request.query_params:
        if name in ExperimentRequest.model_fields:
            raise Unprocessable(
                f"{name} stands in the address, where it is not read. Send it in the body, which is JSON.", field=name
            )
    if not has_body(request):
        return {}
    kind = media_type(request)
    if kind != JSON:
        raise Unprocessable(
            f"The body is {kind[:80] or 'of no kind that is named'}, and only {JSON} is read here. With curl: -H "
            f"'content-type: {JSON}' -d '{{\"parameters\": {{}}, \"seed\": 0}}'.",
            field="body",
        )
    try:
        return parse_json((await request.body()).decode("utf-8-sig") or "{}")
    except ValueError as error:
        raise Unprocessable(f"The body is not valid JSON: {str(error)[:120]}.", field="body") from error
