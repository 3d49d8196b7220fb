"""The gradient with negative signals cut off at every activation."""

from __future__ import annotations

from torch import Tensor

from ...classifier import Classifier
from ...engine import Engine
from ...inspection import inspection_of
from ..base import Maps, NoParameters, OnePass, Paper, register
from ..rules import GuidedRule, gradients_by_rule


@register
class GuidedBackprop(OnePass[NoParameters]):
    """As the gradient, but every activation passes back max(0, upstream) times its own derivative.

    Springenberg, Dosovitskiy, Brox, Riedmiller 2014, arXiv:1412.6806. Diagnostics: `guided_activations`, the number of
    activations on the way, and `gates`, those of squeeze-and-excitation and the like, which only scale other values
    and are left alone.
    Raises `Refused` where a nonlinearity is not known: see `autograd_graph.classify_nonlinearities`.
    """

    id = "guided_backprop"
    title = "Guided backprop"
    year = 2014
    family = "rule"
    paper = Paper("Striving for Simplicity (Springenberg et al.)", "https://arxiv.org/abs/1412.6806")
    summary = "The gradient, with every negative signal cut off at each activation of the backward pass."
    strengths = ("One backward pass", "Crisp: shows edges and textures that excite the network")
    weaknesses = (
        "Close to an edge detector: often much the same for every class and for random weights (Adebayo et al. 2018)",
        "Not a gradient of anything: its values have no unit",
    )
    default = True
    relation_to_gradient = "rule"
    Parameters = NoParameters

    def check(self, classifier: Classifier, parameters: NoParameters) -> None:
        GuidedRule.check(inspection_of(classifier))

    def maps(self, engine: Engine, pictures: Tensor, parameters: NoParameters) -> Maps:
        return gradients_by_rule(engine, pictures, GuidedRule())
