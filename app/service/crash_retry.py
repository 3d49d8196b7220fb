"""Who is running in the worker, who waits, and who is under suspicion after a death."""

from __future__ import annotations

from collections import deque

ALONE = 2  # deaths of the worker with nothing but this job in it, after which it has failed


class CrashRetry:
    """Numbers of jobs, as far as the worker's deaths concern them; who may run is for the caller to send.

    All run side by side. When the worker dies, whoever ran is suspected, and runs again alone: one after the other, the
    oldest first, while the others wait. One that ends by itself is cleared. One that is alone when the worker dies gets
    one more try, then it has failed: only that one, never those that ran beside it.
    """

    def __init__(self) -> None:
        self._waiting: deque[int] = deque()
        self._suspects: deque[int] = deque()
        self._alone: dict[int, int] = {}  # deaths alone
        self.running: set[int] = set()

    def add(self, number: int) -> None:
        self._waiting.append(number)

    def remove(self, number: int) -> None:
        """A job has ended, in whatever way. Unknown numbers are fine."""
        self.running.discard(number)
        self._alone.pop(number, None)
        for line in (self._waiting, self._suspects):
            if number in line:
                line.remove(number)

    def next(self) -> list[int]:
        """Those that may begin now; they are running from here on."""
        if self._suspects:
            begun = [] if self.running else [self._suspects[0]]
        else:
            begun = list(self._waiting)
            self._waiting.clear()
        self.running.update(begun)
        return begun

    def death(self) -> list[int]:
        """The worker has died. Those that have failed by it; they are removed."""
        ran = sorted(self.running)
        self.running.clear()
        failed = []
        if len(ran) == 1:
            (number,) = ran
            self._alone[number] = self._alone.get(number, 0) + 1
            if self._alone[number] >= ALONE:
                failed.append(number)
        known = set(self._suspects)
        self._suspects.extend(number for number in ran if number not in known)
        for number in failed:
            self.remove(number)
        return failed
