"""Which units of which ReLUs fire, seen in the forward passes of a model."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .hooks import Hook, Hooks
from .record import MAX_ACTIVATIONS, MAX_NAME, MAX_SILENT

RELUS = frozenset({torch.relu, torch.relu_, F.relu, F.relu6, Tensor.relu, Tensor.relu_})
OWN = (nn.ReLU, nn.ReLU6)  # modules that stand for their one activation
ALONG_TIME = (nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d)  # after these dimension 1 of three holds the units
MAX_CALLS = 4  # calls of one module's ReLU in a pass that are told apart; later ones count with the last


class _Seen(TorchFunctionMode):
    """Passes the outputs of ReLUs on, however they are called: as modules, functions or methods."""

    def __init__(self, seen: Callable[[Tensor], None]) -> None:
        super().__init__()
        self._told = seen

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and (func in RELUS or (func is F.hardtanh and _is_relu6(*args, **(kwargs or {})))):
            self._told(out)
        return out


def _is_relu6(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> bool:
    """nn.ReLU6 is a clamp from 0 on."""
    return min_val == 0


class Activations:
    """Counts dead units between `begin` and `end`, and remembers when each unit fired last.

    Between the two, hooks of the modules say which of them is running, and a mode of PyTorch sees the ReLUs; the mode
    is on only while the model's own forward runs with gradients on. A unit is a channel of a feature map, or a
    feature. It is alive if it is above zero anywhere: in one sample, place or step of time, in any forward pass of
    the step.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._hooks = Hooks()
        self._mode: contextlib.ExitStack | None = None
        self._running: list[tuple[str, nn.Module]] = []
        self._calls: Counter[str] = Counter()
        self._last: nn.Module | None = None  # the last module with weights of its own that ran
        self._alive: dict[str, Tensor] = {}
        self._fired: dict[str, np.ndarray] = {}  # the recorded step at which each unit fired last
        self._error: Exception | None = None

    def begin(self) -> None:
        """See the forward passes from now on."""
        self._alive.clear()
        for name, module in self._model.named_modules():
            if module is not self._model and not isinstance(module, torch.jit.ScriptModule):
                self._hooks.add(module.register_forward_pre_hook(Hook(self._enter, name)))
                self._hooks.add(module.register_forward_hook(Hook(self._leave), always_call=True))
        self._hooks.add(self._model.register_forward_pre_hook(Hook(self._start)))
        self._hooks.add(self._model.register_forward_hook(Hook(self._stop), always_call=True))

    def end(self, step: int) -> tuple[dict[str, int], dict[str, int], dict[str, list[tuple[int, int]]]]:
        """What was seen, by activation: its units, those that were dead, and when these fired last; see `StepLine`."""
        self.close()
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
        self._hooks.remove()
        self._leave_mode()

    def _start(self, module: nn.Module, args: Any) -> None:
        if self._mode is not None or not torch.is_grad_enabled():
            return
        self._running, self._last = [], None
        self._calls.clear()
        self._mode = contextlib.ExitStack()
        self._mode.enter_context(_Seen(self._seen))

    def _stop(self, *_: Any) -> None:
        self._leave_mode()

    def _leave_mode(self) -> None:
        mode, self._mode = self._mode, None
        if mode is not None:
            mode.close()

    def _enter(self, name: str, module: nn.Module, args: Any) -> None:
        self._running.append((name, module))

    def _leave(self, module: nn.Module, args: Any, out: Any) -> None:
        if self._running:
            self._running.pop()
        if module._parameters:
            self._last = module

    def _seen(self, out: Tensor) -> None:
        """What goes wrong here is told by `end`, not in the middle of the user's forward pass."""
        try:
            if self._error is None:
                self._activation(out)
        except Exception as error:
            self._error = error

    @torch.no_grad()
    def _activation(self, out: Tensor) -> None:
        if torch._C._functorch.is_functorch_wrapped_tensor(out):  # of a transform, whose values leave it only inside
            return
        name = self._name()
        if out.dim() < 2 or not out.numel() or (name not in self._alive and len(self._alive) >= MAX_ACTIVATIONS):
            return
        unit = 1 if out.dim() != 3 or isinstance(self._last, ALONG_TIME) else 2
        rest = [place for place in range(out.dim()) if place != unit]
        alive = out.detach().amax(rest) > 0
        before = self._alive.get(name)
        known = self._fired.get(name)
        if (before is not None and before.shape != alive.shape) or (known is not None and known.shape != alive.shape):
            return  # its number of units hangs on the input: there is no unit to follow
        self._alive[name] = alive if before is None else before | alive

    def _name(self) -> str:
        """Where in the model a ReLU was called: `layer1.0.relu`, its second call in a pass `layer1.0.relu#2`."""
        place, module = self._running[-1] if self._running else ("", self._model)
        name = place if isinstance(module, OWN) and place else f"{place}.relu".removeprefix(".")
        self._calls[name] += 1
        call = min(self._calls[name], MAX_CALLS)
        return (name if call == 1 else f"{name}#{call}")[-MAX_NAME:]


def merged(last: np.ndarray) -> list[tuple[int, int]]:
    """(step, how many units fired last then), at most `MAX_SILENT` of them; the closest go to the later step."""
    steps, counts = np.unique(last, return_counts=True)
    found = list(zip(steps.tolist(), counts.tolist(), strict=True))
    while len(found) > MAX_SILENT:
        gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(found[1:])]
        place = 1 + int(np.argmin(gaps))  # the first entry stays: it holds those that never fired
        found[place : place + 2] = [(found[place + 1][0], found[place][1] + found[place + 1][1])]
    return found
