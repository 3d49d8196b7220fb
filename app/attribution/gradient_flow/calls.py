"""Finds the module call that an operation belongs to.

Autograd numbers the operations of a thread in the order in which the forward pass runs them. So an operation belongs to
a call of a module if its number lies between those at the start and at the end of the call.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node


@dataclass
class ModuleCall:
    """One call of a module. Its operations have the sequence numbers `begin` ≤ number < `end`."""

    name: str  # as in `named_modules`
    kind: str  # the name of its class
    begin: int
    end: int = -1
    leaf: bool = True  # it called no other module
    output: Node | None = None  # the operation that made its output
    pooled: Tensor | None = None  # what went into it, if it pools: autograd does not keep the input of a mean

    def contains(self, number: int) -> bool:
        return self.begin <= number < self.end


@dataclass
class ModuleCalls:
    """The module calls of a pass, in the order in which they started; `_running` have not returned yet."""

    entries: list[ModuleCall] = field(default_factory=list)
    _running: list[ModuleCall] = field(default_factory=list)

    def enter(self, name: str, kind: str, inputs: object) -> None:
        if self._running:
            self._running[-1].leaf = False
        call = ModuleCall(name, kind, _next_number())
        if "pool" in kind.lower() and isinstance(inputs, tuple) and len(inputs) == 1 and isinstance(inputs[0], Tensor):
            call.pooled = inputs[0].detach()
        self.entries.append(call)
        self._running.append(call)

    def leave(self, output: object) -> None:
        call = self._running.pop()
        call.end = _next_number()
        if isinstance(output, Tensor):
            call.output = output.grad_fn

    def innermost_call(self, number: int) -> ModuleCall | None:
        """The innermost call that an operation belongs to; None if no module's call contains it."""
        return next((call for call in reversed(self.entries) if call.contains(number)), None)


@contextmanager
def record_calls(network: nn.Module) -> Iterator[ModuleCalls]:
    """A context in which every call of a module of `network` is recorded. The hooks change no values."""
    calls = ModuleCalls()
    with ExitStack() as hooks:
        for name, module in network.named_modules():

            def enter(module: nn.Module, inputs: object, name: str = name) -> None:
                calls.enter(name, type(module).__name__, inputs)

            def leave(module: nn.Module, inputs: object, output: object) -> None:
                calls.leave(output)

            # first, so that modules which other hooks call count as called inside
            hooks.callback(module.register_forward_pre_hook(enter, prepend=True).remove)
            hooks.callback(module.register_forward_hook(leave).remove)
        yield calls


def number_of(operation: Node) -> int:
    """Autograd's sequence number of an operation: operations that ran later in the same thread have larger numbers."""
    return int(operation._sequence_nr())


def _next_number() -> int:
    """The sequence number that the next operation of this thread will get."""
    return int(torch._C._autograd._get_sequence_nr())
