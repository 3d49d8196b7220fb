"""Chooses the micro-batch size by measuring the passes of normal computations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

# For CPU and GPU. Small sizes first: the first result comes soon, and sizes that would take too long are not tried.
SIZES = ((2, 4, 8), (4, 16, 64))
MICRO_BATCH = 4  # pictures in a pass where nothing was measured
MAX_SECONDS = 0.6  # seconds of a pass, so that turns of other requests and partial maps come soon
ROUNDS = 2  # passes of each size after the first, which may be slow; the quickest counts
MIN_GAIN = 0.98  # a larger size must take less than this share of a smaller one's time per picture


class BatchSizes:
    """Measured seconds of micro-batch sizes. `next` is the size to try, or the best one."""

    def __init__(self, sizes: tuple[int, ...] = SIZES[0]) -> None:
        self._sizes = sizes
        self._seconds: dict[int, list[float]] = defaultdict(list)

    def note(self, count: int, seconds: float) -> None:
        if count in self._sizes and len(self._seconds[count]) <= ROUNDS:
            self._seconds[count].append(seconds / count)

    @property
    def next(self) -> int:
        for size in self._sizes:
            if len(self._seconds[size]) <= ROUNDS and not self._too_long(size):
                return size
        return self.best

    @property
    def best(self) -> int:
        """The quickest size per picture, a smaller one if it is nearly as quick; 1 if all take too long."""
        measured = {n: min(s) for n, s in sorted(self._seconds.items()) if s and not self._too_long(n)}
        best = 1 if not measured else min(measured)
        for size, seconds in measured.items():
            if seconds < MIN_GAIN * measured[best]:
                best = size
        return best

    def _too_long(self, size: int) -> bool:
        known = [min(seconds) for seconds in self._seconds.values() if seconds]
        # a compiled backend has one size, which is used however long it takes
        return bool(known) and min(known) * size > MAX_SECONDS and size > 1 and len(self._sizes) > 1

    @property
    def seconds(self) -> float | None:
        """Seconds per picture; None if nothing was measured yet."""
        return min((second for seconds in self._seconds.values() for second in seconds), default=None)


@dataclass
class MemoryUse:
    """Bytes that autograd saves for backward passes, without the network's own weights."""

    storages: dict[int, int] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(self.storages.values())


@contextmanager
def count_saved_bytes(network: nn.Module) -> Iterator[MemoryUse]:
    """A context that adds up the bytes that autograd saves."""
    use = MemoryUse()
    own_storages = {tensor.untyped_storage().data_ptr() for tensor in (*network.parameters(), *network.buffers())}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own_storages:
            use.storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield use
