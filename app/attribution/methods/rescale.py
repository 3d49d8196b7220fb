"""A private copy of a classifier in the form that captum's DeepLIFT works on; the classifier itself is never touched.

captum hooks modules of a few exact types, keeps one input and one output in each, and replaces the gradient of the very
tensor that a module is given. So it fails where a module is called twice, and is silently wrong where that tensor also
goes elsewhere, or comes straight out of another such module (a ReLU before a max pooling). In the copy each call has a
module of its own, out of place and on a clone of its input; and max pooling has windows that share nothing.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, pad, unfold

from ..classifier import Classifier
from ..score import Score

# captum's rules that share out a difference rightly (not Softmax's), by the operation that the module consists of; and
# ReLU6, which the copy writes as two ReLUs
COVERED: dict[type[nn.Module], str] = {
    nn.ReLU: "Relu",
    nn.ReLU6: "Hardtanh",
    nn.ELU: "Elu",
    nn.LeakyReLU: "LeakyRelu",
    nn.Sigmoid: "Sigmoid",
    nn.Tanh: "Tanh",
    nn.Softplus: "Softplus",
    nn.MaxPool2d: "MaxPool2DWithIndices",
}


class Rescalable(nn.Module):
    """S: (N, C, H, W) → (N, 1), by a copy of a classifier that shares its parameters and buffers."""

    def __init__(self, classifier: Classifier, score: Score) -> None:
        super().__init__()
        tensors = chain(classifier.parameters(), classifier.buffers())
        self.classifier, self.score = copy.deepcopy(classifier, {id(tensor): tensor for tensor in tensors}), score
        calls = _calls(self.classifier)
        for name, module in list(self.classifier.named_modules(remove_duplicate=False)):
            if module in calls:
                self.classifier.set_submodule(name, calls[module])

    def forward(self, pictures: Tensor) -> Tensor:
        return self.score(self.classifier(pictures))[:, None]


class CallCounter(nn.Module):
    """Stands for a module of `count` calls in a pass: each goes to a module of its own, on a clone of its input.

    The calls of one pass come in the same order each time. A module that works in place does so here, too: who reads
    its input later reads its output.
    """

    inplace: bool

    def __init__(self, module: nn.Module, count: int) -> None:
        super().__init__()
        self.inplace = bool(getattr(module, "inplace", False))
        self.each = nn.ModuleList(_alone(module) for _ in range(count))
        self.made = 0

    def forward(self, x: Tensor) -> Tensor:
        call = self.each[self.made % len(self.each)]
        self.made += 1
        y: Tensor = call(x.clone())
        return x.copy_(y) if self.inplace else y


class WindowedMaxPool(nn.Module):
    """`nn.MaxPool2d` as a gathering of its windows, which is linear, and a max pooling whose windows share nothing.

    captum undoes the pooling by `max_unpool2d`: of several windows that have their maximum at the same place, as the
    overlapping ones of ResNet and AlexNet do, only one keeps its share. And its padding would be −∞, whose difference
    between picture and baseline is NaN; here it is the smallest number there is, in both.
    """

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        sizes = (pool.kernel_size, pool.stride, pool.padding, pool.dilation)
        self.kernel, self.stride, self.padding, self.dilation = map(_pair, sizes)
        self.ceil_mode = pool.ceil_mode
        self.max = nn.MaxPool2d((math.prod(self.kernel), 1))

    def forward(self, x: Tensor) -> Tensor:
        outline = torch.empty_like(x, device="meta")
        outline = max_pool2d(outline, self.kernel, self.stride, self.padding, self.dilation, self.ceil_mode)
        margins: list[int] = []
        for axis in (1, 0):  # `pad` takes the last axis first; what no window reaches is cut off
            places, side = outline.shape[2 + axis], x.shape[2 + axis]
            reach = (places - 1) * self.stride[axis] + self.dilation[axis] * (self.kernel[axis] - 1) + 1
            margins += [self.padding[axis], reach - self.padding[axis] - side]
        padded = pad(x, margins, value=torch.finfo(x.dtype).min)
        windows = unfold(padded, self.kernel, dilation=self.dilation, stride=self.stride)
        largest: Tensor = self.max(windows.reshape(*x.shape[:2], math.prod(self.kernel), -1))
        return largest.reshape(outline.shape)


class TwoReLUs(nn.Module):
    """`nn.ReLU6` as relu(x) − relu(x − 6): both have the same Δinput, so their rescaled slopes add up to its own."""

    def __init__(self) -> None:
        super().__init__()
        self.lower, self.upper = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        difference: Tensor = self.lower(x.clone()) - self.upper(x - 6)
        return difference


def _calls(classifier: Classifier) -> dict[nn.Module, CallCounter]:
    """What stands for each module that captum has a rule for, by one probing pass."""
    made: Counter[nn.Module] = Counter()

    def count(module: nn.Module, inputs: object, output: object) -> None:
        made[module] += 1

    modules = [module for module in classifier.modules() if type(module) in COVERED]
    handles = [module.register_forward_hook(count) for module in modules]
    with torch.no_grad():
        classifier(classifier.grey())
    for handle in handles:
        handle.remove()
    return {module: CallCounter(module, max(1, made[module])) for module in modules}


def _alone(module: nn.Module) -> nn.Module:
    if isinstance(module, nn.MaxPool2d):
        return WindowedMaxPool(module)
    if isinstance(module, nn.ReLU6):
        return TwoReLUs()
    alone = copy.deepcopy(module)
    if isinstance(alone, (nn.ReLU, nn.ELU, nn.LeakyReLU)):
        alone.inplace = False  # `CallCounter` sees to it
    return alone


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)
