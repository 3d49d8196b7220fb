"""Downloads of weights in the web process. Clients that want the same file share one download."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress

from ..contract.problems import ComputationFailed, Problem, Unavailable
from ..settings import Settings
from ..zoo.download import DownloadProgress, download_weights
from ..zoo.weights import WeightFile

MAX_PARALLEL = 2
PROGRESS_SECONDS = 0.2  # between two reports of progress


class _Download:
    """One download in a thread, and how many watch it. It stops when nobody watches any more."""

    def __init__(self) -> None:
        self.latest: DownloadProgress | None = None
        self.problem: Problem | None = None
        self.ended = asyncio.Event()
        self.watchers = 0
        self.stop = threading.Event()


class Downloads:
    """The running downloads: at most two at a time, others wait."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running: dict[str, _Download] = {}
        self._threads = ThreadPoolExecutor(MAX_PARALLEL, thread_name_prefix="weights")

    async def watch(self, file: WeightFile, model: str) -> AsyncGenerator[DownloadProgress, None]:
        """Yields a download's progress until the file is there; starts the download if it is not running yet.

        Raises the download's problem. Closing the generator stops watching; the bytes received stay on disk, and the
        next download continues from them.
        """
        download = await self._get_or_start(file, model)
        download.watchers += 1
        reported = None
        try:
            while not download.ended.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(download.ended.wait(), PROGRESS_SECONDS)
                if download.latest is not None and download.latest != reported:
                    reported = download.latest
                    yield reported
            if download.problem is not None:
                raise download.problem
        finally:
            download.watchers -= 1
            if not download.watchers:
                download.stop.set()

    async def _get_or_start(self, file: WeightFile, model: str) -> _Download:
        """The running download, or a new one. Waits for one that is being stopped."""
        while (download := self._running.get(file.name)) is not None:
            if not download.stop.is_set():
                return download
            await download.ended.wait()
        download = self._running[file.name] = _Download()
        loop = asyncio.get_running_loop()
        loop.run_in_executor(self._threads, self._run, download, file, model, loop)
        return download

    async def fetch(self, file: WeightFile, model: str) -> None:
        """Wait until a download is done. Raises its problem."""
        async with aclosing(self.watch(file, model)) as progress:
            async for _ in progress:
                pass

    def close(self) -> None:
        """Stop all downloads, also those that wait for a thread. Who watches one gets `Unavailable`."""
        for download in self._running.values():
            download.stop.set()
            download.problem = Unavailable("The server is shutting down. Ask again: what was received is kept.")
            download.ended.set()
        self._running.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self, download: _Download, file: WeightFile, model: str, loop: asyncio.AbstractEventLoop) -> None:
        try:
            steps = download_weights(file, model, self._settings)
            try:
                while not download.stop.is_set():
                    download.latest = next(steps)
            except StopIteration:
                pass
            finally:
                steps.close()
        except Problem as problem:
            download.problem = problem
        except Exception as error:
            download.problem = ComputationFailed(f"{model}: the download failed: {type(error).__name__}: {error}")
        with suppress(RuntimeError):  # the loop may be gone at shutdown
            loop.call_soon_threadsafe(self._finish, download, file)

    def _finish(self, download: _Download, file: WeightFile) -> None:
        if self._running.get(file.name) is download:
            del self._running[file.name]
        download.ended.set()
