"""Folds batch normalisations into the convolutions before them: the same function, cheaper."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.autograd.graph import Node

from ..autograd_graph import walk
from ..classifier import Classifier
from .activations import ClippedActivation

CONVOLUTIONS = (nn.Conv2d, Conv2dSame)  # exact types: subclasses may use their weights differently
NORMALISATIONS = (nn.BatchNorm2d, BatchNormAct2d)
CLIPS = (nn.ReLU6, nn.Hardtanh)


@dataclass(frozen=True)
class ConvBatchNormPair:
    """Names of a convolution and of the batch normalisation that is the only user of its output."""

    convolution: str
    normalisation: str


def fold_batch_norm(classifier: Classifier) -> Classifier:
    """A copy of the classifier with folded batch normalisations; it shares all tensors except the folded weights.

    For a batch normalisation y = (Wx + b − μ) · γ/σ + β, the convolution gets W γ/σ and (b − μ) γ/σ + β.
    Its modules have other outputs, so feature maps must be taken from the original classifier.
    """
    pairs = find_pairs(classifier)
    tensors = chain(classifier.parameters(), classifier.buffers())
    folded_classifier = copy.deepcopy(classifier, {id(tensor): tensor for tensor in tensors})
    modules = dict(folded_classifier.network.named_modules())
    for pair in pairs:
        normalisation = modules[pair.normalisation]
        _fold(modules[pair.convolution], normalisation)
        folded_classifier.network.set_submodule(pair.normalisation, _remaining_module(normalisation))
    for name, module in list(folded_classifier.network.named_modules(remove_duplicate=False)):
        if type(module) in CLIPS:
            folded_classifier.network.set_submodule(name, ClippedActivation(module))
    return folded_classifier


def find_pairs(classifier: Classifier) -> list[ConvBatchNormPair]:
    """Find, by one pass, the convolutions whose output goes only to one batch normalisation.

    Each of the two modules must be called once in the pass. The autograd graph shows which operation uses which output.
    """
    names = {module: name for name, module in classifier.network.named_modules()}
    producers: dict[Node, nn.Module] = {}
    uses: list[tuple[nn.Module, Node]] = []
    calls: Counter[nn.Module] = Counter()

    def record_output(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        calls[module] += 1
        if isinstance(output, Tensor) and output.grad_fn is not None:
            producers[output.grad_fn] = module

    def record_input(module: nn.Module, inputs: tuple[object, ...]) -> None:
        calls[module] += 1
        if inputs and isinstance(inputs[0], Tensor) and inputs[0].grad_fn is not None:
            uses.append((module, inputs[0].grad_fn))

    handles = []
    for module in names:
        if type(module) in CONVOLUTIONS:
            handles.append(module.register_forward_hook(record_output))
        elif isinstance(module, nn.BatchNorm2d) and type(module) in NORMALISATIONS and _is_fixed(module):
            handles.append(module.register_forward_pre_hook(record_input))
    try:
        with torch.enable_grad():
            logits = classifier(classifier.grey().requires_grad_())
    finally:
        for handle in handles:
            handle.remove()
    if logits.grad_fn is None:
        return []
    readers = Counter(
        reader for node in walk(logits.grad_fn) for reader, _ in node.next_functions if reader is not None
    )
    return [
        ConvBatchNormPair(names[producers[node]], names[module])
        for module, node in uses
        if node in producers and readers[node] == 1 and calls[module] == calls[producers[node]] == 1
    ]


def folded_bytes(classifier: Classifier) -> int:
    """Additional memory of the folded copy, in bytes: about that of its convolutions."""
    kernels = [m.weight for m in classifier.network.modules() if isinstance(m, nn.Conv2d) and type(m) in CONVOLUTIONS]
    return sum(kernel.numel() * kernel.element_size() for kernel in kernels)


def _is_fixed(normalisation: nn.BatchNorm2d) -> bool:
    """Whether a batch normalisation uses stored statistics."""
    return normalisation.running_mean is not None and not normalisation.training


def _fold(convolution: Any, normalisation: Any) -> None:
    with torch.no_grad():
        scale, shift = affine(normalisation)
        weight = convolution.weight.double() * scale.view(-1, 1, 1, 1)
        if convolution.bias is not None:
            shift = shift + convolution.bias.double() * scale
        dtype = convolution.weight.dtype
        folded = weight.to(dtype).contiguous(memory_format=torch.channels_last)
        convolution.weight = nn.Parameter(folded, requires_grad=False)
        convolution.bias = nn.Parameter(shift.to(dtype), requires_grad=False)


def affine(normalisation: Any) -> tuple[Tensor, Tensor]:
    """γ/σ and β − μ γ/σ of a batch normalisation with stored statistics, in float64."""
    mean, variance = normalisation.running_mean.double(), normalisation.running_var.double()
    scale = (variance + normalisation.eps).rsqrt()
    if normalisation.weight is not None:
        scale = scale * normalisation.weight.double()
    shift = -mean * scale
    if normalisation.bias is not None:
        shift = shift + normalisation.bias.double()
    return scale, shift


def _remaining_module(normalisation: nn.Module) -> nn.Module:
    """What is left of a normalisation module: timm's contain an activation."""
    if isinstance(normalisation, BatchNormAct2d):
        return nn.Sequential(normalisation.drop, normalisation.act)
    return nn.Identity()
