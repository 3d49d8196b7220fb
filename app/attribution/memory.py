"""Measures memory, controls glibc's allocator, and recognises out-of-memory errors."""

from __future__ import annotations

import ctypes
import errno
import gc
import sys
from contextlib import suppress

import psutil
import torch
from torch import nn

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as in malloc.h
KEEP_BYTES = 2**30  # glibc keeps up to this much freed memory, and blocks up to this size
OUT_OF_MEMORY_TEXTS = (
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "out of memory",
    "bad_alloc",
)


def size_of(network: nn.Module) -> int:
    """Bytes of a network's parameters and buffers; shared tensors count once."""
    tensors = {id(t): t for t in (*network.parameters(), *network.buffers())}
    return sum(t.numel() * t.element_size() for t in tensors.values())


def keep_freed_memory() -> None:
    """Make glibc keep freed memory, also large blocks, for the next allocations, instead of returning it to the system.

    Otherwise the system maps new memory for every activation of every pass, with a page fault and zeroing for each
    page. That costs a quarter of a pass's time or more. `release_freed_memory` returns the memory.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # not glibc: nothing to do
            libc = ctypes.CDLL(None)
            for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
                libc.mallopt(option, KEEP_BYTES)


def release_freed_memory() -> None:
    """Return freed memory to the system: collect Python's reference cycles, and empty the caches of glibc and CUDA."""
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # not glibc: nothing to do
            ctypes.CDLL(None).malloc_trim(0)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory has run out. PyTorch and the system report it in several ways."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(part in text for part in OUT_OF_MEMORY_TEXTS)


def resident() -> int:
    """Resident memory of this process in bytes."""
    return psutil.Process().memory_info().rss
