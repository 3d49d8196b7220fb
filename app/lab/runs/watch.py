"""`gradoscope.watch`: records what gradients do in a training loop of the user's own."""

from __future__ import annotations

import math
import time
import traceback
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from .activations import Activations
from .hooks import Hook, Hooks
from .layers import is_compiled, layers_of, places
from .noise import Estimate, MicroBatches, SuccessiveSteps
from .norms import norms
from .record import FORMAT, VERSION
from .writer import RunWriter

EVERY = 10
MAX_BYTES = 2 * 2**20
DIGITS = 4  # significant ones, of numbers in the file


def watch(
    model: nn.Module,
    optimizer: Optimizer | None = None,
    *,
    file: str | Path = "run.jsonl",
    every: int = EVERY,
    batch_size: int | None = None,
    max_bytes: int = MAX_BYTES,
) -> Watch:
    """Record every `every`-th step of a training loop while the context is open; nothing is called in the loop:

        with gradoscope.watch(model, optimizer, file="run.jsonl"):
            for inputs, labels in loader:
                ...

    At each recorded step: ‖g‖ of each layer, as the optimizer gets it (unscaled, accumulated, clipped); ‖Δw‖ / ‖w‖ of
    each layer; the units of each ReLU that are zero for the whole batch; and what the gradient noise scale
    (arXiv:1812.06162) is estimated from. `gradoscope lab run FILE`, the page /lab/run and `gradoscope.read_run` draw
    the file and say what is found in it; the format is described in `lab/runs/record.py` and docs/lab.md.

    Weights, gradients, modes and random numbers are what they would be without it. It keeps one copy of the weights
    and one of the gradients. Where recording itself fails (a full disk), it
    warns once and stops; training goes on.

    Args:
        model: whose parameters are watched. Of a model that torch.compile has compiled, dead units are not recorded.
        optimizer: whose steps count; by default the first that moves a parameter of the model. A loop that moves the
            weights without torch.optim calls `step()` after each update, before gradients are set to zero.
        file: is written from the first step on, and can be read at any time. A run of that name is replaced.
        every: steps from one recorded step to the next, at least 1.
        batch_size: samples of one backward pass; by default the first dimension of the model's first argument.
        max_bytes: the file stays below; older steps are thinned out. At least 64 KiB.

    Raises:
        ValueError: nothing can learn here, or an argument is out of bounds.
        OSError: the file cannot be written, or another kind of file has that name.
    """
    return Watch(model, optimizer, Path(file), every, batch_size, max_bytes)


