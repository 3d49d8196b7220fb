"""Calls of a module that see the same picture, mirrored or not: as in a network that averages over a picture and its
mirror image. Their maps can be added up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .classifier import Classifier
from .layouts import Layout
from .torch_state import clean_state

# The axes along which a picture can be mirrored; with both it is turned by 180°.
MIRRORS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))
SAME = 1e-3  # relative L2, of feature maps that differ by rounding only
CLEAR = 1.5  # how much more of a corner's gradient must lie in one corner of the picture than in any other


@dataclass(frozen=True)
class MirroredCall:
    """One of several calls of a module in a pass: the call's number, and the axes along which the picture is mirrored
    that it sees."""

    number: int
    mirrored: tuple[int, ...]

    def upright(self, map: Tensor) -> Tensor:
        """A map of this call as it lies in the picture."""
        return map.flip(self.mirrored) if self.mirrored else map


def find_mirrored_calls(
    classifier: Classifier, module: str, calls: tuple[int, ...], layout: Layout
) -> tuple[MirroredCall, ...]:
    """The calls of a module, if they all see the same picture, each mirrored or not; else none.

    Two tests decide. The first call's feature maps of a mirrored picture must be the other call's of the picture; that
    leaves open which of the two is mirrored. So the gradient of a corner of the first call's map must lie in one
    corner of the picture.
    """
    picture = classifier.noise_pictures(1)
    with clean_state():
        first_axes = _mirror_of(classifier, module, calls[0], picture, layout)
        if first_axes is None:
            return ()
        with torch.no_grad():
            seen = _outputs(classifier, module, picture)
            of_mirrored = {axes: _outputs(classifier, module, picture.flip(axes))[calls[0]] for axes in MIRRORS}
    found = []
    for call in calls:
        # the axes along which it is mirrored against the first call
        to_first = next((axes for axes in MIRRORS if _alike(seen[call], of_mirrored[axes])), None)
        if to_first is None:
            return ()
        found.append(MirroredCall(call, tuple(sorted(set(first_axes) ^ set(to_first)))))
    return tuple(found)


def _mirror_of(
    classifier: Classifier, module: str, call: int, picture: Tensor, layout: Layout
) -> tuple[int, ...] | None:
    """Along which axes the picture is mirrored in a call; None where that cannot be told."""
    x = classifier.to_memory_format(picture).clone().requires_grad_()
    features = layout.spatial(_outputs(classifier, module, x)[call])
    height, width = (max(1, side // 4) for side in features.shape[-2:])
    (gradient,) = torch.autograd.grad(features[..., :height, :width].square().sum(), x)
    magnitude, (rows, columns) = gradient.abs().sum((0, 1)), (side // 2 for side in picture.shape[-2:])
    shares = {axes: float(magnitude.flip(axes)[:rows, :columns].sum()) for axes in MIRRORS}
    best, second = sorted(shares.values(), reverse=True)[:2]
    return max(shares, key=lambda axes: shares[axes]) if best > CLEAR * second else None


def _outputs(classifier: Classifier, module: str, pictures: Tensor) -> list[Tensor]:
    """The outputs of a module in a pass, one for each call."""
    with _recorded(classifier.network.get_submodule(module)) as outputs:
        classifier(classifier.to_memory_format(pictures))
    return outputs


@contextmanager
def _recorded(module: nn.Module) -> Iterator[list[Tensor]]:
    outputs: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        outputs.append(output)
        return output.clone()  # what is changed in place afterwards is not the recording

    handle = module.register_forward_hook(keep)
    try:
        yield outputs
    finally:
        handle.remove()


def _alike(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and float((one - other).norm()) <= SAME * float(other.norm())
