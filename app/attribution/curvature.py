"""How the gradient of a feature map itself changes with the feature map: second derivatives, by two backward passes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .autograd_graph import walk
from .captures import captured
from .counters import counters
from .engine import Engine
from .errors import Refused
from .gradients import finite
from .score import Score
from .shared_forward import SharedEngine
from .torch_state import clean_state

# what PyTorch says of an operation without a second derivative
NO_SECOND = ("derivative for", "once_differentiable", "does not have a derivative", "not differentiable")


class CurvedEngine(Engine):
    """An engine whose gradients of a layer are G − ½ H A in place of G, with H the Hessian of S by the feature map A.

    Where S is linear, or piecewise linear, in A, they are the same. It uses the shared pass of `engine` where that has
    one. Raises `Refused` where an operation above the layer has no second derivative.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine.classifier, engine.score, engine.backend, micro_batch=engine.micro_batch)
        self._engine = engine

    def features_of_calls(self, pictures: Tensor, layer: str, calls: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        found = self._engine.on_graph(pictures, layer, calls) if isinstance(self._engine, SharedEngine) else None
        if found is None or self.classifier.calling.by_backward:
            return super().features_of_calls(pictures, layer, calls)
        try:
            with clean_state():
                ((features, gradient),) = curved(found[0], [found[1]], layer, len(pictures))
        except RuntimeError as error:
            if not self.classifier.adapt(error):
                raise
            return super().features_of_calls(pictures, layer, calls)
        return [(features.contiguous(), finite(gradient.contiguous()))]

    def _features(
        self, pictures: Tensor, layer: str, calls: Sequence[int], score: Score
    ) -> list[tuple[Tensor, Tensor]]:
        if self.classifier.calling.by_backward:
            raise Refused(
                "This map needs second derivatives, which re-entrant checkpointing does not give. Take Grad-CAM."
            )
        with captured(self.classifier, layer) as capture:
            total = score(self.classifier(self.classifier.to_memory_format(pictures))).sum()
        return curved(total, [capture.calls[call] for call in calls], layer, len(pictures))


def curved(total: Tensor, maps: Sequence[Tensor], layer: str, pictures: int) -> list[tuple[Tensor, Tensor]]:
    """A and G − ½ H A of each of the feature maps on the graph of `total`, which is kept."""
    slopes: Sequence[Tensor | None] = [None] * len(maps)
    if total.requires_grad:
        # A factor that is differentiated along: without it, PyTorch would take the derivative of an operation that is
        # `once_differentiable` for a constant where the gradient above it is one, and H would silently lack a part.
        factor = torch.ones_like(total, requires_grad=True)
        slopes = torch.autograd.grad(total, maps, factor, create_graph=True, allow_unused=True)
        counters.add(pictures)
    found = []
    for features, slope in zip(maps, slopes, strict=True):
        if slope is None:
            raise Refused(f"The score does not depend on the layer «{layer}». Take another one.")
        found.append((features.detach(), (slope - curvature(slope, features) / 2).detach()))
        counters.add(pictures)
    return found


def curvature(slope: Tensor, features: Tensor) -> Tensor:
    """H A, where `slope` is G with its graph; zeros where G does not depend on A."""
    if slope.grad_fn is None:
        return torch.zeros_like(features)
    if any(node.name().endswith("::Error") for node in walk(slope.grad_fn)):
        raise _refusal("an operation on the way is marked as differentiable once only")
    try:
        (found,) = torch.autograd.grad(slope, features, features.detach(), retain_graph=True, allow_unused=True)
    except (RuntimeError, NotImplementedError) as error:
        if not any(text in str(error) for text in NO_SECOND):
            raise
        raise _refusal(next(iter(str(error).splitlines()), "")[:160].rstrip(".")) from error
    return torch.zeros_like(features) if found is None else found


def _refusal(reason: str) -> Refused:
    return Refused(f"This map needs second derivatives, and this model has none: {reason}. Take Grad-CAM.")
