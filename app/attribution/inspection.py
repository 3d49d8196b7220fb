"""What one probing pass tells of a classifier; from this the methods know beforehand what they can explain rightly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from .autograd_graph import classify_nonlinearities, kind, nonlinear
from .classifier import Classifier
from .layers import Layer, find_layers


@dataclass(frozen=True)
class NonlinearOperation:
    """A nonlinear operation, and the type of the module whose output it is; None where no module's is."""

    kind: str
    module: type[nn.Module] | None

    def __str__(self) -> str:
        return f"{self.kind.lower()} ({self.module.__name__ if self.module else 'no module'})"


@dataclass(frozen=True)
class Inspection:
    """The layers that hold feature maps, and the operations on the way from the picture to the logits, by number.

    `guided`, `gates` and `unknown` are as `classify_nonlinearities` sorts them, `unrectified` are those of `guided`
    that are no rectifiers, `nonlinear` is everything that is not linear in the picture. `differentiable` says whether
    the logits depend on the picture by differentiable operations at all.
    """

    layers: list[Layer]
    guided: Counter[str]
    unrectified: Counter[str]
    gates: Counter[str]
    unknown: Counter[str]
    nonlinear: Counter[NonlinearOperation]
    differentiable: bool


_known: WeakKeyDictionary[Classifier, Inspection] = WeakKeyDictionary()


def inspection_of(classifier: Classifier) -> Inspection:
    """What a probing pass tells of a classifier; made once for each classifier, when it is first asked for."""
    if classifier not in _known:
        _known[classifier] = inspect_classifier(classifier)
    return _known[classifier]


def inspect_classifier(classifier: Classifier) -> Inspection:
    """Run one grey picture through the classifier and look."""
    probe = classifier.grey_pictures()
    with torch.enable_grad(), _makers(classifier) as makers:
        logits = classifier(probe.clone().requires_grad_())
    found = classify_nonlinearities(logits)
    return Inspection(
        layers=find_layers(classifier, probe),
        guided=Counter(map(kind, found.guided)),
        unrectified=found.unrectified,
        gates=Counter(map(kind, found.gates)),
        unknown=found.unknown,
        nonlinear=Counter(NonlinearOperation(kind(node), makers.get(node)) for node in nonlinear(logits)),
        differentiable=logits.requires_grad,
    )


@contextmanager
def _makers(classifier: Classifier) -> Iterator[dict[Node, type[nn.Module]]]:
    """Within: which operation is the output of which type of module; the innermost, where several hand it on."""
    makers: dict[Node, type[nn.Module]] = {}

    def keep(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.grad_fn is not None:
            makers.setdefault(output.grad_fn, type(module))

    handles = [module.register_forward_hook(keep) for module in classifier.network.modules()]
    try:
        yield makers
    finally:
        for handle in handles:
            handle.remove()
