"""POST /gradient-flows: how large the gradient is at each layer of a model."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request

from ...contract.arrays import ScoreKind
from ...contract.flows import GradientFlow
from ...contract.jobs import Flow
from ...contract.parsing import parse_size
from .dependencies import ExecutorDep, OwnerDep, SettingsDep, StoreDep
from .explanations import ClassText, Target
from .forms import FormRoute
from .submit import run_for_client
from .uploads import FitName, Picture, SampleName, SizeText, SourceExplanation, only_fields, read_picture

router = APIRouter(prefix="/api/v1", tags=["gradient flow"], route_class=FormRoute)


@router.post(
    "/gradient-flows",
    response_model=GradientFlow,
    dependencies=[only_fields("image", "sample", "from", "model", "target", "against", "score", "fit", "size")],
)
async def flow(
    request: Request,
    executor: ExecutorDep,
    store: StoreDep,
    owner: OwnerDep,
    settings: SettingsDep,
    image: Picture = None,
    sample: SampleName = None,
    source_explanation: SourceExplanation = None,
    model: Annotated[str | None, Form(description="Id; the default model where none is named")] = None,
    target: Annotated[
        Target, Form(description="Class index or unique label; `top`, or none at all, is the model's top class")
    ] = None,
    against: Annotated[
        ClassText, Form(description="Class index or label: the score is logit(target) − logit(against)")
    ] = None,
    score: Annotated[ScoreKind, Form(description="The number whose gradient is looked at")] = "logit",
    fit: FitName = None,
    size: SizeText = None,
) -> Any:
    """Where the gradient vanishes: its norm at every layer, dead and saturated activations, and how much
    of the gradient each pooling passes on. Takes one pass. Nothing is kept."""
    picture = await read_picture(store, owner, image, sample, source_explanation)
    chosen = model or settings.default_model
    job = Flow(picture, chosen, target, against, score, fit, parse_size(size), owner or "")
    return await run_for_client(request, executor, job, GradientFlow)
