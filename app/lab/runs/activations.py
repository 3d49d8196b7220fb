"""Which units of which ReLUs fire, seen in the forward passes of a model."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .hooks import Hook, Hooks
from .record import MAX_ACTIVATIONS, MAX_NAME, MAX_SILENT

RELUS = frozenset({torch.relu, torch.relu_, F.relu, F.relu6, Tensor.relu, Tensor.relu_})
OTHERS: Mapping[Any, str] = {
    F.gelu: "GELU", F.silu: "SiLU", F.mish: "Mish", F.leaky_relu: "LeakyReLU", F.leaky_relu_: "LeakyReLU",
    F.prelu: "PReLU", F.rrelu: "RReLU", F.elu: "ELU", F.elu_: "ELU", F.selu: "SELU", F.celu: "CELU",
    F.softplus: "Softplus", F.softsign: "Softsign", F.logsigmoid: "LogSigmoid", F.hardswish: "Hardswish",
    F.hardsigmoid: "Hardsigmoid", F.hardtanh: "Hardtanh", torch.tanh: "tanh", Tensor.tanh: "tanh",
    torch.sigmoid: "sigmoid", Tensor.sigmoid: "sigmoid",
}  # fmt: skip
"""Activations whose units are not counted: where these are flat they need not be zero. Which there are is said."""
OWN = (nn.ReLU, nn.ReLU6)  # modules that stand for their one activation
NEAR = 4  # nodes of the graph before a ReLU, in which its convolution is looked for
MAX_CALLS = 4  # calls of one module's ReLU in a pass that are told apart; later ones count with the last


class _Seen(TorchFunctionMode):
    """Passes the outputs of ReLUs on, however they are called (module, function, method); of others their kinds."""

    def __init__(self, seen: Callable[[Tensor], None], other: Callable[[str], None]) -> None:
        super().__init__()
        self._told, self._other = seen, other

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and (func in RELUS or (func is F.hardtanh and _is_relu6(*args, **(kwargs or {})))):
            self._told(out)
        elif (kind := OTHERS.get(func)) is not None:
            self._other(kind)
        return out


def _is_relu6(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> bool:
    """nn.ReLU6 is a clamp from 0 on."""
    return min_val == 0


class Activations:
    """Counts dead units between `begin` and `end`, and remembers when each unit fired last.

    While it is attached, two hooks of the whole model turn on a mode of PyTorch that sees the ReLUs, for those forward
    passes of a recorded step that have gradients on. The hooks stay between the steps: torch.compile would compile
    again wherever they come and go. A unit is a channel of a feature map, or a feature. It is alive if it is above
    zero anywhere: in one sample, place or step of time, in any forward pass of the step.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._names = {id(module): name for name, module in model.named_modules()}
        self._hooks = Hooks()
        self._on = False
        self._mode: contextlib.ExitStack | None = None
        self._calls: Counter[str] = Counter()
        self._alive: dict[str, Tensor] = {}
        self._fired: dict[str, np.ndarray] = {}  # the recorded step at which each unit fired last
        self._others: dict[str, set[str]] = {}  # of activations that are not counted: in which modules they were called
        self._error: Exception | None = None

    @property
    def uncounted(self) -> dict[str, int]:
        """In how many modules other activations than ReLUs were called, by their kinds."""
        return {kind: len(places) for kind, places in sorted(self._others.items())}

    def attach(self) -> None:
        self._hooks.add(self._model.register_forward_pre_hook(Hook(self._start)))
        self._hooks.add(self._model.register_forward_hook(Hook(self._stop), always_call=True))

    def begin(self) -> None:
        """See the forward passes from now on."""
        self._alive.clear()
        self._on = True

    def end(self, step: int) -> tuple[dict[str, int], dict[str, int], dict[str, list[tuple[int, int]]]]:
        """What was seen, by activation: its units, those that were dead, and when these fired last; see `StepLine`."""
        self._on = False
        if self._error is not None:
            raise self._error
        alive = {name: one.cpu().numpy() for name, one in self._alive.items()}
        self._alive.clear()
        units, dead, silent = {}, {}, {}
        for name, mask in alive.items():
            fired = self._fired.setdefault(name, np.full(mask.shape, -1, dtype=np.int64))
            fired[mask] = step
            units[name], dead[name] = int(mask.size), int((~mask).sum())
            silent[name] = merged(fired[~mask])
        return units, dead, silent

    def close(self) -> None:
        """Remove the hooks, and the mode where a forward pass was broken off."""
        self._on = False
        self._hooks.remove()
        self._stop()

    def _start(self, module: nn.Module, args: Any) -> None:
        if not self._on or self._mode is not None or not torch.is_grad_enabled():
            return
        self._calls.clear()
        self._mode = contextlib.ExitStack()
        self._mode.enter_context(_Seen(self._seen, self._seen_other))

    def _stop(self, *_: Any) -> None:
        mode, self._mode = self._mode, None
        if mode is not None:
            mode.close()

    def _seen(self, out: Tensor) -> None:
        """What goes wrong here is told by `end`, not in the middle of the user's forward pass."""
        try:
            if self._error is None:
                self._activation(out)
        except Exception as error:
            self._error = error

    def _seen_other(self, kind: str) -> None:
        self._others.setdefault(kind, set()).add(self._running()[0])

    @torch.no_grad()
    def _activation(self, out: Tensor) -> None:
        if torch._C._functorch.is_functorch_wrapped_tensor(out):  # of a transform, whose values leave it only inside
            return
        name = self._name()
        if out.dim() < 2 or not out.numel() or (name not in self._alive and len(self._alive) >= MAX_ACTIVATIONS):
            return
        unit = 2 if out.dim() == 3 and not _comes_from_channels(out) else 1
        rest = [place for place in range(out.dim()) if place != unit]
        alive = out.detach().amax(rest) > 0
        before = self._alive.get(name)
        known = self._fired.get(name)
        if (before is not None and before.shape != alive.shape) or (known is not None and known.shape != alive.shape):
            return  # its number of units hangs on the input: there is no unit to follow
        self._alive[name] = alive if before is None else before | alive

    def _name(self) -> str:
        """Where in the model a ReLU was called: `layer1.0.relu`, its second call in a pass
        `layer1.0.relu#2`, a function that the forward of `block` calls `block.relu()`."""
        place, own = self._running()
        name = place if own and place else f"{place}.relu()".removeprefix(".")
        self._calls[name] += 1
        call = min(self._calls[name], MAX_CALLS)
        return (name if call == 1 else f"{name}#{call}")[-MAX_NAME:]

    def _running(self) -> tuple[str, bool]:
        """The innermost module of the model whose code is running, and whether it is a ReLU."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            module = frame.f_locals.get("self") if frame.f_code.co_argcount else None
            if isinstance(module, nn.Module) and (name := self._names.get(id(module))) is not None:
                return name, isinstance(module, OWN)
            frame = frame.f_back
        return "", False


def _comes_from_channels(out: Tensor) -> bool:
    """Whether (N, C, L) came of a convolution or a normalisation of channels, and not of a linear layer."""
    node = out.grad_fn
    for _ in range(NEAR):
        if node is None:
            return False
        if "Convolution" in node.name() or "BatchNorm" in node.name():
            return True
        node = node.next_functions[0][0] if node.next_functions else None
    return False


def merged(last: np.ndarray) -> list[tuple[int, int]]:
    """(step, how many units fired last then), at most `MAX_SILENT` of them; the closest go to the later step."""
    steps, counts = np.unique(last, return_counts=True)
    found = list(zip(steps.tolist(), counts.tolist(), strict=True))
    while len(found) > MAX_SILENT:
        gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(found[1:])]
        place = 1 + int(np.argmin(gaps))  # the first entry stays: it holds those that never fired
        found[place : place + 2] = [(found[place + 1][0], found[place][1] + found[place + 1][1])]
    return found
