"""The main program of a process that decodes pictures, started by `decoder_pool`: no PyTorch, with limits of its own.

Standard input is a socket: pictures come in and pixels go out through it. When it closes, the process ends.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
from contextlib import suppress
from typing import BinaryIO

from PIL import AvifImagePlugin, Image

from ..contract.problems import Problem
from .decode import decode

LENGTH = struct.Struct("<Q")  # before a picture: its size in bytes
ANSWER = struct.Struct("<BII")  # a kind and two numbers
READY, PICTURE, PROBLEM, OUT_OF_MEMORY = range(4)  # numbers: none; width, height; status, bytes of detail; none
STRIP_BYTES = 2**20  # pixels go out in strips, so that the parent reads one while the next is made
THREADS = 2  # of AVIF's decoder; each takes address space
PR_SET_PDEATHSIG = 1


def main(memory: int, max_pixels: int, parent: int) -> None:
    """Answer each picture with its pixels or a problem, until the parent closes the socket."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # sent to whole process groups; this process ends with its parent
    _die_with(parent)
    _limit_memory(memory)
    AvifImagePlugin.DEFAULT_MAX_THREADS = THREADS
    with open(0, "rb") as inbox, open(0, "wb", closefd=False) as outbox:
        _answer(outbox, READY)
        try:
            while length := inbox.read(LENGTH.size):
                _decode(inbox.read(LENGTH.unpack(length)[0]), max_pixels, outbox)
        except MemoryError:  # the state is unknown afterwards: a new process decodes the next picture
            _answer(outbox, OUT_OF_MEMORY)


def strip_rows(width: int) -> int:
    """Number of rows in a strip."""
    return max(1, STRIP_BYTES // (3 * width))


def _decode(data: bytes, max_pixels: int, outbox: BinaryIO) -> None:
    try:
        picture = decode(data, max_pixels)
    except Problem as problem:
        said = json.dumps({"detail": problem.detail, "code": problem.code, "values": dict(problem.values)}).encode()
        _answer(outbox, PROBLEM, problem.status, len(said), said)
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


def _die_with(parent: int) -> None:
    """Make this process die whenever its parent does, even in the middle of a picture."""
    import ctypes

    with suppress(AttributeError, OSError):  # only Linux has it; elsewhere the process ends when the socket closes
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit()


def _limit_memory(memory: int) -> None:
    import resource

    _, hard_limit = resource.getrlimit(resource.RLIMIT_AS)
    memory = memory if hard_limit == resource.RLIM_INFINITY else min(memory, hard_limit)
    with suppress(ValueError, OSError):  # not every system has such a limit
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no core dumps: pictures must not be left on a disk
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")  # if memory runs out anyway, the system kills this process first


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
