"""POST /predictions: the top classes of models; POST /estimates: what an explanation would cost."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request

from ...contract.estimates import Estimates
from ...contract.jobs import Estimate, Predict
from ...contract.parsing import parse_size
from ...contract.predictions import Predictions
from .dependencies import ExecutorDep, OwnerDep, SettingsDep, StoreDep
from .explanations import MetricNames, OptionsText, QualityName, parse_options
from .forms import FormRoute
from .submit import run_for_client
from .uploads import (
    FitName,
    ModelNames,
    Picture,
    Repeatable,
    SampleName,
    SizeText,
    SourceExplanation,
    only_fields,
    read_picture,
)

router = APIRouter(prefix="/api/v1", tags=["predictions"], route_class=FormRoute)


@router.post(
    "/predictions",
    response_model=Predictions,
    dependencies=[only_fields("image", "sample", "from", "model", "top_k", "fit", "size", repeatable=("model",))],
)
async def predict(
    request: Request,
    executor: ExecutorDep,
    store: StoreDep,
    owner: OwnerDep,
    image: Picture = None,
    sample: SampleName = None,
    source_explanation: SourceExplanation = None,
    model: ModelNames = None,
    top_k: Annotated[int, Form(ge=1, le=1000, description="Classes to tell for each model")] = 5,
    fit: FitName = None,
    size: SizeText = None,
) -> Any:
    """Top classes with probability and logit, for each model."""
    picture = await read_picture(store, owner, image, sample, source_explanation)
    job = Predict(picture, tuple(dict.fromkeys(model or ())), top_k, fit, parse_size(size), owner or "")
    return await run_for_client(request, executor, job, Predictions)


@router.post(
    "/estimates",
    response_model=Estimates,
    dependencies=[
        only_fields(
            "model", "method", "options", "quality", "size", "metrics", "timed", repeatable=("method", "metrics")
        )
    ],
    tags=["estimates"],
)
async def estimate(
    request: Request,
    executor: ExecutorDep,
    settings: SettingsDep,
    model: Annotated[str | None, Form(description="Id; the default model where none is named")] = None,
    method: Annotated[list[str] | None, Repeatable, Form(description="Repeatable; the six where none is named")] = None,
    options: OptionsText = "{}",
    quality: QualityName = None,
    size: SizeText = None,
    metrics: MetricNames = None,
    timed: Annotated[
        Literal["true", "false"],
        Form(description="`false`: the answer comes at once, with seconds only where they are known already"),
    ] = "true",
) -> Any:
    """Gradient evaluations and seconds of each method with these options, and of metrics of its map, before anything is
    computed. If a metric's throughput is not known yet, it is measured on a few pictures."""
    model_id = model or settings.default_model
    job = Estimate(
        model_id,
        tuple(method or ()),
        parse_options(options),
        parse_size(size),
        tuple(metrics or ()),
        timed == "true",
        quality,
    )
    return await run_for_client(request, executor, job, Estimates)
