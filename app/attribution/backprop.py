"""Methods of one backward pass: the plain gradient and guided backprop."""

from __future__ import annotations

from torch import Tensor

from ..zoo.classifier import Classifier
from .base import Attribution, Method, Paper, Parameters, Progress, Steps, register
from .engine import Engine
from .rules import Guided, refuse_unknown


class NoParameters(Parameters):
    """This method has nothing to set."""


@register
class VanillaGradient(Method[NoParameters]):
    """g(x) = ∂S/∂x. Simonyan, Vedaldi, Zisserman 2013, arXiv:1312.6034."""

    id = "vanilla_gradient"
    title = "Vanilla gradient"
    year = 2013
    paper = Paper(
        "Deep Inside Convolutional Networks (Simonyan, Vedaldi, Zisserman)", "https://arxiv.org/abs/1312.6034"
    )
    summary = "How much the score changes when a pixel changes a little, all else kept."
    strengths = ("One backward pass", "Exact: nothing is approximated or chosen", "Specific to the class asked for")
    weaknesses = (
        "Noisy: the gradient of a ReLU network jumps from pixel to pixel",
        "Blind where the score is saturated: what already counts fully has no slope",
    )
    Parameters = NoParameters

    def cost(self, parameters: NoParameters, size: tuple[int, int]) -> int:
        return 1

    def attribute(self, engine: Engine, picture: Tensor, parameters: NoParameters, seed: int) -> Steps:
        (gradient,) = engine.gradients(picture[None])
        yield Progress(1, 1, gradient)
        return Attribution(gradient, {"gradient_evaluations": 1})


@register
class GuidedBackprop(Method[NoParameters]):
    """As the gradient, but every activation passes back max(0, upstream) times its own derivative.

    Springenberg, Dosovitskiy, Brox, Riedmiller 2014, arXiv:1412.6806. Diagnostics: `guided_activations`, the number of
    activations on the way, and `gates`, those of squeeze-and-excitation and the like that are left alone.
    Raises `Refused` where a nonlinearity is not known: see `rules.survey`.
    """

    id = "guided_backprop"
    title = "Guided backprop"
    year = 2014
    paper = Paper("Striving for Simplicity (Springenberg et al.)", "https://arxiv.org/abs/1412.6806")
    summary = "The gradient with every negative signal cut off at each activation on the way back."
    strengths = ("One backward pass", "Crisp: shows edges and textures that excite the network")
    weaknesses = (
        "Close to an edge detector: often much the same for every class and for random weights (Adebayo et al. 2018)",
        "Not a gradient of anything: its values have no unit",
    )
    Parameters = NoParameters

    def cost(self, parameters: NoParameters, size: tuple[int, int]) -> int:
        return 1

    def check(self, classifier: Classifier, parameters: NoParameters) -> None:
        refuse_unknown(classifier.census.unknown, classifier.census.guided)

    def attribute(self, engine: Engine, picture: Tensor, parameters: NoParameters, seed: int) -> Steps:
        rule = Guided()
        (gradient,) = engine.gradients(picture[None], rule)
        yield Progress(1, 1, gradient)
        diagnostics = {"gradient_evaluations": 1, "guided_activations": rule.activations, "gates": rule.gates}
        return Attribution(gradient, diagnostics)
