"""Private copies of a network that a metric may change: the model in memory never is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ..classifier import Classifier
from ..copies import copied
from ..memory import out_of_memory
from ..noise import generator
from ..torch_state import clean_state

# a module's name, and the module
Named = tuple[str, nn.Module]
_counted: WeakKeyDictionary[nn.Module, int | None] = WeakKeyDictionary()
log = logging.getLogger(__name__)


def private_copy(classifier: Classifier) -> Classifier:
    """The same classifier on a copy of its network; run as it is written, without quicker ways to its gradients."""
    copy = classifier.view()
    copy.network = copied(classifier.network, share=False)
    return copy


def layers(classifier: Classifier) -> list[list[Named]]:
    """The layers that hold weights, from the top (next to the logits) down; with each the norms that follow it.

    The order is that in which a pass enters them. A layer that is never entered itself (an auxiliary head, a
    projection inside attention) stands where the module around it was entered.
    """
    entered = _entered(classifier)
    held = [(name, module) for name, module in classifier.network.named_modules() if _holds(module)]
    held.sort(key=lambda named: entered[_nearest(named[0], entered)])  # stable: else as they are written
    groups: list[list[Named]] = []
    for name, module in held:
        if groups and not _weighs(module):
            groups[-1].append((name, module))
        else:
            groups.append([(name, module)])
    return groups[::-1]


def count_weighted_layers(classifier: Classifier) -> int | None:
    """How many layers `layers` gives; a pass finds it out once for each network. None where that fails."""
    if classifier.network not in _counted:
        try:
            _counted[classifier.network] = len(layers(classifier))
        except Exception as error:
            if out_of_memory(error):
                raise
            log.info("the layers of a network could not be counted", exc_info=True)
            _counted[classifier.network] = None
    return _counted[classifier.network]


def randomise(layer: list[Named], seed: int) -> None:
    """Draw a layer's weights anew, in place: uniform within ±√(6/fan-in), which keeps the size of what passes a ReLU
    network (He, Zhang, Ren, Sun 2015, arXiv:1502.01852); offsets within ±1/√fan-in.

    PyTorch's own draw, smaller by √6, lets the signal of fifty layers fade until a score's differences drown in the
    rounding of float32. Norms become as they begin: scale 1, offset 0, mean 0, variance 1. Each tensor's draw comes
    from (seed, its name) alone, so the stages share what is above them.
    """
    for name, module in layer:
        matrices = [p for p in module.parameters(recurse=False) if p.ndim >= 2]
        bound = max(m[0].numel() for m in matrices) ** -0.5 if matrices else 0.0
        for key, value in module.named_parameters(recurse=False):
            if value.ndim >= 2:
                _draw(value, (6 / value[0].numel()) ** 0.5, seed, f"{name}.{key}")
            elif matrices:
                _draw(value, bound, seed, f"{name}.{key}")
            elif key in ("weight", "bias"):
                value.data.fill_(key == "weight")
        for key, statistic in module.named_buffers(recurse=False):
            if key in ("running_mean", "running_var"):
                statistic.fill_(key == "running_var")


def _draw(value: Tensor, bound: float, seed: int, name: str) -> None:
    drawn = torch.rand(value.shape, generator=generator(seed, "weights", name), dtype=torch.float32)
    value.data.copy_((2 * drawn - 1) * bound)


def _entered(classifier: Classifier) -> dict[str, int]:
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
            classifier(classifier.lay_out(classifier.grey_pictures()))
    finally:
        for handle in handles:
            handle.remove()
    return entered


def _nearest(name: str, entered: dict[str, int]) -> str:
    """The name itself, or that of the innermost module around it that was entered."""
    return next(above for above in _upwards(name) if above in entered)


def _upwards(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]
    yield ""


def _weighs(module: nn.Module) -> bool:
    return any(parameter.ndim >= 2 for parameter in module.parameters(recurse=False))


def _holds(module: nn.Module) -> bool:
    own = next(module.parameters(recurse=False), None)
    return own is not None or hasattr(module, "running_mean")
