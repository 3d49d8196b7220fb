"""The gradient times the picture."""

from __future__ import annotations

from torch import Tensor

from ...engine import Engine
from ..base import Maps, NoParameters, OnePass, Paper, register


@register
class InputXGradient(OnePass[NoParameters]):
    """x ⊙ g(x). Shrikumar, Greenside, Shcherbina, Kundaje 2016, arXiv:1605.01713.

    Not additive: its sum is x · g(x), which is S(x) where S is homogeneous (S(a x) = a S(x) for a > 0), as a ReLU
    network without biases is, and differs from it by any amount elsewhere.
    """

    id = "input_x_gradient"
    title = "Input × gradient"
    year = 2016
    order = -1
    family = "gradient"
    paper = Paper("Not Just a Black Box (Shrikumar et al.)", "https://arxiv.org/abs/1605.01713")
    summary = "The gradient times the picture: what each pixel value would add if the score were linear."
    strengths = (
        "One backward pass",
        "In units of the score",
    )
    weaknesses = (
        "Its values are no parts of the score: they sum to it only if the network has no biases, takes no mean off the "
        "picture, and has no activations but ReLU",
        "Black pixels get nothing, whatever they mean: black is its hidden baseline",
        "As noisy and as blind to saturation as the gradient itself",
    )
    multiplies_by_inputs = True
    Parameters = NoParameters

    def maps(self, engine: Engine, pictures: Tensor, parameters: NoParameters) -> Maps:
        return pictures * engine.gradients(pictures), {}
