"""Computing in a known state of PyTorch, whatever the caller has set; the caller's state comes back afterwards."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

import torch

S = TypeVar("S")
R = TypeVar("R")
AUTOCAST_DEVICES = ("cpu", "cuda", "mps", "xpu")
OPERATIONS = ("all", "matmul", "conv", "rnn")
# (backend, operation) of each setting of float32 precision, the general before the specific: one that is not set
# has the value of the more general.
# PyTorch 2.8 knows none of them.
PRECISIONS = (
    (("generic", "all"), *((backend, operation) for backend in ("cuda", "mkldnn") for operation in OPERATIONS))
    if hasattr(torch._C, "_get_fp32_precision_getter")
    else ()
)
REDUCED = ("tf32", "bf16")
_thread = threading.local()


@contextmanager
def clean_state() -> Iterator[None]:
    """A context in which gradients are recorded and float32 is float32; at its end all is as the caller had it.

    Within: grad mode on, inference mode off, autocast off, default device CPU, default dtype float32, no TF32 or
    bfloat16 in the place of float32, and an operation without a deterministic form warns instead of failing. The first
    four belong to the thread, the others to the process. Do not keep it open over a `yield`; see `in_clean_state`.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device in AUTOCAST_DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.callback(setattr, _thread, "has_default_device", has_default_device())
            _thread.has_default_device = True
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(_process)
        yield


def without_cudnn() -> AbstractContextManager[None]:
    """A context in which cuDNN is not used; its other settings stay as they are. It belongs to the process."""
    return _no_cudnn


def has_default_device() -> bool:
    """Whether the caller has set a default device. If so, a network may create tensors without naming a device."""
    return getattr(_thread, "has_default_device", False)


def in_clean_state(steps: Generator[S, None, R]) -> Generator[S, None, R]:
    """The same generator, each of whose steps runs in `clean_state`. Between them the caller has its own state."""
    try:
        while True:
            with clean_state():
                try:
                    step = next(steps)
                except StopIteration as end:
                    result: R = end.value
                    return result
            yield step
    finally:
        with clean_state():
            steps.close()


class _ProcessState:
    """A context that sets what belongs to the whole process: the first thread that enters it sets it, and the last one
    that leaves it puts it back."""

    def __init__(self, set_state: Callable[[], ExitStack]) -> None:
        """`set_state` sets it; what it returns puts the caller's back when it is closed."""
        self._set_state = set_state
        self.forget_users()

    def forget_users(self) -> None:
        """As if no thread were within: none is in a forked child, where the lock may be held by one that is gone."""
        self._lock = threading.Lock()
        self._users = 0
        self._restore = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._restore = self._set_state()
            self._users += 1

    def __exit__(self, *raised: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._restore.close()


def _set_process_state() -> ExitStack:
    stack = ExitStack()
    dtype = torch.get_default_dtype()
    if dtype != torch.float32:
        stack.callback(torch.set_default_dtype, dtype)
        torch.set_default_dtype(torch.float32)
    if torch.are_deterministic_algorithms_enabled() and not torch.is_deterministic_algorithms_warn_only_enabled():
        stack.callback(torch.use_deterministic_algorithms, True)
        torch.use_deterministic_algorithms(True, warn_only=True)
    stack.enter_context(_full_precision())
    return stack


def _disable_cudnn() -> ExitStack:
    stack = ExitStack()
    stack.callback(setattr, torch.backends.cudnn, "enabled", torch.backends.cudnn.enabled)
    torch.backends.cudnn.enabled = False
    return stack


_process, _no_cudnn = _ProcessState(_set_process_state), _ProcessState(_disable_cudnn)
if hasattr(os, "register_at_fork"):
    for _state in (_process, _no_cudnn):
        os.register_at_fork(after_in_child=_state.forget_users)


@contextmanager
def _full_precision() -> Iterator[None]:
    """A context in which no float32 operation computes with fewer bits."""
    precisions = [(name, _precision(*name)) for name in PRECISIONS]
    cudnn_tf32 = torch.backends.cudnn.allow_tf32
    # PyTorch has an older and a newer way to say this, and fails where the two contradict each other
    torch.backends.cudnn.allow_tf32 = False
    for name, value in precisions:
        if value in REDUCED:
            torch._C._set_fp32_precision_setter(*name, "ieee")
    matmul_precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul_precision)
        torch.backends.cudnn.allow_tf32 = cudnn_tf32
        for name, value in precisions:
            if _precision(*name) != value:
                torch._C._set_fp32_precision_setter(*name, value)


def _precision(backend: str, operation: str) -> str:
    return str(torch._C._get_fp32_precision_getter(backend, operation))
