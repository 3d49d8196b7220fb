"""Guided backprop, multiplied by Grad-CAM: fine detail, only where Grad-CAM finds the class."""

from __future__ import annotations

from torch import Tensor

from ...classifier import Classifier
from ...engine import Engine
from ...inspection import inspection_of
from ...layers import choose_layer
from ..base import Attribution, Diagnostics, Method, Paper, Progress, Steps, register
from ..cams import LayerParameters, class_activation
from ..rules import GuidedRule


@register
class GuidedGradCam(Method[LayerParameters]):
    """Guided backprop ⊙ ReLU(Grad-CAM), the latter upsampled to (H, W). The map is (C, H, W).

    Selvaraju et al. 2016, arXiv:1610.02391, section 3.2. Diagnostics: Grad-CAM's `layer`, guided backprop's
    `guided_activations` and `gates`. Raises `Refused` if either of the two methods does.
    """

    id = "guided_grad_cam"
    title = "Guided Grad-CAM"
    year = 2016
    order = 1
    family = "cam"
    paper = Paper("Grad-CAM (Selvaraju et al.)", "https://arxiv.org/abs/1610.02391")
    summary = "Guided backprop, kept only where Grad-CAM finds the class."
    strengths = ("As fine as guided backprop, as specific to the class as Grad-CAM", "Two passes")
    weaknesses = (
        "Inside Grad-CAM's region it is guided backprop: an edge detector",
        "A product of two quantities: its values have no unit",
    )
    relation_to_gradient = "rule"
    Parameters = LayerParameters

    def cost(self, parameters: LayerParameters, size: tuple[int, int]) -> int:
        return 2

    def zero_note(self, parameters: LayerParameters) -> str:
        return "zero_cam"

    def check(self, classifier: Classifier, parameters: LayerParameters) -> None:
        GuidedRule.check(inspection_of(classifier))
        choose_layer(inspection_of(classifier).feature_layers, parameters.layer, self.id)

    def attribute(self, engine: Engine, picture: Tensor, parameters: LayerParameters, seed: int) -> Steps:
        layer, rule = choose_layer(engine.inspection.feature_layers, parameters.layer, self.id), GuidedRule()
        (cam,) = class_activation(engine, picture[None], layer, relu=True)
        yield Progress(1, 2)
        (guided,) = engine.gradients(picture[None], rule)
        values = guided * cam
        yield Progress(2, 2, values)
        counts = Diagnostics(guided_activations=rule.activations, gates=rule.gates)
        return Attribution(values, {"gradient_evaluations": 2, "layer": layer, **counts})
