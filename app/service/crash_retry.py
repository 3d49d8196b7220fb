"""Which jobs run in the worker, which wait, and which may have killed it."""

from __future__ import annotations

from collections import deque

MAX_DEATHS_ALONE = 2  # a job fails after the worker has died this often while it ran this job only


class CrashRetry:
    """Decides, by job numbers, which jobs may run after the worker has died. The caller sends them to the worker.

    All jobs run side by side. When the worker dies, each job that ran becomes a suspect. Suspects run again one at a
    time, the oldest first, while the others wait. A suspect that ends by itself is cleared. A job that ran alone when
    the worker died gets one more try, then it fails; a job that ran beside others when the worker died
    does not fail.
    """

    def __init__(self) -> None:
        self._waiting: deque[int] = deque()
        self._suspects: deque[int] = deque()
        self._deaths_alone: dict[int, int] = {}  # by job: how often the worker died while it ran this job only
        self.running: set[int] = set()

    def add(self, number: int) -> None:
        self._waiting.append(number)

    def remove(self, number: int) -> None:
        """A job has ended, with success or not. Unknown numbers are ignored."""
        self.running.discard(number)
        self._deaths_alone.pop(number, None)
        for queue in (self._waiting, self._suspects):
            if number in queue:
                queue.remove(number)

    def next(self) -> list[int]:
        """The jobs that may start now. They count as running from here on."""
        if self._suspects:
            started = [] if self.running else [self._suspects[0]]
        else:
            started = list(self._waiting)
            self._waiting.clear()
        self.running.update(started)
        return started

    def worker_died(self) -> list[int]:
        """The worker has died. Returns the jobs that fail because of it; they are removed."""
        ran = sorted(self.running)
        self.running.clear()
        failed = []
        if len(ran) == 1:
            (number,) = ran
            self._deaths_alone[number] = self._deaths_alone.get(number, 0) + 1
            if self._deaths_alone[number] >= MAX_DEATHS_ALONE:
                failed.append(number)
        known = set(self._suspects)
        self._suspects.extend(number for number in ran if number not in known)
        for number in failed:
            self.remove(number)
        return failed
