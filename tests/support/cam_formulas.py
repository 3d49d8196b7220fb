"""Formulas of class activation maps, written down a second time in NumPy, channel by channel."""

from __future__ import annotations

import numpy as np
import torch
from gradoscope.attribution.classifier import Classifier
from torch import Tensor


def features_and_gradients(
    classifier: Classifier, picture: Tensor, layer: str, target: int
) -> tuple[Tensor, Tensor, float]:
    """A and ∂S/∂A of a layer as it puts them out, for one picture, and S: by plain autograd."""
    kept: list[Tensor] = []

    def keep(module: object, given: object, output: Tensor) -> Tensor:
        kept.append(output)
        return output.clone()  # what follows may work in place

    handle = classifier.network.get_submodule(layer).register_forward_hook(keep)
    score = classifier(picture[None].clone().requires_grad_())[0, target]
    handle.remove()
    (gradient,) = torch.autograd.grad(score, kept)
    return kept[0].detach(), gradient, float(score.detach())


def grad_cam_plus_plus(features: Tensor, gradients: Tensor, score: float) -> Tensor:
    """Chattopadhyay et al. of A and G, (K, h, w) each: Σ_k w_k A_k, by the derivatives of Y = exp(S).

    w_k = Σ_ij α ReLU(∂Y/∂A), α = ∂²Y/∂A² / (2 ∂²Y/∂A² + (Σ_ab A) ∂³Y/∂A³), with S linear in A, so that the n-th
    derivative is Y Gⁿ. Divided by Y, which is the same for all channels.
    """
    y, total = np.exp(score), np.zeros(features.shape[1:])
    for a, g in zip(features.double().numpy(), gradients.double().numpy(), strict=True):
        first, second, third = (y * g**order for order in (1, 2, 3))
        bottom = 2 * second + a.sum() * third
        alpha = np.divide(second, bottom, out=np.zeros_like(bottom), where=bottom != 0)
        total += (alpha * np.maximum(first, 0)).sum() * a
    return torch.from_numpy(total / y)
