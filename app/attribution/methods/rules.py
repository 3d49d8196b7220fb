"""Modified backward rules, put on the autograd graph of one pass; the model is never touched."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.autograd.graph import Node
from torch.utils.hooks import RemovableHandle

from ..autograd_graph import Nonlinearities, classify_nonlinearities
from ..engine import Engine
from ..errors import Refused
from ..inspection import Inspection
from .base import Maps

Gradients = tuple[Tensor | None, ...]


class GuidedRule:
    """Guided backprop's rule: every activation passes back max(0, upstream) times its own derivative.

    Springenberg et al. 2014, arXiv:1412.6806, who give it for ReLU, where the two factors commute. Calling it with
    the logits of a pass hooks that pass's graph; `activations` and `gates` then say how many were met. A gate, such as
    the sigmoid of squeeze-and-excitation, only multiplies other values: it keeps its own derivative.
    Raises `Refused` where a nonlinearity is neither known as an activation nor as a gate or normalisation.
    """

    title: ClassVar[str] = "Guided backprop"
    activations = 0
    gates = 0

    def __init__(self) -> None:
        self._handles: list[RemovableHandle] = []

    def recording(self) -> None:
        """Nothing: the graph alone tells all that it needs."""

    def __call__(self, logits: Tensor) -> None:
        found = classify_nonlinearities(logits)
        self.check(found)
        self._handles += map(self.attach, found.guided)
        self.activations, self.gates = len(found.guided), len(found.gates)

    def remove(self) -> None:
        """Remove the rule from the graphs that it was put on."""
        while self._handles:
            self._handles.pop().remove()

    @classmethod
    def check(cls, found: Nonlinearities | Inspection) -> None:
        """Raise `Refused` where the map would be wrong, or the same as the plain gradient."""
        if names := cls.unsupported(found):
            raise Refused(
                f"{cls.title} does not know how to guide: {', '.join(names)}. A map that guides only some activations "
                "would look right and be wrong. Take another method."
            )
        if not found.guided:
            raise Refused(f"This model has no activation to guide: {cls.title.lower()} would be the plain gradient.")

    @classmethod
    def unsupported(cls, found: Nonlinearities | Inspection) -> list[str]:
        """The names of the operations that the rule is not defined for."""
        return list(found.unknown)

    @classmethod
    def attach(cls, node: Node) -> RemovableHandle:
        return node.register_prehook(_positive_parts)


class DeconvolutionRule(GuidedRule):
    """The deconvolutional network's rule: every rectifier passes back max(0, upstream), whatever its own input was.

    Zeiler, Fergus 2013, arXiv:1311.2901. It is defined for rectifiers (ReLU, ReLU6, threshold, clamping from 0); max
    pooling goes back by its switches, which is its own derivative. Raises `Refused` where `GuidedRule` does, and where
    an activation is no rectifier.
    """

    title = "Deconvolution"

    @classmethod
    def unsupported(cls, found: Nonlinearities | Inspection) -> list[str]:
        return [*found.unknown, *found.unrectified]

    @classmethod
    def attach(cls, node: Node) -> RemovableHandle:
        return node.register_hook(_pass_back_upstream)


def _positive_parts(gradients: Gradients) -> Gradients:
    return tuple(None if g is None else g.clamp(min=0) for g in gradients)


def _pass_back_upstream(input_gradients: Gradients, upstream: Gradients) -> Gradients:
    """The gradients of a rectifier's inputs, with the first replaced by max(0, upstream): no other takes a gradient."""
    return (*_positive_parts(upstream), *input_gradients[1:])


def gradients_by_rule(engine: Engine, pictures: Tensor, rule: GuidedRule) -> Maps:
    """The gradients with a backward rule, and how many activations and gates the rule met."""
    gradients = engine.gradients(pictures, rule)
    return gradients, {"guided_activations": rule.activations, "gates": rule.gates}
