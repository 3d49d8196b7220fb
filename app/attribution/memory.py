"""Memory that a model takes and leaves behind: measured, given back to the system, and noticed where it has run out."""

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
KEPT = 2**30
SIGNS = ("not enough memory", "can't allocate memory", "cannot allocate memory", "out of memory", "bad_alloc")


def size_of(network: nn.Module) -> int:
    """Bytes of a network's parameters and buffers; shared tensors count once."""
    tensors = {id(t): t for t in (*network.parameters(), *network.buffers())}
    return sum(t.numel() * t.element_size() for t in tensors.values())


def keep_freed() -> None:
    """Let glibc keep what is freed for what is allocated next, however large, instead of returning it each time.

    Else each activation of each pass is mapped anew, and each of its pages comes by a fault and is zeroed first: a
    quarter of the time of a pass or more. `give_back` returns it all.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library has its own ways
            libc = ctypes.CDLL(None)
            for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
                libc.mallopt(option, KEPT)


def give_back() -> None:
    """Return freed memory to the system.

    Python collects what refers to itself, and glibc keeps what was freed in its own lists until it is told otherwise.
    """
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library has its own ways
            ctypes.CDLL(None).malloc_trim(0)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory has run out: PyTorch and the system have several ways to say so."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in text for sign in SIGNS)


def resident() -> int:
    """Bytes of this process that are in memory."""
    return psutil.Process().memory_info().rss
