"""A pool of processes that decode pictures. One is started early; one that dies or takes too long is replaced."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections import Counter, OrderedDict, deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from cachetools import TTLCache
from PIL import Image

from ..contract.problems import Problem, TooDemanding, Unavailable, Unprocessable, UnsupportedPicture
from ..settings import Settings
from . import decoder_process as child

START_SECONDS = 30
REMEMBERED_SECONDS = 600  # how long a picture that was too demanding is refused at once
MAX_REMEMBERED = 10_000
FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)  # how a process ends that was killed by somebody else
EXIT_SECONDS = 5.0


@dataclass(frozen=True)
class _Task:
    client: str
    data: bytes
    digest: bytes
    future: Future[Image.Image]


class DecoderPool:
    """Up to `max_processes` decoding processes; a new one starts only if the others are busy. Thread-safe.

    Clients take turns: a picture waits for one picture of each other client at most. A picture that was too demanding
    is refused at once when it comes again; its client uses one process at a time for a while.

    The pool's own threads start the processes and wait for them, because a decoder asks Linux to end it together
    with the thread that started it.
    """

    def __init__(self, settings: Settings, max_processes: int = 2) -> None:
        self._settings = settings
        self._idle: deque[DecoderProcess] = deque()
        self._threads = ThreadPoolExecutor(max_processes, thread_name_prefix="decoder")
        self._turns = _Turns()
        self._lock = threading.Lock()
        self._refused: TTLCache[bytes, str] = TTLCache(MAX_REMEMBERED, REMEMBERED_SECONDS)

    def warm(self) -> None:
        """Start a process for the first picture. Does not wait."""
        self._threads.submit(lambda: self._idle.append(self._idle_or_new()))

    def submit(self, data: bytes, client: str = "") -> Future[Image.Image]:
        """Decode in the background: an upright RGB picture without metadata. The future's exception is a `Problem`."""
        task = _Task(client, data, hashlib.sha256(data).digest(), Future())
        with self._lock:
            refusal = self._refused.get(task.digest)
        if refusal is not None:
            task.future.set_exception(TooDemanding(refusal, field="image"))
        else:
            self._turns.add(task)
            self._threads.submit(self._work)
        return task.future

    def decode(self, data: bytes) -> Image.Image:
        """Like `submit`, but waits for the picture. Raises `Problem`."""
        return self.submit(data).result()

    def _work(self) -> None:
        """Decode one picture after another, until none waits that may be decoded now."""
        while (task := self._turns.take()) is not None:
            demanding = False
            try:
                if task.future.set_running_or_notify_cancel():
                    demanding = self._answer(task)
            finally:
                self._turns.done(task, demanding)

    def _answer(self, task: _Task) -> bool:
        """Decode a picture for whoever waits. Returns whether it was too demanding."""
        try:
            picture = self._decode(task.data)
        except TooDemanding as problem:
            with self._lock:
                self._refused[task.digest] = problem.detail
            task.future.set_exception(problem)
            return True
        except BaseException as error:
            task.future.set_exception(error)
        else:
            task.future.set_result(picture)
        return False

    def _decode(self, data: bytes) -> Image.Image:
        try:
            return self._decode_once(data)
        except _Killed:  # perhaps it was not the picture's fault
            try:
                return self._decode_once(data)
            except _Killed as again:
                raise too_demanding("ended the process that did it") from again

    def _decode_once(self, data: bytes) -> Image.Image:
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


class _Turns:
    """Pictures that wait, by client; clients take turns. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, deque[_Task]] = OrderedDict()
        self._busy: Counter[str] = Counter()  # pictures that are being decoded, by client
        self._demanding: TTLCache[str, bool] = TTLCache(MAX_REMEMBERED, REMEMBERED_SECONDS)

    def add(self, task: _Task) -> None:
        with self._lock:
            self._waiting.setdefault(task.client, deque()).append(task)

    def take(self) -> _Task | None:
        """The next picture of the next client. None if all who wait had a picture that was too demanding, and have
        another one in work."""
        with self._lock:
            for client in self._waiting:
                if not (client and self._busy[client] and client in self._demanding):
                    break
            else:
                return None
            task = self._waiting[client].popleft()
            self._waiting.move_to_end(client)
            if not self._waiting[client]:
                del self._waiting[client]
            self._busy[client] += 1
            return task

    def done(self, task: _Task, demanding: bool) -> None:
        with self._lock:
            self._busy[task.client] -= 1
            if not self._busy[task.client]:
                del self._busy[task.client]
            if demanding:
                self._demanding[task.client] = True


class _Killed(Exception):
    """A decoding process was killed by somebody else: by an operator, or by the system when memory ran out."""


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
            self._receive(child.ANSWER.size)  # that it is ready
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
        """The picture in `data`. Raises `Problem`, or `_Killed`; a process that failed is not `alive` afterwards."""
        self._deadline = time.monotonic() + self._seconds
        try:
            self._send(child.LENGTH.pack(len(data)))
            self._send(data)
            kind, first, second = child.ANSWER.unpack(self._receive(child.ANSWER.size))
            if kind == child.PICTURE:
                return self._picture(first, second)
            if kind == child.PROBLEM:
                raise _problem(first, **json.loads(self._receive(second)))
            reason = "needs more memory than is granted to one picture"
        except TimeoutError:
            reason = f"takes longer than {self._seconds:g} s"
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and self._was_killed():
                self.close()
                raise _Killed from error
            reason = "ended the process that did it"
        self.close()
        raise too_demanding(reason)

    def _was_killed(self) -> bool:
        """Whether the process has ended because somebody else killed it."""
        try:
            return self.process.wait(EXIT_SECONDS) in FROM_OUTSIDE
        except subprocess.TimeoutExpired:
            return False

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


def too_demanding(reason: str) -> TooDemanding:
    return TooDemanding(
        f"Decoding this picture {reason}, so it is refused. Save it anew, smaller or in another format.", field="image"
    )


def _problem(status: int, detail: str, code: str, values: Mapping[str, str | int]) -> Problem:
    """The problem that the decoding process has told."""
    kind = UnsupportedPicture if status == UnsupportedPicture.status else Unprocessable
    return kind(detail, field="image").coded(code, **values)


def _end(process: subprocess.Popen[bytes], connection: socket.socket, owner: int) -> None:
    """End a decoding process; only its owner may, not a forked child that ends."""
    connection.close()
    if os.getpid() != owner:
        return
    process.kill()
    process.wait()
