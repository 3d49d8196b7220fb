"""How many pictures go into a pass: measured on the passes that are made anyway."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

# On the CPU, and on a GPU. The small first: a first answer soon, and none is tried where it would take long.
SIZES = ((2, 4, 8), (4, 16, 64))
MICRO_BATCH = 4  # pictures in a pass where nothing was measured
LONGEST = 0.6  # seconds of a pass, so that others' turns and partial maps come soon
ROUNDS = 2
GAIN = 0.98  # a larger pass must be quicker than that share of a smaller one's time for each picture


class BatchSizes:
    """Sizes of micro-batches with the seconds that they took; `next` is the one to try, or the best."""

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
        """The quickest for each picture; a smaller one where that is nearly as quick. 1 where all take too long."""
        measured = {n: min(s) for n, s in sorted(self._seconds.items()) if s and not self._too_long(n)}
        best = 1 if not measured else min(measured)
        for size, seconds in measured.items():
            if seconds < GAIN * measured[best]:
                best = size
        return best

    def _too_long(self, size: int) -> bool:
        known = [min(seconds) for seconds in self._seconds.values() if seconds]
        return bool(known) and min(known) * size > LONGEST and size > 1 and len(self._sizes) > 1

    @property
    def seconds(self) -> float | None:
        """What a picture takes; None where nothing was measured yet."""
        return min((second for seconds in self._seconds.values() for second in seconds), default=None)


@dataclass
class MemoryUse:
    """Bytes that passes keep for their way back; the weights of the network itself are not counted."""

    storages: dict[int, int] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(self.storages.values())


@contextmanager
def weigh(network: nn.Module) -> Iterator[MemoryUse]:
    """Within: adds up what autograd saves."""
    weight = MemoryUse()
    own = {tensor.untyped_storage().data_ptr() for tensor in (*network.parameters(), *network.buffers())}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            weight.storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield weight
