"""What one probing pass tells of a classifier; from this the methods know beforehand what they can explain rightly."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from weakref import WeakKeyDictionary

from torch import Tensor, nn
from torch.autograd.graph import Node

from .autograd_graph import ATTENTION, classify_nonlinearities, kind, nonlinear
from .classifier import Classifier
from .errors import Refused
from .layers import FeatureLayers, Layer, find_layers
from .memory import out_of_memory
from .torch_state import clean_state

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class NonlinearOperation:
    """A nonlinear operation, and the type of the module whose output it is; None where no module's is."""

    kind: str
    module: type[nn.Module] | None

    def __str__(self) -> str:
        name = "attention" if ATTENTION.fullmatch(self.kind) else self.kind.lower()  # one kernel for each device
        return f"{name} ({self.module.__name__ if self.module else 'no module'})"


@dataclass(frozen=True)
class Operations:
    """The operations on the way from the picture to the logits: how many of each kind.

    `guided`, `gates` and `unknown` are as `classify_nonlinearities` sorts them, `unrectified` are those of `guided`
    that are no rectifiers, `nonlinear` is everything that is not linear in the picture. `differentiable` says whether
    the logits depend on the picture by differentiable operations at all.
    """

    guided: Counter[str] = field(default_factory=Counter)
    unrectified: Counter[str] = field(default_factory=Counter)
    gates: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    nonlinear: Counter[NonlinearOperation] = field(default_factory=Counter)
    differentiable: bool = True


@dataclass(frozen=True)
class Inspection:
    """What one can see inside a network. If its layers, or its operations, could not be inspected, only the methods
    that need them are refused.

    `layer_fault` and `operation_fault` say why not; None where they could. `found_layers` and `found_operations` are
    empty then: use `feature_layers` and `operations`, which raise `Refused`.
    """

    found_layers: FeatureLayers
    found_operations: Operations
    layer_fault: str | None = None
    operation_fault: str | None = None

    @property
    def layers(self) -> list[Layer]:
        """The layers that hold feature maps, in execution order; none where they could not be looked for."""
        return self.found_layers.layers

    @property
    def default_layer(self) -> str | None:
        """The layer that Grad-CAM takes by itself."""
        return self.found_layers.default

    @property
    def feature_layers(self) -> FeatureLayers:
        """The layers that hold feature maps. Raises `Refused` if they could not be looked for."""
        if self.layer_fault is not None:
            raise Refused(
                f"The layers of this model could not be looked at ({self.layer_fault}): no feature map is known."
            )
        return self.found_layers

    @property
    def operations(self) -> Operations:
        """The operations on the way to the logits. Raises `Refused` if they could not be looked at."""
        if self.operation_fault is not None:
            raise Refused(
                f"The operations of this model could not be looked at ({self.operation_fault}), so it is not known "
                "whether the map would be right. Take a method that needs no rules, such as integrated gradients."
            )
        return self.found_operations

    @property
    def guided(self) -> Counter[str]:
        """See `Operations`; like those below. Raises `Refused` as `operations` does."""
        return self.operations.guided

    @property
    def unrectified(self) -> Counter[str]:
        return self.operations.unrectified

    @property
    def gates(self) -> Counter[str]:
        return self.operations.gates

    @property
    def unknown(self) -> Counter[str]:
        return self.operations.unknown

    @property
    def nonlinear(self) -> Counter[NonlinearOperation]:
        return self.operations.nonlinear

    @property
    def differentiable(self) -> bool:
        return self.operations.differentiable


_known: WeakKeyDictionary[Classifier, Inspection] = WeakKeyDictionary()


def inspection_of(classifier: Classifier) -> Inspection:
    """What a probing pass tells of a classifier; made once for each classifier, when it is first asked for."""
    if classifier not in _known:
        _known[classifier] = inspect_classifier(classifier)
    return _known[classifier]


def inspect_classifier(classifier: Classifier) -> Inspection:
    """Run one grey picture through the classifier and look. Raises only where memory runs out."""
    probe = classifier.grey_pictures()
    with clean_state():
        layers, layer_fault = _attempt(lambda: find_layers(classifier, probe), FeatureLayers([], None))
        operations, operation_fault = _attempt(lambda: find_operations(classifier, probe), Operations())
    return Inspection(layers, operations, layer_fault, operation_fault)


def find_operations(classifier: Classifier, probe: Tensor) -> Operations:
    """The operations between a picture, (1, C, H, W), and its logits."""
    with _module_types(classifier) as module_types:
        logits = classifier(classifier.to_memory_format(probe).clone().requires_grad_())
    found = classify_nonlinearities(logits)
    return Operations(
        guided=Counter(map(kind, found.guided)),
        unrectified=found.unrectified,
        gates=Counter(map(kind, found.gates)),
        unknown=found.unknown,
        nonlinear=Counter(NonlinearOperation(kind(node), module_types.get(node)) for node in nonlinear(logits)),
        differentiable=logits.requires_grad,
    )


def _attempt(look: Callable[[], T], nothing: T) -> tuple[T, str | None]:
    """What `look` finds; or `nothing`, and why it failed."""
    try:
        return look(), None
    except Exception as error:  # a network may contain anything
        if out_of_memory(error):
            raise
        log.info("a look inside the network failed", exc_info=True)
        return nothing, f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')[:160]}".removesuffix(": ")


@contextmanager
def _module_types(classifier: Classifier) -> Iterator[dict[Node, type[nn.Module]]]:
    """A context that notes for each operation the type of the module whose output it is; of nested modules, the
    innermost."""
    module_types: dict[Node, type[nn.Module]] = {}

    def keep(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.grad_fn is not None:
            module_types.setdefault(output.grad_fn, type(module))

    with ExitStack() as hooks:
        for module in classifier.network.modules():
            hooks.callback(module.register_forward_hook(keep).remove)
        yield module_types
