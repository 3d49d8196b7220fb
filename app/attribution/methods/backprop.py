"""Methods of one backward pass: the gradient, as it is or times the picture, and its guided relatives."""

from __future__ import annotations

from torch import Tensor

from ..classifier import Classifier
from ..engine import Engine
from ..inspection import inspection_of
from .base import Diagnostics, OnePass, Paper, Parameters, register
from .rules import Deconvolved, Guided

Maps = tuple[Tensor, Diagnostics]


class NoParameters(Parameters):
    """This method has nothing to set."""


@register
class VanillaGradient(OnePass[NoParameters]):
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

    def maps(self, engine: Engine, pictures: Tensor, parameters: NoParameters) -> Maps:
        return engine.gradients(pictures), {}


@register
class Deconvolution(OnePass[NoParameters]):
    """As the gradient, but every rectifier passes back max(0, upstream), whatever it was given itself on the way up.

    Max pooling goes back by its switches, as always. Zeiler, Fergus 2013, arXiv:1311.2901. Diagnostics as guided
    backprop's. Raises `Refused` where an activation is no rectifier (SiLU, GELU, leaky ReLU …): there the method is not
    defined.
    """

    id = "deconvolution"
    title = "Deconvolution"
    year = 2013
    order = -1
    paper = Paper(
        "Visualizing and Understanding Convolutional Networks (Zeiler, Fergus)", "https://arxiv.org/abs/1311.2901"
    )
    summary = "The score sent back to the picture through the network turned upside down, rectified at each activation."
    strengths = ("One backward pass", "Where the history of guided backprop begins: compare the two")
    weaknesses = (
        "Ignores which activations were on: only max pooling ties it to the picture",
        "Defined for ReLU networks only; not a gradient of anything, and much the same for every class",
    )
    default = False
    Parameters = NoParameters

    def check(self, classifier: Classifier, parameters: NoParameters) -> None:
        Deconvolved.check(inspection_of(classifier))

    def maps(self, engine: Engine, pictures: Tensor, parameters: NoParameters) -> Maps:
        return guide(engine, pictures, Deconvolved())


@register
class GuidedBackprop(OnePass[NoParameters]):
    """As the gradient, but every activation passes back max(0, upstream) times its own derivative.

    Springenberg, Dosovitskiy, Brox, Riedmiller 2014, arXiv:1412.6806. Diagnostics: `guided_activations`, the number of
    activations on the way, and `gates`, those of squeeze-and-excitation and the like that are left alone.
    Raises `Refused` where a nonlinearity is not known: see `autograd_graph.classify_nonlinearities`.
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

    def check(self, classifier: Classifier, parameters: NoParameters) -> None:
        Guided.check(inspection_of(classifier))

    def maps(self, engine: Engine, pictures: Tensor, parameters: NoParameters) -> Maps:
        return guide(engine, pictures, Guided())


@register
class InputXGradient(OnePass[NoParameters]):
    """x ⊙ g(x). Shrikumar, Greenside, Shcherbina, Kundaje 2016, arXiv:1605.01713."""

    id = "input_x_gradient"
    title = "Input × gradient"
    year = 2016
    order = -1
    paper = Paper("Not Just a Black Box (Shrikumar et al.)", "https://arxiv.org/abs/1605.01713")
    summary = "The gradient times the picture: what each pixel's value adds, were the score linear."
    strengths = (
        "One backward pass",
        "In units of the score; sums to it for ReLU networks without biases",
    )
    weaknesses = (
        "Black pixels get nothing, whatever they mean: black is its hidden baseline",
        "As noisy and as blind to saturation as the gradient itself",
    )
    default = False
    additive = True
    Parameters = NoParameters

    def maps(self, engine: Engine, pictures: Tensor, parameters: NoParameters) -> Maps:
        return pictures * engine.gradients(pictures), {}


def guide(engine: Engine, pictures: Tensor, rule: Guided) -> Maps:
    """The gradients by a rule, with what the rule met."""
    gradients = engine.gradients(pictures, rule)
    return gradients, {"guided_activations": rule.activations, "gates": rule.gates}
