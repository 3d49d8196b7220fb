"""Plans the panels of a request, model × target × method, and checks them before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ..attribution.classifier import Classifier
from ..attribution.errors import AttributionError
from ..attribution.methods.base import Method, Parameters, find_method, methods
from ..attribution.metrics.base import CostInputs, Metric, MetricCost, find_metric, metrics
from ..attribution.shared_gradients import Walk
from ..contract.jobs import Estimate, Explain, Quality
from ..contract.parsing import did_you_mean, invalid_fields, value_fault
from ..contract.problems import Problem, Unprocessable
from ..contract.records import PanelBody
from ..images.preprocess import requested_input
from ..settings import Settings
from ..zoo.loader import LoadedModel
from ..zoo.zoo import Zoo
from .classes import class_index, class_problem
from .cost import PanelCost, inputs_of, panel_cost
from .problems import as_problem, library_errors_as_problems
from .throughput import Size

ALL = "all"  # stands for every metric
# a metric with its checked parameters
Chosen = tuple[Metric[Any], Parameters]


@dataclass
class PlannedPanel:
    """A panel to compute: a method on a model for a target class, or the reason why it is refused."""

    id: str
    model: str
    method: Method[Any]
    parameters: Parameters
    target: int | None
    against: int | None
    refusal: Problem | None = None
    unknown_class: Problem | None = None  # its model has no class of the label that was asked for
    record: PanelBody | None = None  # set when the panel is computed, refused or failed
    metrics: tuple[Chosen, ...] = ()  # to be measured on its map

    @property
    def walks(self) -> tuple[Walk, ...]:
        """Where its map takes gradients along paths."""
        return self.method.walks(self.parameters)

    def cost(self, classifier: Classifier) -> PanelCost:
        """What its map and metrics cost on its model, which is loaded."""
        return panel_cost(inputs_of(self.method, self.parameters, classifier), self.metrics)

    def map_cost(self, size: Size) -> MetricCost:
        """What its map costs for inputs of that size, loaded or not."""
        return CostInputs(self.method, self.parameters, size, classes=0).map_cost  # a map's cost needs no classes


def plan(job: Explain, zoo: Zoo, settings: Settings) -> list[PlannedPanel]:
    """The panels of a request, model × target × method. Loads no model.

    Raises `Problem` if a name or parameter is wrong, or there are too many panels.
    """
    if fault := value_fault(job.options):  # options of a caller in this process; REST and command line refuse earlier
        raise Unprocessable(f"options: it {fault}.", field="options")
    chosen, measured = choose_methods(job), choose_metrics(job)
    models = tuple(dict.fromkeys(job.models)) or (settings.default_model,)
    for model in models:
        zoo.spec(model)
    targets = tuple(dict.fromkeys(job.targets)) or (None,)
    count = len(models) * len(targets) * len(chosen)
    if count > settings.max_panels:
        raise Unprocessable(
            f"{count} panels (models × targets × methods) are asked for, the limit is {settings.max_panels} "
            "(GRADOSCOPE_MAX_PANELS). Ask for fewer at once.",
            field="method",
        ).coded("too_many_panels", count=count, limit=settings.max_panels)
    panels = []
    for model, target in ((model, target) for model in models for target in targets):
        labels = zoo.labels(model)
        index = against = unknown = None
        try:
            index = class_index(target, model, labels, "target")
            against = class_index(job.against, model, labels, "against")
        except Problem as problem:
            unknown = problem
        panels += [
            PlannedPanel(
                "", model, method, parameters, index, against, refusal=unknown, unknown_class=unknown, metrics=measured
            )
            for method, parameters in chosen
        ]
    for number, panel in enumerate(panels, start=1):
        panel.id = f"p{number}"
    if all(panel.unknown_class for panel in panels):
        raise_if_none_left(panels)
    sizes = {model: requested_input(zoo.spec(model).input, job.fit, job.size).size for model in models}
    classes = {model: len(zoo.labels(model)) if measured else 0 for model in models}
    known = (CostInputs(p.method, p.parameters, sizes[p.model], classes[p.model]) for p in panels)
    check_work((panel_cost(inputs, measured) for inputs in known), settings.max_work)
    return panels


def check_work(costs: Iterable[PanelCost], limit: int) -> None:
    """Raise `Unprocessable` if a request is too much work: evaluations × pixels, over all panels."""
    work = sum(cost.work for cost in costs)
    if work > limit:
        raise Unprocessable(
            f"This is {work:,} gradient evaluations × pixels of input; the limit of one request is {limit:,}. Ask for "
            "fewer steps or samples, a smaller size, or fewer panels or metrics at once.",
            field="options",
        ).coded("too_much_work", work=work, limit=limit)


def check_panels(panels: list[PlannedPanel], job: Explain, model: LoadedModel) -> None:
    """Set the refusal of each panel that this model cannot make."""
    for panel in panels:
        panel.refusal = panel.unknown_class or _refusal(panel, job, model)


def set_targets(panels: list[PlannedPanel], top_classes: dict[str, int]) -> None:
    """Set the target of panels without one to the top class of their model, from `top_classes`.

    If that class is also requested by its index, only one of the panels stays. Raises the refusal if no panel is left.
    """
    for panel in panels:
        if panel.target is None and panel.unknown_class is None and panel.model in top_classes:
            panel.target = top_classes[panel.model]
            if panel.target == panel.against:
                panel.refusal = Unprocessable(
                    f"against: class {panel.target} is the top class of {panel.model}, which is explained where no "
                    "target is named; name another target.",
                    field="against",
                )
    first_with = {_identity(panel): panel for panel in reversed(panels)}
    panels[:] = [panel for panel in panels if first_with[_identity(panel)] is panel]
    raise_if_none_left(panels)


def _identity(panel: PlannedPanel) -> tuple[str, int | None, str, str]:
    """Panels with the same identity would show the same map. A panel with an unknown label equals no other."""
    return panel.model, panel.target, panel.method.id, panel.id if panel.unknown_class else ""


def raise_if_none_left(panels: list[PlannedPanel]) -> None:
    """Raise the refusal if all panels are refused."""
    refusals = [panel.refusal for panel in panels if panel.refusal]
    if len(refusals) < len(panels):
        return
    if len({refusal.status for refusal in refusals}) == 1 and not isinstance(refusals[0], Unprocessable):
        raise refusals[0]
    errors = {error["field"]: error for refusal in refusals for error in refusal.errors}
    raise Unprocessable(refusals[0].detail, errors=list(errors.values()))


@library_errors_as_problems()
def choose_methods(job: Explain | Estimate) -> list[tuple[Method[Any], Parameters]]:
    """The requested methods with validated parameters. Raises `Unprocessable` with all invalid fields."""
    names = dict.fromkeys(job.methods) or [id for id, method in methods().items() if method.default]
    options = {name: given for name, given in job.options.items() if name not in metrics()}
    for name in names:
        find_method(name)
    check_option_names(options)
    checked = {id: _parameters(find_method(id), options.get(id, {}), job.quality) for id in {*names, *options}}
    return [(find_method(id), checked[id]) for id in names]


@library_errors_as_problems()
def choose_metrics(job: Explain | Estimate) -> tuple[Chosen, ...]:
    """The requested metrics with validated parameters. Raises `Unprocessable` with all invalid fields."""
    names = metrics() if ALL in job.metrics else dict.fromkeys(job.metrics)
    options = {name: given for name, given in job.options.items() if name in metrics()}
    checked = {id: _parameters(find_metric(id), options.get(id, {})) for id in {*names, *options}}
    return tuple((find_metric(id), checked[id]) for id in names)


def check_option_names(options: Iterable[str]) -> None:
    """Raise `Unprocessable` if parameters are given for something that is neither a method nor a metric."""
    known = (*methods(), *metrics())
    for name in options:
        if name not in known:
            raise Unprocessable(
                f"options: there is no method or metric «{name[:80]}».{did_you_mean(name, known)} There are: "
                f"{', '.join(known)}.",
                field="method",
            )


def _parameters(method: Method[Any] | Metric[Any], options: object, quality: Quality | None = None) -> Parameters:
    """The checked parameters of a method or metric; a quality sets those of a method that `options` leaves open."""
    if quality and isinstance(method, Method) and isinstance(options, Mapping):
        options = method.at_quality(quality, options)
    try:
        return method.Parameters.model_validate(options)
    except ValidationError as invalid:
        raise invalid_fields(invalid, f"options.{method.id}", method.Parameters.model_fields) from invalid


def _refusal(panel: PlannedPanel, job: Explain, model: LoadedModel) -> Problem | None:
    refusal = class_problem(panel.model, panel.target, panel.against, job.score, len(model.classifier.labels))
    if refusal is not None:
        return refusal
    if panel.method.differentiates and (refusal := _no_gradient(model)) is not None:
        return refusal
    try:
        panel.method.check(model.classifier, panel.parameters)
    except AttributionError as error:
        return as_problem(error)
    return None


def _no_gradient(model: LoadedModel) -> Unprocessable | None:
    """The refusal of methods that differentiate, where a score function has no gradient."""
    name, inspection = model.classifier.scalar, model.inspection
    if name is None or inspection.operation_fault is not None or inspection.differentiable:
        return None
    free = ", ".join(id for id, method in methods().items() if not method.differentiates)
    return Unprocessable(
        f"score: «{name}» does not depend on the picture by differentiable steps, so it has no gradient. Leave out "
        f"what cuts it: detach(), item(), NumPy, argmax, comparisons. Or take a method without gradients: {free}.",
        field="score",
    )
