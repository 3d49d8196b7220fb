"""The backward pass of a deconvolutional network."""

from __future__ import annotations

from torch import Tensor

from ...classifier import Classifier
from ...engine import Engine
from ...inspection import inspection_of
from ..base import Maps, NoParameters, OnePass, Paper, register
from ..rules import DeconvolutionRule, gradients_by_rule


@register
class Deconvolution(OnePass[NoParameters]):
    """As the gradient, but every rectifier passes back max(0, upstream), whatever its input was in the forward pass.

    Max pooling goes back by its switches, as always. Zeiler, Fergus 2013, arXiv:1311.2901. Diagnostics as guided
    backprop's. Raises `Refused` where an activation is no rectifier (SiLU, GELU, leaky ReLU …): there the method is not
    defined.
    """

    id = "deconvolution"
    title = "Deconvolution"
    year = 2013
    order = -1
    family = "rule"
    paper = Paper(
        "Visualizing and Understanding Convolutional Networks (Zeiler, Fergus)", "https://arxiv.org/abs/1311.2901"
    )
    summary = "The score sent back to the picture through the reversed network, rectified at each activation."
    strengths = ("One backward pass", "Where the history of guided backprop begins: compare the two")
    weaknesses = (
        "Ignores which activations were on: only max pooling ties it to the picture",
        "Defined for ReLU networks only; not a gradient of anything, and much the same for every class",
    )
    relation_to_gradient = "rule"
    Parameters = NoParameters

    def check(self, classifier: Classifier, parameters: NoParameters) -> None:
        DeconvolutionRule.check(inspection_of(classifier))

    def maps(self, engine: Engine, pictures: Tensor, parameters: NoParameters) -> Maps:
        return gradients_by_rule(engine, pictures, DeconvolutionRule())
