"""Private copies of a network that a metric may change: the model in memory never is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from ..classifier import Classifier
from ..copies import copied
from ..memory import out_of_memory
from ..noise import generator
from ..torch_state import clean_state

NamedModule = tuple[str, nn.Module]
_layer_counts: WeakKeyDictionary[nn.Module, int | None] = WeakKeyDictionary()
log = logging.getLogger(__name__)


def private_copy(classifier: Classifier) -> Classifier:
    """The same classifier on a copy of its network; run by plain PyTorch, not by a faster backend."""
    copy = classifier.view()
    copy.network = copied(classifier.network, share=False)
    return copy


def layers_with_weights(classifier: Classifier) -> list[list[NamedModule]]:
    """The layers that hold weights, from the top (next to the logits) down; with each the norms and other vectors that
    follow it, and with the first those before it.

    The order is that in which a pass enters them. A layer that is never entered itself (an auxiliary head, a
    projection inside attention) stands where the module around it was entered.
    """
    entered = _entry_order(classifier)
    held = [(name, module) for name, module in classifier.network.named_modules() if _has_own_state(module)]
    # stable: otherwise in the order of `named_modules`
    held.sort(key=lambda named: entered[_nearest_entered(named[0], entered)])
    groups: list[list[NamedModule]] = []
    for name, module in held:
        if groups and not (_has_weights(module) and any(_has_weights(other) for _, other in groups[-1])):
            groups[-1].append((name, module))
        else:
            groups.append([(name, module)])
    return groups[::-1]


def count_weighted_layers(classifier: Classifier) -> int | None:
    """How many layers `layers_with_weights` gives; a pass finds it out once for each network. None where that fails."""
    if classifier.network not in _layer_counts:
        try:
            _layer_counts[classifier.network] = len(layers_with_weights(classifier))
        except Exception as error:
            if out_of_memory(error):
                raise
            log.info("the layers of a network could not be counted", exc_info=True)
            _layer_counts[classifier.network] = None
    return _layer_counts[classifier.network]


def layer_name(layer: list[NamedModule]) -> str:
    """The name of its first module that has weights."""
    return next((name for name, module in layer if _has_weights(module)), layer[0][0])


def randomise(layer: list[NamedModule], seed: int) -> None:
    """Draw a layer's weights anew, in place: uniform within ±√(6/fan-in), which keeps the size of what passes a ReLU
    network (He, Zhang, Ren, Sun 2015, arXiv:1502.01852); offsets within ±1/√fan-in.

    PyTorch's own draw, smaller by √6, lets the signal of fifty layers fade until a score's differences drown in the
    rounding of float32. Norms become as they begin: scale 1, offset 0, mean 0, variance 1; the slopes of a PReLU too,
    0.25, for with slopes of 1 the network would be linear. Other vectors (a layer scale of ConvNeXt, the gain of a
    standardised convolution) are shuffled: they lose what they have learned of each channel, and keep their size, for
    which there is no other measure. A tensor of one element stays as it is. A tensor's random numbers depend only on
    the seed and its name. So all stages of cascading randomisation have the same weights in the layers they share.
    """
    for name, module in layer:
        weights = dict(_weights(module))
        bound = max(value[0].numel() for value in weights.values()) ** -0.5 if weights else 0.0
        for key, value in module.named_parameters(recurse=False):
            parameter_name = f"{name}.{key}"
            if key in weights:
                _draw(value, (6 / value[0].numel()) ** 0.5, seed, parameter_name)
            elif weights and key.endswith("bias"):
                _draw(value, bound, seed, parameter_name)
            elif isinstance(module, nn.PReLU):
                value.data.fill_(module.init)
            elif _is_norm(module) and key in ("weight", "bias"):
                value.data.fill_(key == "weight")
            else:
                _shuffle(value, seed, parameter_name)
        for key, statistic in module.named_buffers(recurse=False):
            if key in ("running_mean", "running_var"):
                statistic.fill_(key == "running_var")


def _shuffle(value: Tensor, seed: int, name: str) -> None:
    order = torch.randperm(value.numel(), generator=generator(seed, "weights", name))
    value.data.copy_(value.detach().flatten()[order.to(value.device)].view_as(value))


def _draw(value: Tensor, bound: float, seed: int, name: str) -> None:
    drawn = torch.rand(value.shape, generator=generator(seed, "weights", name), dtype=torch.float32)
    value.data.copy_((2 * drawn - 1) * bound)


def _entry_order(classifier: Classifier) -> dict[str, int]:
    """When a pass first entered each module, by name."""
    entered: dict[str, int] = {"": 0}
    handles = []

    def recorder(name: str):  # type: ignore[no-untyped-def]
        def record(module: nn.Module, inputs: object) -> None:
            entered.setdefault(name, len(entered))

        return record

    try:
        for name, module in classifier.network.named_modules():
            handles.append(module.register_forward_pre_hook(recorder(name)))
        with clean_state(), torch.no_grad():
            classifier(classifier.to_memory_format(classifier.grey_pictures()))
    finally:
        for handle in handles:
            handle.remove()
    return entered


def _nearest_entered(name: str, entered: dict[str, int]) -> str:
    """The name itself, or that of the innermost module around it that was entered."""
    return next(above for above in _upwards(name) if above in entered)


def _upwards(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]
    yield ""


def _weights(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The module's own weights: matrices and kernels. A vector is none, however it is shaped: a layer scale may be
    (C, 1, 1). Nor is the scale of a layer norm over whole feature maps."""
    if isinstance(module, (nn.LayerNorm, nn.RMSNorm)):
        return
    for key, value in module.named_parameters(recurse=False):
        connects = isinstance(module, (nn.Linear, _ConvNd)) and key == "weight"
        if value.ndim >= 2 and (connects or sum(side > 1 for side in value.shape) >= 2):
            yield key, value


def _has_weights(module: nn.Module) -> bool:
    return next(_weights(module), None) is not None


def _is_norm(module: nn.Module) -> bool:
    """Whether a module without weights is a norm: by its statistics or its name, for there are many kinds."""
    return hasattr(module, "running_mean") or "norm" in type(module).__name__.lower()


def _has_own_state(module: nn.Module) -> bool:
    own = next(module.parameters(recurse=False), None)
    return own is not None or hasattr(module, "running_mean")
