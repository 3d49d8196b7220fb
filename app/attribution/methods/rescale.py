"""A private copy of a classifier that captum's DeepLIFT handles correctly; the classifier itself is not changed.

captum hooks modules of a few exact types, stores one input and one output per module, and replaces the gradient of the
module's input tensor. So it fails if a module is called twice. It is silently wrong if that tensor is also used
elsewhere, or is the output of another such module (a ReLU before a max pooling). In the copy, each call has a module of
its own, which does not work in place and gets a clone of its input; and the windows of a max pooling do not overlap.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, pad, unfold

from ..classifier import Classifier
from ..copies import copied
from ..errors import Refused
from ..memory import out_of_memory
from ..score import Score

# Modules whose rule in captum distributes a difference correctly (Softmax's does not), each with its autograd
# operation. Also ReLU6, which the copy replaces by two ReLUs.
SUPPORTED_MODULES: dict[type[nn.Module], str] = {
    nn.ReLU: "Relu",
    nn.ReLU6: "Hardtanh",
    nn.ELU: "Elu",
    nn.LeakyReLU: "LeakyRelu",
    nn.Sigmoid: "Sigmoid",
    nn.Tanh: "Tanh",
    nn.Softplus: "Softplus",
    nn.MaxPool2d: "MaxPool2DWithIndices",
}


class ScoreNetwork(nn.Module):
    """The score S: (N, C, H, W) → (N, 1), computed by a copy of a classifier that shares its parameters and buffers."""

    def __init__(self, classifier: Classifier, score: Score) -> None:
        super().__init__()
        self.classifier, self.score = _copy_of(classifier), score
        copies = _per_call_copies(self.classifier)
        for name, module in list(self.classifier.named_modules(remove_duplicate=False)):
            if module in copies:
                self.classifier.set_submodule(name, copies[module])

    def forward(self, pictures: Tensor) -> Tensor:
        return self.score(self.classifier(pictures))[:, None]


class PerCallCopies(nn.Module):
    """Replaces a module that a pass calls `count` times: each call has a copy of its own, and a clone of the input.

    The calls of a pass come in the same order each time. If the module works in place, its output is written into the
    input here too, so that later readers of the input see what they would see in the original network.
    """

    inplace: bool

    def __init__(self, module: nn.Module, count: int) -> None:
        super().__init__()
        self.inplace = bool(getattr(module, "inplace", False))
        self.copies = nn.ModuleList(_for_one_call(module) for _ in range(count))
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        module = self.copies[self.calls % len(self.copies)]
        self.calls += 1
        y: Tensor = module(x.clone())
        return x.copy_(y) if self.inplace else y


class WindowedMaxPool(nn.Module):
    """`nn.MaxPool2d` in two steps: copy out its windows (`unfold`, linear), then a max pooling without overlaps.

    captum reverses a pooling with `max_unpool2d`. If several windows have their maximum at the same position, as the
    overlapping windows of ResNet and AlexNet do, only one keeps its share. And PyTorch pads with −∞, whose difference
    between picture and baseline is NaN; here the padding is the smallest finite number.
    """

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        sizes = (pool.kernel_size, pool.stride, pool.padding, pool.dilation)
        self.kernel, self.stride, self.padding, self.dilation = map(_pair, sizes)
        self.ceil_mode = pool.ceil_mode
        self.max = nn.MaxPool2d((math.prod(self.kernel), 1))

    def forward(self, x: Tensor) -> Tensor:
        pooled = torch.empty_like(x, device="meta")  # only for the shape of the output
        pooled = max_pool2d(pooled, self.kernel, self.stride, self.padding, self.dilation, self.ceil_mode)
        margins: list[int] = []
        for axis in (1, 0):  # `pad` takes the last axis first; a negative margin cuts off what no window reaches
            windows_along, side = pooled.shape[2 + axis], x.shape[2 + axis]
            reach = (windows_along - 1) * self.stride[axis] + self.dilation[axis] * (self.kernel[axis] - 1) + 1
            margins += [self.padding[axis], reach - self.padding[axis] - side]
        padded = pad(x, margins, value=torch.finfo(x.dtype).min)
        windows = unfold(padded, self.kernel, dilation=self.dilation, stride=self.stride)
        largest: Tensor = self.max(windows.reshape(*x.shape[:2], math.prod(self.kernel), -1))
        return largest.reshape(pooled.shape)


class TwoReLUs(nn.Module):
    """`nn.ReLU6` as relu(x) − relu(x − 6). Both have the same Δinput, so their slopes' difference is ReLU6's."""

    def __init__(self) -> None:
        super().__init__()
        self.lower, self.upper = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        difference: Tensor = self.lower(x.clone()) - self.upper(x - 6)
        return difference


def _per_call_copies(classifier: Classifier) -> dict[nn.Module, PerCallCopies]:
    """A `PerCallCopies` for each module in `SUPPORTED_MODULES`; one pass of a grey picture counts the calls."""
    call_counts: Counter[nn.Module] = Counter()

    def count(module: nn.Module, inputs: object, output: object) -> None:
        call_counts[module] += 1

    modules = [module for module in classifier.modules() if type(module) in SUPPORTED_MODULES]
    handles = [module.register_forward_hook(count) for module in modules]
    try:
        with torch.no_grad():
            classifier(classifier.to_memory_format(classifier.grey_pictures()))
    finally:
        for handle in handles:
            handle.remove()
    return {module: PerCallCopies(module, max(1, call_counts[module])) for module in modules}


def _copy_of(classifier: Classifier) -> Classifier:
    """A copy that shares parameters and buffers. Raises `Refused` where there can be none."""
    try:
        return copied(classifier)
    except Exception as error:  # whatever is in a network that cannot be copied
        if out_of_memory(error):
            raise
        raise Refused(
            f"DeepLIFT works on a copy of the network, and this one cannot be copied ({type(error).__name__}: "
            f"{str(error)[:160]}). Take integrated gradients."
        ) from error


def _for_one_call(module: nn.Module) -> nn.Module:
    """A copy of a module, for a single call and not in place, in a form that captum's rule handles correctly."""
    if isinstance(module, nn.MaxPool2d):
        return WindowedMaxPool(module)
    if isinstance(module, nn.ReLU6):
        return TwoReLUs()
    single = copy.deepcopy(module)
    if isinstance(single, (nn.ReLU, nn.ELU, nn.LeakyReLU)):
        single.inplace = False  # `PerCallCopies` writes the output into the input instead
    return single


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)
