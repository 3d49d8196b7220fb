"""Gradient flow of a picture through a model: the job, from the picture to what is answered."""

from __future__ import annotations

from ..attribution.classifier import Classifier
from ..attribution.gradient_flow.profile import LayerGradient, measure
from ..attribution.score import Score
from ..contract.events import ResultEvent
from ..contract.flows import FlowLayer, GradientFlow, PoolingBody
from ..contract.jobs import Flow
from ..contract.predictions import ClassBody
from ..contract.problems import Unprocessable
from .context import Context
from .flow_findings import findings
from .model_input import InputImage, look
from .plan import misfit
from .turns import Run, reserve_models


def flow(job: Flow, context: Context) -> Run:
    """One pass up and one back, and what was seen on the way. Raises `Problem`."""
    model = job.model or context.settings.default_model
    context.zoo.recipe(model)
    subject = yield from InputImage.open(job.picture, context, job.owner)
    with (yield from reserve_models(context.zoo, [model])):
        sight = yield from look(context, subject, model, job)
        yield None
        classifier = sight.load(context.zoo).classifier
        target = settled(job, model, classifier, sight.classes[0].index)
        layers = measure(classifier, sight.x, Score(target, job.score, job.against, classifier.multilabel))
    yield ResultEvent(
        result=GradientFlow(
            model=model,
            target=_class(classifier, target),
            against=None if job.against is None else _class(classifier, job.against),
            score=job.score,
            size=list(classifier.size),
            layers=[layer_record(layer) for layer in layers],
            findings=findings(layers, job.score),
        )
    )


def settled(job: Flow, model: str, classifier: Classifier, top: int) -> int:
    """The class that is asked for, or the top one. Raises `Unprocessable` where it does not go with the rest."""
    if job.target is None and job.against == top:
        raise Unprocessable(
            f"against: class {top} is the top class of {model}, which is taken where no target is named; name another "
            "target.",
            field="against",
        )
    target = top if job.target is None else job.target
    refusal = misfit(model, target, job.against, job.score, len(classifier.labels))
    if refusal is not None:
        raise refusal
    return target


def _class(classifier: Classifier, index: int) -> ClassBody:
    return ClassBody(index=index, label=classifier.label(index))


def layer_record(layer: LayerGradient) -> FlowLayer:
    """A layer as it goes over the wire."""
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
        pooling=None if pooling is None else PoolingBody(how=pooling.how, received=pooling.received, map=pooling.map),
        into=list(layer.into),
    )
