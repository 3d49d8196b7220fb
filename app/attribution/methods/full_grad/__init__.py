"""FullGrad: the gradient of the picture and of every bias, which together make up the whole score."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from torch import Tensor

from ...bias_gradients import FullGradient, full_gradient
from ...classifier import Classifier
from ...engine import Engine
from ...errors import ComputationFailed, Refused
from ...gradients import finite
from ...inspection import inspection_of
from ...memory import out_of_memory
from ...score import Score
from ..base import Attribution, Method, NoParameters, Paper, Progress, Steps, register
from ..cams import enlarged
from ..paths import completeness

SUM_TOLERANCE = 0.01
ROUNDING = 1e-4  # of the parts' sizes: in deep networks they are many times the score, and cancel
_reasons: WeakKeyDictionary[Classifier, str | None] = WeakKeyDictionary()


@register
class FullGrad(Method[NoParameters]):
    """Σ_c ψ(g ⊙ x) + Σ_l Σ_c Up ψ(b_l ⊙ ∂S/∂y_l): (1, H, W), over the layers l with a bias b_l and outputs y_l.

    Srinivas, Fleuret 2019, arXiv:1905.00780. ψ takes the magnitude, and scales each layer's values to [0, 1] over all
    its channels; Up is bilinear to (H, W), align_corners = False, where the authors' code has True. Before ψ the parts
    sum to S(x): diagnostics report that as `completeness`. The map itself has no sign and no unit.

    The biases are also those that batch normalisation brings (β − γ μ / σ), the normalisation of pixel values (−μ / σ),
    and nonlinearities that are no rectifiers (f(z) − f′(z) z; a ReLU6's 6 where it is saturated). Biases of layers
    without places, such as a last linear layer, and of the score itself count in the sum only. Raises `Refused` where a
    trial with a noise picture does not sum to the score: then the network has a bias that is in no layer, as where a
    feature map is multiplied by a gate.
    """

    id = "full_grad"
    title = "FullGrad"
    year = 2019
    family = "gradient"
    paper = Paper("Full-Gradient Representation (Srinivas, Fleuret)", "https://arxiv.org/abs/1905.00780")
    summary = "The gradient times the picture, and times every bias of the network: together the whole score."
    strengths = (
        "Complete before its scaling: all that the score is made of, at every scale of the network",
        "One backward pass, without a baseline or a layer to choose",
    )
    weaknesses = (
        "Magnitudes only: what speaks against the class looks as what speaks for it",
        "Each layer is scaled to its own maximum, so small parts count as much as large ones",
        "Not defined where a bias lies in no layer, as in networks with gates",
    )
    single_channel = True
    Parameters = NoParameters

    def cost(self, parameters: NoParameters, size: tuple[int, int]) -> int:
        return 2  # the score by a pass of its own, and the gradients

    def check(self, classifier: Classifier, parameters: NoParameters) -> None:
        if classifier not in _reasons:
            _reasons[classifier] = _try(classifier)
        if reason := _reasons[classifier]:
            raise Refused(reason)

    def attribute(self, engine: Engine, picture: Tensor, parameters: NoParameters, seed: int) -> Steps:
        score = float(finite(engine.scores(picture[None])))
        yield Progress(1, 2)
        found = full_gradient(engine.classifier, picture, engine.score)
        if fault := missing(found, score):
            raise ComputationFailed(f"{fault} No map is shown. Take integrated gradients.")
        values = scaled(found.input).sum(1)
        for bias in found.biases:
            if (part := as_map(bias.values, picture)) is not None:
                # Up is linear: one map for each layer is enlarged, not one for each of its channels
                values = values + enlarged(scaled(part).sum(1, keepdim=True), picture[None])[0]
        yield Progress(2, 2, values)
        record = completeness(score, 0.0, sum(found.sums))
        record["parts"] = len(found.sums)
        return Attribution(values, {"gradient_evaluations": 1, "forward_evaluations": 1, "completeness": record})


def missing(found: FullGradient, score: float) -> str | None:
    """What is wrong with the sum of the parts; None where it is the score."""
    sums = found.sums
    total, size = sum(sums), sum(map(abs, sums))
    if abs(total - score) <= max(SUM_TOLERANCE * abs(score), ROUNDING * size):
        return None
    return f"FullGrad's parts sum to {total:.4g} where the score is {score:.4g}: some bias is in no layer."


def scaled(part: Tensor) -> Tensor:
    """ψ before Up: magnitudes, from 0 to 1 over all channels; zeros where all are the same."""
    sizes = part.abs()
    sizes = sizes - sizes.min()
    return sizes / sizes.max() if bool(sizes.max() > 0) else sizes


def as_map(values: Tensor, picture: Tensor) -> Tensor | None:
    """A bias gradient as (1, K, h, w); None where its layer has no places. It may be laid out as (1, h, w, K)."""
    height, width = picture.shape[-2:]
    for channels_last in (False, True):
        map = values.movedim(-1, 1) if channels_last and values.dim() == 4 else values
        if map.dim() != 4 or map.shape[-1] * map.shape[-2] <= 1:
            continue
        h, w = map.shape[-2:]
        if abs(h * width - w * height) <= max(height, width):  # strides may round by one cell
            return map
    return None


def _try(classifier: Classifier) -> str | None:
    """Why the parts of a noise picture do not sum to its score; None where they do."""
    picture = classifier.noise_pictures(1)[0]
    try:
        found = full_gradient(classifier, picture, Score(0))
    except Refused as refusal:
        return refusal.detail
    except Exception as error:  # a layer may contain anything
        if out_of_memory(error):
            raise
        reason = next(iter(str(error).splitlines()), "")[:160].rstrip(".")
        return (
            f"FullGrad could not look into this model's layers ({type(error).__name__}: {reason}). Take another method."
        )
    if missing(found, found.score) is None:
        return None
    return (
        "FullGrad's parts do not sum to the score of a trial picture: some bias is in no layer. "
        f"{_suspects(classifier)}Take integrated gradients."
    )


def _suspects(classifier: Classifier) -> str:
    """The operations outside layers that may bring it."""
    layers = {type(module) for module in classifier.network.modules() if next(module.children(), None) is None}
    plain = {"Relu", "LeakyRelu", "Prelu", "PreluKernel", "MaxPool2DWithIndices", "AdaptiveMaxPool2D"}
    counts = inspection_of(classifier).found_operations.nonlinear.items()
    named = [
        f"{count} × {operation}"
        for operation, count in counts
        if operation.kind not in plain and operation.module not in layers
    ]
    return f"This model computes {', '.join(sorted(named))} outside its layers. " if named else ""
