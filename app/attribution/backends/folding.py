"""Batch normalisation folded into the convolutions before it: the same function, with cheaper gradients."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from ..autograd_graph import walk
from ..classifier import Classifier
from ..copies import copied
from ..torch_state import clean_state
from .activations import ClippedActivation

CLIPS = (nn.ReLU6, nn.Hardtanh)


def of_timm(module: str, name: str) -> tuple[type[nn.Module], ...]:
    """A class of timm's; none where timm is not imported: then no network has it, and the import takes two seconds."""
    found = getattr(sys.modules.get(module), name, None)
    return (found,) if found else ()


def convolutions() -> tuple[type[nn.Module], ...]:
    """Classes whose weights can be scaled; subclasses may do something else with them."""
    return nn.Conv2d, *of_timm("timm.layers.conv2d_same", "Conv2dSame")


def norms_with_activation() -> tuple[type[nn.Module], ...]:
    return of_timm("timm.layers.norm_act", "BatchNormAct2d")


def normalisations() -> tuple[type[nn.Module], ...]:
    return nn.BatchNorm2d, *norms_with_activation()


@dataclass(frozen=True)
class ConvBatchNormPair:
    """Names of a convolution, and of the batch normalisation that alone reads what it puts out."""

    convolution: str
    normalisation: str


def fold_batch_norm(classifier: Classifier) -> Classifier:
    """The same function with cheaper gradients; it shares all tensors but the folded weights.

    For a batch normalisation y = (Wx + b − μ) · γ/σ + β, the convolution takes W γ/σ and (b − μ) γ/σ + β.
    Some of its modules put out other values than the classifier's, so layers are looked for in the classifier.
    """
    pairs = find_pairs(classifier)
    folded = copied(classifier)
    modules = dict(folded.network.named_modules())
    for pair in pairs:
        normalisation = modules[pair.normalisation]
        _fold(modules[pair.convolution], normalisation, classifier.calling.memory_format)
        folded.network.set_submodule(pair.normalisation, _rest(normalisation))
    for name, module in list(folded.network.named_modules(remove_duplicate=False)):
        if type(module) in CLIPS:
            folded.network.set_submodule(name, ClippedActivation(module))
    return folded


def find_pairs(classifier: Classifier) -> list[ConvBatchNormPair]:
    """By one probing pass: convolutions whose output goes to one batch normalisation and nowhere else.

    Each module is called once in the pass and has one name; the autograd graph tells who reads what.
    """
    names = {module: name for name, module in classifier.network.named_modules()}
    made: dict[Node, nn.Module] = {}
    read: list[tuple[nn.Module, Node]] = []
    calls: Counter[nn.Module] = Counter()

    def keep(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        calls[module] += 1
        if isinstance(output, Tensor) and output.grad_fn is not None:
            made[output.grad_fn] = module

    def see(module: nn.Module, inputs: tuple[object, ...]) -> None:
        calls[module] += 1
        if inputs and isinstance(inputs[0], Tensor) and inputs[0].grad_fn is not None:
            read.append((module, inputs[0].grad_fn))

    handles = []
    for module in names:
        if type(module) in convolutions():
            handles.append(module.register_forward_hook(keep))
        elif isinstance(module, nn.BatchNorm2d) and type(module) in normalisations() and _is_fixed(module):
            handles.append(module.register_forward_pre_hook(see))
    try:
        with clean_state():
            logits = classifier(classifier.to_memory_format(classifier.grey_pictures()).requires_grad_())
    finally:
        for handle in handles:
            handle.remove()
    if logits.grad_fn is None:
        return []
    readers = Counter(
        reader for node in walk(logits.grad_fn) for reader, _ in node.next_functions if reader is not None
    )
    return [
        ConvBatchNormPair(names[made[node]], names[module])
        for module, node in read
        if node in made and readers[node] == 1 and calls[module] == calls[made[node]] == 1
    ]


def folded_bytes(classifier: Classifier) -> int:
    """Bytes that a folded copy takes on its own: about those of its convolutions."""
    kernels = [m.weight for m in classifier.network.modules() if isinstance(m, nn.Conv2d) and type(m) in convolutions()]
    return sum(kernel.numel() * kernel.element_size() for kernel in kernels)


def _is_fixed(normalisation: nn.BatchNorm2d) -> bool:
    """Whether it normalises by stored statistics."""
    return normalisation.running_mean is not None and not normalisation.training


def _fold(convolution: Any, normalisation: Any, memory_format: torch.memory_format) -> None:
    with torch.no_grad():
        scale, shift = affine(normalisation)
        weight = convolution.weight.double() * scale.view(-1, 1, 1, 1)
        if convolution.bias is not None:
            shift = shift + convolution.bias.double() * scale
        dtype = convolution.weight.dtype
        folded = weight.to(dtype).contiguous(memory_format=memory_format)
        convolution.weight = nn.Parameter(folded, requires_grad=False)
        convolution.bias = nn.Parameter(shift.to(dtype), requires_grad=False)


def affine(normalisation: Any) -> tuple[Tensor, Tensor]:
    """γ/σ and β − μ γ/σ of a batch normalisation by stored statistics, in float64."""
    mean, variance = normalisation.running_mean.double(), normalisation.running_var.double()
    scale = (variance + normalisation.eps).rsqrt()
    if normalisation.weight is not None:
        scale = scale * normalisation.weight.double()
    shift = -mean * scale
    if normalisation.bias is not None:
        shift = shift + normalisation.bias.double()
    return scale, shift


def _rest(normalisation: nn.Module) -> nn.Module:
    """What a normalisation module does after it has normalised: timm's apply dropout and an activation."""
    if isinstance(normalisation, norms_with_activation()):
        return nn.Sequential(normalisation.drop, normalisation.act)  # type: ignore[arg-type]
    return nn.Identity()
