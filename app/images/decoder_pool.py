"""A pool of processes that decode pictures. One is started early; one that dies or takes too long is replaced."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import weakref
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from PIL import Image

from ..contract.problems import Problem, TooDemanding, Unavailable, Unprocessable, UnsupportedPicture
from ..settings import Settings
from . import decoder_process as child

START_SECONDS = 30


class DecoderPool:
    """Up to `max_processes` decoding processes; a new one starts only if the others are busy. Thread-safe.

    The pool's own threads start the processes and wait for them, because Linux ends a process together with the thread
    that started it.
    """

    def __init__(self, settings: Settings, max_processes: int = 2) -> None:
        self._settings = settings
        self._idle: deque[DecoderProcess] = deque()
        self._threads = ThreadPoolExecutor(max_processes, thread_name_prefix="decoder")

    def warm(self) -> None:
        """Start a process for the first picture. Does not wait."""
        self._threads.submit(lambda: self._idle.append(self._idle_or_new()))

    def submit(self, data: bytes) -> Future[Image.Image]:
        """Decode in the background: an upright RGB picture without metadata. The future's exception is a `Problem`."""
        return self._threads.submit(self._decode, data)

    def decode(self, data: bytes) -> Image.Image:
        """Like `submit`, but waits for the picture. Raises `Problem`."""
        return self.submit(data).result()

    def _decode(self, data: bytes) -> Image.Image:
        decoder = self._idle_or_new()
        try:
            return decoder.decode(data)
        finally:
            if decoder.alive:
                self._idle.append(decoder)

    def _idle_or_new(self) -> DecoderProcess:
        while self._idle:
            decoder = self._idle.pop()
            if decoder.alive:
                return decoder
        return DecoderProcess(self._settings)


class DecoderProcess:
    """One process, which ends with this object. Not thread-safe. Raises `Unavailable` if it does not start."""

    def __init__(self, settings: Settings) -> None:
        self._seconds, self._max_pixels = settings.decode_seconds, settings.max_pixels
        self._socket, child_end = socket.socketpair()
        limits = map(str, (settings.decode_bytes, settings.max_pixels, os.getpid()))
        with child_end:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", child.__name__, *limits],
                stdin=child_end.fileno(),
                stdout=subprocess.DEVNULL,
                env={**os.environ, "MALLOC_ARENA_MAX": "1"},  # its address space is limited
            )
        self.close = weakref.finalize(self, _end, self.process, self._socket, os.getpid())
        self._deadline = time.monotonic() + START_SECONDS
        try:
            self._receive(child.ANSWER.size)
        except OSError as error:
            self.close()
            raise Unavailable(
                "Pictures cannot be decoded now: the process for it does not start. Its error output has the reason.",
                retry_after=5,
            ) from error

    @property
    def alive(self) -> bool:
        return self.close.alive and self.process.poll() is None

    def decode(self, data: bytes) -> Image.Image:
        """The picture in `data`. Raises `Problem`; a process that failed is not `alive` afterwards."""
        self._deadline = time.monotonic() + self._seconds
        try:
            self._send(child.LENGTH.pack(len(data)))
            self._send(data)
            kind, first, second = child.ANSWER.unpack(self._receive(child.ANSWER.size))
            if kind == child.PICTURE:
                return self._picture(first, second)
            if kind == child.PROBLEM:
                raise _problem(first, self._receive(second).decode())
            reason = "needs more memory than is granted to one picture"
        except TimeoutError:
            reason = f"takes longer than {self._seconds:g} s"
        except (OSError, ValueError):
            reason = "ended the process that did it"
        self.close()
        raise TooDemanding(
            f"Decoding this picture {reason}, so it is refused. Save it anew, smaller or in another format.",
            field="image",
        )

    def _picture(self, width: int, height: int) -> Image.Image:
        if not 0 < width * height <= self._max_pixels:
            raise ValueError
        picture = Image.new("RGB", (width, height), None)
        rows = child.strip_rows(width)
        for top in range(0, height, rows):
            size = width, min(rows, height - top)
            picture.paste(Image.frombytes("RGB", size, self._receive(3 * size[0] * size[1])), (0, top))
        return picture

    def _send(self, data: bytes) -> None:
        self._socket.settimeout(self._seconds_left())
        self._socket.sendall(data)

    def _receive(self, count: int) -> bytearray:
        data = bytearray(count)
        missing = memoryview(data)
        while missing:
            self._socket.settimeout(self._seconds_left())
            received = self._socket.recv_into(missing)
            if not received:
                raise ConnectionResetError
            missing = missing[received:]
        return data

    def _seconds_left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _problem(status: int, detail: str) -> Problem:
    return (UnsupportedPicture if status == UnsupportedPicture.status else Unprocessable)(detail, field="image")


def _end(process: subprocess.Popen[bytes], connection: socket.socket, owner: int) -> None:
    """End a decoding process; only its owner may, not a forked child that ends."""
    connection.close()
    if os.getpid() != owner:
        return
    process.kill()
    process.wait()
