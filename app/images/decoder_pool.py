"""The processes that decode pictures, from outside: one is kept warm, and one that dies or overruns is replaced."""

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
from . import decoder_process as inside

START_SECONDS = 30


class DecoderPool:
    """Up to `most` processes that decode; another one starts only while the others are at work. For any thread.

    Its own threads start the processes and wait for them: Linux ends a process with the thread that started it.
    """

    def __init__(self, settings: Settings, most: int = 2) -> None:
        self._settings = settings
        self._idle: deque[DecoderProcess] = deque()
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="decoder")

    def warm(self) -> None:
        """Have a process ready for the first picture. Does not wait."""
        self._threads.submit(lambda: self._idle.append(self._take()))

    def submit(self, data: bytes) -> Future[Image.Image]:
        """A picture to be: upright, as RGB, its pixels and nothing else. Its exception is a `Problem`."""
        return self._threads.submit(self._decode, data)

    def decode(self, data: bytes) -> Image.Image:
        """The same, waited for. Raises `Problem`."""
        return self.submit(data).result()

    def _decode(self, data: bytes) -> Image.Image:
        decoder = self._take()
        try:
            return decoder.decode(data)
        finally:
            if decoder.alive:
                self._idle.append(decoder)

    def _take(self) -> DecoderProcess:
        while self._idle:
            decoder = self._idle.pop()
            if decoder.alive:
                return decoder
        return DecoderProcess(self._settings)


class DecoderProcess:
    """One process, started now and ended with this object. For one thread at a time. Raises `Unavailable`."""

    def __init__(self, settings: Settings) -> None:
        self._seconds, self._max_pixels = settings.decode_seconds, settings.max_pixels
        self._line, theirs = socket.socketpair()
        limits = map(str, (settings.decode_bytes, settings.max_pixels, os.getpid()))
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", inside.__name__, *limits],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env={**os.environ, "MALLOC_ARENA_MAX": "1"},  # address space is scarce in it
            )
        self.close = weakref.finalize(self, _end, self.process, self._line)
        self._until = time.monotonic() + START_SECONDS
        try:
            self._receive(inside.ANSWER.size)
        except OSError as error:
            self.close()
            raise Unavailable(
                "Pictures cannot be decoded now: the process for it does not start. The server's log has the reason.",
                retry_after=5,
            ) from error

    @property
    def alive(self) -> bool:
        return self.close.alive and self.process.poll() is None

    def decode(self, data: bytes) -> Image.Image:
        """The picture in `data`. Raises `Problem`; a process that failed is not `alive` after that."""
        self._until = time.monotonic() + self._seconds
        try:
            self._send(inside.LENGTH.pack(len(data)))
            self._send(data)
            kind, first, second = inside.ANSWER.unpack(self._receive(inside.ANSWER.size))
            if kind == inside.PICTURE:
                return self._picture(first, second)
            if kind == inside.PROBLEM:
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
        rows = inside.strip_rows(width)
        for top in range(0, height, rows):
            size = width, min(rows, height - top)
            picture.paste(Image.frombytes("RGB", size, self._receive(3 * size[0] * size[1])), (0, top))
        return picture

    def _send(self, data: bytes) -> None:
        self._line.settimeout(self._left())
        self._line.sendall(data)

    def _receive(self, count: int) -> bytearray:
        data = bytearray(count)
        missing = memoryview(data)
        while missing:
            self._line.settimeout(self._left())
            came = self._line.recv_into(missing)
            if not came:
                raise ConnectionResetError
            missing = missing[came:]
        return data

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _problem(status: int, detail: str) -> Problem:
    return (UnsupportedPicture if status == UnsupportedPicture.status else Unprocessable)(detail, field="image")


def _end(process: subprocess.Popen[bytes], line: socket.socket) -> None:
    line.close()
    process.kill()
    process.wait()
