"""The gradient itself."""

from __future__ import annotations

from torch import Tensor

from ...engine import Engine
from ..base import Maps, NoParameters, OnePass, Paper, register


@register
class VanillaGradient(OnePass[NoParameters]):
    """g(x) = ∂S/∂x. Simonyan, Vedaldi, Zisserman 2013, arXiv:1312.6034."""

    id = "vanilla_gradient"
    title = "Vanilla gradient"
    year = 2013
    family = "gradient"
    paper = Paper(
        "Deep Inside Convolutional Networks (Simonyan, Vedaldi, Zisserman)", "https://arxiv.org/abs/1312.6034"
    )
    summary = "How much the score changes when a pixel changes a little."
    strengths = ("One backward pass", "Exact: nothing is approximated or chosen", "Specific to the class asked for")
    weaknesses = (
        "Noisy: the gradient of a ReLU network jumps from pixel to pixel",
        "Blind where the score is saturated: what already counts fully has no slope",
    )
    default = True
    relation_to_gradient = "gradient"
    Parameters = NoParameters

    def maps(self, engine: Engine, pictures: Tensor, parameters: NoParameters) -> Maps:
        return engine.gradients(pictures), {}
