"""Downloads of weights in the web process: each file once at a time, whoever asks for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress

from ..contract.problems import ComputationFailed, Problem
from ..settings import Settings
from ..zoo.download import Fetched, pull
from ..zoo.weights import WeightFile

AT_ONCE = 2
SECONDS = 0.2  # between two tellings of progress


class _Download:
    """One download in a thread, with everyone who follows it; it stops when the last of them has left."""

    def __init__(self) -> None:
        self.latest: Fetched | None = None
        self.problem: Problem | None = None
        self.ended = asyncio.Event()
        self.followers = 0
        self.stop = threading.Event()


class Downloads:
    """The downloads that are going on. Two at once; more wait."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pulls: dict[str, _Download] = {}
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="weights")

    async def follow(self, file: WeightFile, model: str) -> AsyncGenerator[Fetched, None]:
        """Progress of a download, begun if nobody else has; ends when the file is there. Raises its problem.

        Closing the generator leaves; what came is kept on disk, so that the next try goes on from there.
        """
        going = await self._begin(file, model)
        going.followers += 1
        told = None
        try:
            while not going.ended.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(going.ended.wait(), SECONDS)
                if going.latest is not None and going.latest != told:
                    told = going.latest
                    yield told
            if going.problem is not None:
                raise going.problem
        finally:
            going.followers -= 1
            if not going.followers:
                going.stop.set()

    async def _begin(self, file: WeightFile, model: str) -> _Download:
        """The download that is going on, or a new one; one that is being stopped is waited for."""
        while (going := self._pulls.get(file.name)) is not None:
            if not going.stop.is_set():
                return going
            await going.ended.wait()
        going = self._pulls[file.name] = _Download()
        loop = asyncio.get_running_loop()
        loop.run_in_executor(self._threads, self._run, going, file, model, loop)
        return going

    async def fetch(self, file: WeightFile, model: str) -> None:
        """Follow a download to its end."""
        async with aclosing(self.follow(file, model)) as progress:
            async for _ in progress:
                pass

    def close(self) -> None:
        for going in self._pulls.values():
            going.stop.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self, going: _Download, file: WeightFile, model: str, loop: asyncio.AbstractEventLoop) -> None:
        try:
            steps = pull(file, model, self._settings)
            try:
                while not going.stop.is_set():
                    going.latest = next(steps)
            except StopIteration:
                pass
            finally:
                steps.close()
        except Problem as problem:
            going.problem = problem
        except Exception as error:
            going.problem = ComputationFailed(f"{model}: the download failed: {type(error).__name__}: {error}")
        with suppress(RuntimeError):  # the loop may be gone at shutdown
            loop.call_soon_threadsafe(self._end, going, file)

    def _end(self, going: _Download, file: WeightFile) -> None:
        del self._pulls[file.name]
        going.ended.set()
