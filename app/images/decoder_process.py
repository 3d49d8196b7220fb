"""The process that decodes pictures, from inside: nothing of PyTorch, and limits of its own (service/decoders.py starts
it). Pictures come in by standard input, which is a socket, and pixels go out by it; when it closes, the process ends.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
from contextlib import suppress
from typing import BinaryIO

from PIL import AvifImagePlugin, Image

from ..contract.problems import Problem
from .decode import decode

LENGTH = struct.Struct("<Q")  # before a picture: its bytes
ANSWER = struct.Struct("<BII")  # a kind, and two numbers
READY, PICTURE, PROBLEM, OUT_OF_MEMORY = range(4)  # with nothing; width, height; status, bytes of detail; nothing
STRIP_BYTES = 2**20  # pixels go out in strips, so that the other side takes one in while the next is made
THREADS = 2  # of AVIF's decoder; each takes address space
PR_SET_PDEATHSIG = 1


def main(memory: int, max_pixels: int, parent: int) -> None:
    """Answer each picture with its pixels, or with what is wrong with it, until the other side closes."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they go to whole groups of processes; this one ends with its parent
    _end_with(parent)
    _limit(memory)
    AvifImagePlugin.DEFAULT_MAX_THREADS = THREADS
    with open(0, "rb") as inbox, open(0, "wb", closefd=False) as outbox:
        _answer(outbox, READY)
        try:
            while length := inbox.read(LENGTH.size):
                _decode(inbox.read(LENGTH.unpack(length)[0]), max_pixels, outbox)
        except MemoryError:  # what it leaves behind is unknown: a new process takes the next picture
            _answer(outbox, OUT_OF_MEMORY)


def strip_rows(width: int) -> int:
    """Rows in a strip."""
    return max(1, STRIP_BYTES // (3 * width))


def _decode(data: bytes, max_pixels: int, outbox: BinaryIO) -> None:
    try:
        picture = decode(data, max_pixels)
    except Problem as problem:
        detail = problem.detail.encode()
        _answer(outbox, PROBLEM, problem.status, len(detail), detail)
    else:
        _answer(outbox, PICTURE, *picture.size)
        _send_pixels(picture, outbox)


def _send_pixels(picture: Image.Image, outbox: BinaryIO) -> None:
    width, height = picture.size
    rows = strip_rows(width)
    for top in range(0, height, rows):
        outbox.write(picture.crop((0, top, width, min(height, top + rows))).tobytes())
    outbox.flush()


def _answer(outbox: BinaryIO, kind: int, first: int = 0, second: int = 0, more: bytes = b"") -> None:
    outbox.write(ANSWER.pack(kind, first, second) + more)
    outbox.flush()


def _end_with(parent: int) -> None:
    """Die when the parent does, however that comes, and even in the middle of a picture."""
    import ctypes

    with suppress(AttributeError, OSError):  # Linux has it; elsewhere the line's end has to do
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit()


def _limit(memory: int) -> None:
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_AS)
    memory = memory if most == resource.RLIM_INFINITY else min(memory, most)
    with suppress(ValueError, OSError):  # not every system has such a limit
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # nobody's picture is left on a disk
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")  # where memory runs out all the same, this goes first


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
