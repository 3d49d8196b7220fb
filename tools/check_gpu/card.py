"""What only a CUDA device can do, in one place; and a stand-in that runs the same calls on the CPU, for a test."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.memory import release_freed_memory
from gradoscope.attribution.torch_state import clean_state
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from benchmarks.maps import memory

Compute = Callable[[Tensor], Tensor]
WARM_UP = 3  # passes before a graph is captured, as PyTorch's manual has it


class Card(ABC):
    """A device, and what is done with it beyond computing on it."""

    device: torch.device
    name: str

    @abstractmethod
    def synchronize(self) -> None:
        """Wait until all that was asked for is computed."""

    @abstractmethod
    def limited(self, room: int) -> Any:
        """A context in which `room` more bytes can be taken, and no more."""

    @abstractmethod
    def captured(self, compute: Compute, like: Tensor) -> Compute:
        """`compute`, recorded once for an input like `like` and played again at each call."""

    @abstractmethod
    def compiled(self, network: nn.Module) -> nn.Module:
        """The network by torch.compile."""

    def reset_peak(self) -> None:
        """Forget the most memory so far."""
        release_freed_memory()
        memory.reset(self.device)

    def peak(self) -> float:
        """The most memory since, MiB."""
        return memory.high_water(self.device)

    @contextmanager
    def reduced_precision(self) -> Iterator[None]:
        """A context in which float32 products and convolutions are computed in TF32.

        The library switches TF32 off while it computes. Only who enters its clean state first sets that, so within one
        it can be switched on.
        """
        with clean_state():
            before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.allow_tf32 = True
            try:
                yield
            finally:
                torch.set_float32_matmul_precision(before[0])
                torch.backends.cudnn.allow_tf32 = before[1]


class CudaCard(Card):
    """PyTorch's current CUDA device."""

    def __init__(self) -> None:
        self.device = torch.device("cuda", torch.cuda.current_device())
        self.name = torch.cuda.get_device_name(self.device)

    def synchronize(self) -> None:
        torch.cuda.synchronize(self.device)

    @contextmanager
    def limited(self, room: int) -> Iterator[None]:
        release_freed_memory()
        total = torch.cuda.get_device_properties(self.device).total_memory
        share = (torch.cuda.memory_reserved(self.device) + room) / total
        torch.cuda.set_per_process_memory_fraction(min(share, 1.0), self.device)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, self.device)

    def captured(self, compute: Compute, like: Tensor) -> Compute:
        given = like.clone()
        side = torch.cuda.Stream(self.device)
        side.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                compute(given)
        torch.cuda.current_stream(self.device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            found = compute(given)

        def replay(pictures: Tensor) -> Tensor:
            given.copy_(pictures)
            graph.replay()
            return found

        return replay

    def compiled(self, network: nn.Module) -> nn.Module:
        return torch.compile(network)  # type: ignore[return-value]


class StandIn(Card):
    """The CPU. Memory «runs out» at more than `MOST` pictures, a «graph» calls the function again."""

    MOST = 6

    def __init__(self) -> None:
        self.device, self.name = torch.device("cpu"), "stand-in on the CPU"

    def synchronize(self) -> None:
        pass

    @contextmanager
    def limited(self, room: int) -> Iterator[None]:
        def refuse(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if isinstance(module, Classifier) and len(inputs[0]) > self.MOST:
                raise torch.OutOfMemoryError("the stand-in's memory is full")

        handle = register_module_forward_pre_hook(refuse)
        try:
            yield
        finally:
            handle.remove()

    def captured(self, compute: Compute, like: Tensor) -> Compute:
        given = like.clone()

        def replay(pictures: Tensor) -> Tensor:
            given.copy_(pictures)
            return compute(given)

        return replay

    def compiled(self, network: nn.Module) -> nn.Module:
        return torch.compile(network, backend="eager")  # type: ignore[return-value]
