"""What a request asks for: panels, model × target × method, each checked before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from .attribution.base import Method, Parameters, find_method, methods
from .errors import Problem, Unprocessable
from .service.jobs import Estimate, Explain
from .settings import Settings
from .vision.preprocess import asked
from .zoo.classifier import Classifier
from .zoo.zoo import Zoo


@dataclass
class Panel:
    """One map to make: which method on which model for which of the targets asked for, or why not."""

    id: str
    model: str
    method: Method[Any]
    parameters: Parameters
    target: int | None
    against: int | None
    refusal: Problem | None = None
    record: dict[str, Any] = field(default_factory=dict)


def plan(job: Explain, zoo: Zoo, settings: Settings) -> list[Panel]:
    """The panels of a request, model × target × method; nothing is loaded for it.

    Raises `Problem` where a name, a parameter or their number is wrong.
    """
    chosen = choose_methods(job)
    models = tuple(dict.fromkeys(job.models)) or (settings.default_model,)
    for model in models:
        zoo.recipe(model)
    targets: tuple[int | None, ...] = tuple(dict.fromkeys(job.targets)) or (None,)
    count = len(models) * len(targets) * len(chosen)
    if count > settings.max_panels:
        raise Unprocessable(
            f"{count} panels (models × targets × methods) are asked for, the limit is {settings.max_panels}. "
            "Send several requests.",
            field="method",
        )
    panels = [
        Panel(f"p{number}", model, method, parameters, target, job.against)
        for number, (model, target, (method, parameters)) in enumerate(
            ((m, t, c) for m in models for t in targets for c in chosen), start=1
        )
    ]
    sizes = {model: asked(zoo.recipe(model).input, job.fit, job.size).size for model in models}
    check_work(panels, sizes, settings.max_work)
    return panels


def check_work(panels: list[Panel], sizes: dict[str, tuple[int, int]], limit: int) -> None:
    """Raise `Unprocessable` where a request is more work than one may be: evaluations × pixels, over all panels."""
    work = 0
    for panel in panels:
        height, width = sizes[panel.model]
        work += panel.method.cost(panel.parameters, (height, width)) * height * width
    if work > limit:
        raise Unprocessable(
            f"This is {work:,} gradient evaluations × pixels of input; the limit of one request is {limit:,}. Ask for "
            "fewer steps or samples, a smaller size, or fewer panels at once.",
            field="options",
        )


def examine(panels: list[Panel], job: Explain, classifier: Classifier) -> None:
    """Note at each panel of a model why it cannot be made, where that is so."""
    for panel in panels:
        panel.refusal = _refusal(panel, job, classifier)


def settle_targets(panels: list[Panel], believed: dict[str, int]) -> None:
    """Where no target was asked for, a panel explains its model's top class, `believed`.

    A top class that is asked for by its index too stays once. Raises the refusal where no panel is left.
    """
    for panel in panels:
        if panel.target is None and panel.model in believed:
            panel.target = believed[panel.model]
            if panel.target == panel.against:
                panel.refusal = Unprocessable(
                    f"against: class {panel.target} is the top class of {panel.model}, which is explained where no "
                    "target is named; name another target.",
                    field="against",
                )
    distinct = {(panel.model, panel.target, panel.method.id): panel for panel in reversed(panels)}
    panels[:] = [panel for panel in panels if distinct[panel.model, panel.target, panel.method.id] is panel]
    refuse_if_nothing_is_left(panels)


def refuse_if_nothing_is_left(panels: list[Panel]) -> None:
    """Raise the refusal where every panel has one."""
    refusals = [panel.refusal for panel in panels if panel.refusal]
    if len(refusals) < len(panels):
        return
    if len({refusal.status for refusal in refusals}) == 1 and not isinstance(refusals[0], Unprocessable):
        raise refusals[0]
    errors = {error["field"]: error for refusal in refusals for error in refusal.errors}
    raise Unprocessable(refusals[0].detail, errors=list(errors.values()))


def choose_methods(job: Explain | Estimate) -> list[tuple[Method[Any], Parameters]]:
    """The methods asked for, with checked parameters. Raises `Unprocessable` with each field that is at fault."""
    names = dict.fromkeys(job.methods) or [id for id, method in methods().items() if method.default]
    for name in (*names, *job.options):
        find_method(name)
    checked = {id: _parameters(find_method(id), job.options.get(id, {})) for id in {*names, *job.options}}
    return [(find_method(id), checked[id]) for id in names]


def _parameters(method: Method[Any], options: object) -> Parameters:
    try:
        return method.Parameters.model_validate(options)
    except ValidationError as error:
        errors = []
        for fault in error.errors():
            name = ".".join(("options", method.id, *map(str, fault["loc"])))
            errors.append({"field": name, "detail": f"{name}: {fault['msg']}."})
        raise Unprocessable(" ".join(e["detail"] for e in errors), errors=errors) from error


def _refusal(panel: Panel, job: Explain, classifier: Classifier) -> Problem | None:
    classes = len(classifier.labels)
    for name, index in (("target", panel.target), ("against", panel.against)):
        if index is not None and not 0 <= index < classes:
            return Unprocessable(f"{name}: class {index} is outside 0 … {classes - 1} of {panel.model}.", field=name)
    if panel.against is not None and job.score != "logit":
        return Unprocessable(f"against goes with score = logit, not with {job.score}.", field="against")
    if panel.against is not None and panel.against == panel.target:
        return Unprocessable(
            f"against: class {panel.against} is the target itself; take another class.", field="against"
        )
    try:
        panel.method.check(classifier, panel.parameters)
    except Problem as refusal:
        return refusal
    return None
