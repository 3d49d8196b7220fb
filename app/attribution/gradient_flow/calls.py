"""Which module an operation of a pass belongs to: when each was entered and left, by autograd's own counting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node


@dataclass
class ModuleCall:
    """One call of a module: `begin` and `end` are the numbers that autograd gave to operations by then."""

    name: str
    kind: str
    begin: int
    end: int = -1
    leaf: bool = True  # no other module was called within
    output: Node | None = None

    def holds(self, number: int) -> bool:
        return self.begin <= number < self.end


@dataclass
class ModuleCalls:
    """The calls of a pass, in the order in which they were entered."""

    made: list[ModuleCall] = field(default_factory=list)
    _open: list[ModuleCall] = field(default_factory=list)

    def enter(self, name: str, kind: str) -> None:
        if self._open:
            self._open[-1].leaf = False
        call = ModuleCall(name, kind, _operations())
        self.made.append(call)
        self._open.append(call)

    def leave(self, output: object) -> None:
        call = self._open.pop()
        call.end = _operations()
        if isinstance(output, Tensor):
            call.output = output.grad_fn

    def around(self, number: int) -> ModuleCall | None:
        """The innermost call in which an operation was done; None where it was done outside of the network."""
        return next((call for call in reversed(self.made) if call.holds(number)), None)


@contextmanager
def noted(network: nn.Module) -> Iterator[ModuleCalls]:
    """Within: every call of a module of `network` is noted. The hooks change nothing that passes through them."""
    calls = ModuleCalls()
    with ExitStack() as hooks:
        for name, module in network.named_modules():

            def enter(module: nn.Module, inputs: object, name: str = name) -> None:
                calls.enter(name, type(module).__name__)

            def leave(module: nn.Module, inputs: object, output: object) -> None:
                calls.leave(output)

            # before the hooks of others, which may call modules themselves
            hooks.callback(module.register_forward_pre_hook(enter, prepend=True).remove)
            hooks.callback(module.register_forward_hook(leave).remove)
        yield calls


def number_of(operation: Node) -> int:
    """Autograd counts the operations of a thread: later ones have larger numbers."""
    return int(operation._sequence_nr())


def _operations() -> int:
    """How many operations autograd has counted in this thread."""
    return int(torch._C._autograd._get_sequence_nr())