class Watch:
    """The context that `watch` opens. `steps` counts the optimizer's steps so far."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer | None,
        file: Path,
        every: int,
        batch_size: int | None,
        max_bytes: int,
    ) -> None:
        for name, value in (("every", every), ("batch_size", batch_size)):
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ValueError(f"{name}: {value!r} is no whole number from 1 on.")
        self.file, self.every, self.steps = file, every, 0
        self._model, self._optimizer, self._batch_size, self._max_bytes = model, optimizer, batch_size, max_bytes
        self._layers = layers_of(model)
        self._places = places(self._layers)
        self._parameters = [one for _, one in self._places]
        self._ours = {id(one) for one in self._parameters}
        self._compiled = is_compiled(model)
        self._hooks = Hooks()
        self._activations = Activations(model)
        self._micro, self._successive = MicroBatches(), SuccessiveSteps()
        self._writer: RunWriter | None = None
        self._known_activations: list[str] = []
        self._uncounted: dict[str, int] = {}  # activations whose units are not counted, as they were written last
        self._broken: set[int] = set()  # layers whose gradient was not finite before
        self._before: list[Tensor] = []  # the weights before the step
        self._passes = self._last_passes = 0
        self._depth, self._in_closure = 0, False  # steps of the optimizer within each other
        self._sizes: list[int] = []

    def __enter__(self) -> Self:
        if self._writer is not None:
            raise RuntimeError("This watch is open already, or was. Call gradoscope.watch again for another run.")
        self._writer = RunWriter(self.file, self._head(), self._max_bytes)
        self._began = time.monotonic()
        self._hooks.add(self._model.register_forward_pre_hook(Hook(self._guarded, self._forward)))
        if not self._compiled:
            self._activations.attach()
        for one in self._counters():
            self._hooks.add(one.register_hook(Hook(self._guarded, self._backward, one)))  # type: ignore[no-untyped-call]
            self._hooks.add(one.register_post_accumulate_grad_hook(Hook(self._guarded, self._accumulated)))  # type: ignore[no-untyped-call]
        if self._optimizer is not None:
            before, after = self._optimizer.register_step_pre_hook, self._optimizer.register_step_post_hook
        else:  # these see every optimizer, among them the one that has our parameters
            before, after = register_optimizer_step_pre_hook, register_optimizer_step_post_hook
        self._hooks.add(before(Hook(self._guarded, self._before_step)))
        self._hooks.add(after(Hook(self._guarded, self._after_step)))
        self._by_hand = self._optimizer is None
        if self._by_hand:
            self._keep_weights()
        self._open_step()
        return self

    def __exit__(self, *_: object) -> None:
        self._detach()

    def step(self) -> None:
        """Count a step, in a loop that moves the weights without torch.optim: after the update, before gradients are
        set to zero. Raises `RuntimeError` where an optimizer of torch.optim counts the steps."""
        if not self._by_hand:
            raise RuntimeError("The optimizer's steps are counted by themselves: leave step() out.")
        self._guarded(self._step_by_hand)

    def _step_by_hand(self) -> None:
        if self._writer is None:
            return
        self._take_gradients()
        self._end_step()
        if self._recording:  # the weights before the next step
            self._keep_weights()

    def _counters(self) -> list[nn.Parameter]:
        """Parameters whose hooks count backward passes: the first and the last that learn, for one may be unused."""
        learning = [one for one in self._parameters if one.requires_grad and one.is_leaf]
        return [learning[0], learning[-1]][: len(learning)] if learning else []

    @property
    def _recording(self) -> bool:
        return self.steps % self.every == 0

    # What happens in a step

    def _open_step(self) -> None:
        """Get ready for the step that comes: what it needs to see of forward and backward passes."""
        self._gradient: list[float | None] = []
        self._estimate: Estimate | None = None
        self._taken = False
        self._counts: dict[int, int] = {}
        self._sizes = []
        if self._recording:
            self._activations.begin()
            if self._last_passes != 1:
                self._micro.begin(self._parameters)

    def _forward(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        if not self._in_closure:
            self._depth = 0  # a step that raised is over
        if torch.is_grad_enabled() and args and isinstance(args[0], Tensor) and args[0].dim():
            self._sizes.append(args[0].shape[0])

    def _backward(self, parameter: nn.Parameter, grad: Tensor) -> None:
        """Before a gradient is added to what is there: where nothing is there, the step begins (again)."""
        if parameter.grad is None and self._counts.get(id(parameter)):
            self._counts[id(parameter)] = 0
            self._sizes = self._sizes[-1:]

    def _accumulated(self, parameter: Tensor) -> None:
        self._counts[id(parameter)] = self._counts.get(id(parameter), 0) + 1

    def _before_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self._is_ours(optimizer):
            return
        self._depth += 1
        if self._depth > 1:  # a class whose `step` calls that of its base class
            return
        closure = self._in_closure = any(
            callable(one) for one in (*args, *kwargs.values())
        )  # it computes the gradients within the step
        if not closure:
            self._take_gradients(_scale(optimizer))
        if self._recording:
            self._keep_weights()

    def _after_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self._is_ours(optimizer):
            return
        self._depth = max(0, self._depth - 1)
        if self._depth:
            return
        self._in_closure = False
        if not self._taken:
            self._take_gradients(_scale(optimizer))
        self._end_step()

    def _is_ours(self, optimizer: Optimizer) -> bool:
        if self._optimizer is None and self._by_hand:
            if not any(id(one) in self._ours for group in optimizer.param_groups for one in group["params"]):
                return False
            self._optimizer, self._by_hand = optimizer, False
        return optimizer is self._optimizer

    def _take_gradients(self, scale: float = 1.0) -> None:
        """Measure the gradients, where this step is recorded; keep them, where the next one is."""
        self._taken = True
        self._passes = max(self._counts.values(), default=0)
        if self._recording:
            there = [place for place, one in enumerate(self._parameters) if one.grad is not None]
            found = norms([grad for one in self._parameters if (grad := one.grad) is not None])
            values: list[float | None] = [None] * len(self._parameters)
            for place, value in zip(there, found, strict=True):
                values[place] = value * scale
            self._gradient = self._by_layer(values)
            square = math.fsum(value * value for value in values if value is not None and math.isfinite(value))
            self._estimate = self._micro.estimate(self._micro_sizes()) if self._passes > 1 else None
            if self._passes <= 1:
                self._estimate = self._successive.estimate(self._parameters, self._samples(), square, scale)
        if (self.steps + 1) % self.every == 0 and self._passes == 1:
            self._successive.keep(self._parameters, self._samples(), scale)

    def _micro_sizes(self) -> list[int]:
        return [self._batch_size] * self._passes if self._batch_size else self._sizes

    def _samples(self) -> int | None:
        """Samples of the whole step, where that is known: the model was called once for each backward pass."""
        if self._batch_size:
            return self._batch_size * max(1, self._passes)
        return sum(self._sizes) if self._sizes and len(self._sizes) == self._passes else None

    @torch.no_grad()
    def _keep_weights(self) -> None:
        weights = [one.detach() for one in self._parameters]
        if not self._before:
            self._before = [one.clone() for one in weights]
        else:
            torch._foreach_copy_(self._before, weights)

    @torch.no_grad()
    def _updates(self) -> list[float | None]:
        """‖Δw‖ / ‖w‖ by layer; the copy of the weights is used up."""
        if not self._before:
            return []
        sizes: list[float | None] = [*norms(self._before)]
        torch._foreach_sub_(self._before, [one.detach() for one in self._parameters])
        changes: list[float | None] = [*norms(self._before)]
        pairs = zip(self._by_layer(changes), self._by_layer(sizes), self._gradient, strict=True)
        return [change / size if change is not None and size and gradient is not None else None
                for change, size, gradient in pairs]  # fmt: skip

    def _by_layer(self, values: list[float | None]) -> list[float | None]:
        """Norms of parameters as those of their layers."""
        found: list[list[float]] = [[] for _ in self._layers]
        for (layer, _), value in zip(self._places, values, strict=True):
            if value is not None:
                found[layer].append(value)
        return [math.hypot(*one) if one else None for one in found]

    def _end_step(self) -> None:
        self._micro.close()
        if self._recording:
            self._write()
        self._last_passes = self._passes
        self.steps += 1
        self._open_step()

    # What is written

    def _head(self) -> dict[str, Any]:
        optimizer = type(self._optimizer).__name__ if self._optimizer is not None else ""
        return {
            "format": FORMAT,
            "version": VERSION,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "every": self.every,
            "model": type(getattr(self._model, "_orig_mod", self._model)).__name__[:200],
            "optimizer": optimizer,
            "torch": str(torch.__version__),
            "notes": ["compiled"] if self._compiled else [],
            "layers": [layer.to_dict() for layer in self._layers],
        }

    def _write(self) -> None:
        assert self._writer is not None
        units, dead, silent = self._activations.end(self.steps)
        for name, count in units.items():
            if name not in self._known_activations:
                self._known_activations.append(name)
                self._writer.add_activation(name, count)
        broken = {place for place, value in enumerate(self._gradient) if value is not None and not math.isfinite(value)}
        line: dict[str, Any] = {
            "step": self.steps,
            "seconds": round(time.monotonic() - self._began, 3),
            "samples": self._samples(),
            "passes": self._passes or None,
            "gradient": [_short(value) for value in self._gradient],
            "update": [_short(value) for value in self._updates()],
        }
        if broken:
            line["not_finite"] = sorted(broken)
        if dead:
            line["dead"] = [dead.get(name) for name in self._known_activations]
            line["silent"] = [silent.get(name, []) for name in self._known_activations]
        uncounted = self._activations.uncounted
        if new := uncounted != self._uncounted:
            line["uncounted"] = self._uncounted = uncounted
        if self._estimate is not None:
            line["noise"] = [_short(self._estimate.trace), _short(self._estimate.square)]
            line["noise_from"] = self._estimate.source
        self._writer.add_step(line, stays=new or bool(broken - self._broken))
        self._broken |= broken

    # When it goes wrong, and at the end

    def _guarded(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call it. What goes wrong in recording ends the record, and not the training."""
        if self._writer is None:
            return
        try:
            function(*arguments)
        except Exception as error:
            self._detach()
            where = traceback.extract_tb(error.__traceback__)[-1]
            warnings.warn(
                f"gradoscope.watch stopped recording at step {self.steps}, and training goes on: "
                f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno}).",
                RuntimeWarning,
                stacklevel=3,
            )

    def _detach(self) -> None:
        """Remove every hook, and close the file."""
        self._hooks.remove()
        self._activations.close()
        self._micro.close()
        self._successive.clear()
        self._before = []
        if self._writer is not None:
            self._writer.close()


def _scale(optimizer: Optimizer) -> float:
    """What gradients are still to be multiplied by: a fused optimizer takes the scale of AMP off by itself."""
    scale = getattr(optimizer, "grad_scale", None)
    return 1 / float(scale) if isinstance(scale, Tensor) else 1.0


def _short(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.{DIGITS}g}")
