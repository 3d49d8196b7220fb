"""The job that measures the gradient flow of a picture through a model."""

from __future__ import annotations

from ..attribution.classifier import Classifier
from ..attribution.gradient_flow.pooling import Pooling
from ..attribution.gradient_flow.profile import LayerGradient, measure
from ..attribution.score import Score
from ..contract.events import ResultEvent
from ..contract.flows import ExcerptBody, FlowLayer, GradientFlow, PoolingBody
from ..contract.jobs import Flow
from ..contract.predictions import ClassBody
from ..contract.problems import Unprocessable
from .classes import class_index, class_problem
from .context import Context
from .flow_findings import findings
from .model_input import InputImage, make_model_input
from .turns import Run, reserve_models


def flow(job: Flow, context: Context) -> Run:
    """Measure one forward and backward pass; the result event has the figures of all layers. Raises `Problem`."""
    model = job.model or context.settings.default_model
    context.zoo.spec(model)
    picture = yield from InputImage.open(job.picture, context, job.owner)
    with (yield from reserve_models(context.zoo, [model])):
        model_input = yield from make_model_input(context, picture, model, job)
        yield None
        classifier = model_input.load(context.zoo).classifier
        target, against = choose_classes(job, model, classifier, model_input.top_class)
        layers = measure(classifier, model_input.x, Score(target, job.score, against, classifier.multilabel))
    yield ResultEvent(
        result=GradientFlow(
            model=model,
            target=_class(classifier, target),
            against=None if against is None else _class(classifier, against),
            score=job.score,
            size=list(classifier.size),
            layers=[layer_record(layer) for layer in layers],
            findings=findings(layers, job.score),
        )
    )


def choose_classes(job: Flow, model: str, classifier: Classifier, top: int) -> tuple[int, int | None]:
    """The requested target class, or the top class; and the class against it. Raises `Unprocessable` if they do not fit
    the other arguments."""
    wanted = class_index(job.target, model, classifier.labels, "target")
    against = class_index(job.against, model, classifier.labels, "against")
    if wanted is None and against == top:
        raise Unprocessable(
            f"against: class {top} is the top class of {model}, which is taken where no target is named; name another "
            "target.",
            field="against",
        )
    target = top if wanted is None else wanted
    refusal = class_problem(model, target, against, job.score, len(classifier.labels))
    if refusal is not None:
        raise refusal
    return target, against


def _class(classifier: Classifier, index: int) -> ClassBody:
    return ClassBody(index=index, label=classifier.label(index))


def layer_record(layer: LayerGradient) -> FlowLayer:
    """A layer in the wire format."""
    pooling = layer.pooling
    return FlowLayer(
        name=layer.name,
        kind=layer.kind,
        operation=layer.operation,
        call=layer.call,
        shape=list(layer.shape),
        norm=layer.norm,
        rms=layer.rms,
        dead=layer.slopes.dead,
        dead_units=layer.slopes.dead_units,
        saturated=layer.slopes.saturated,
        pooling=None if pooling is None else _pooling_record(pooling),
        into=list(layer.into),
        sum=layer.sum,
    )


def _pooling_record(pooling: Pooling) -> PoolingBody:
    piece = pooling.excerpt
    return PoolingBody(
        how=pooling.kind,
        received=pooling.received,
        map=pooling.map,
        excerpt=None
        if piece is None
        else ExcerptBody(
            channel=piece.channel,
            row=piece.row,
            column=piece.column,
            values=piece.values,
            kernel=piece.window.size,
            stride=piece.window.stride,
            padding=piece.window.padding,
        ),
    )
