"""Where a shared store keeps its objects: a folder that all replicas mount, or a bucket by way of fsspec.

Both write an object whole or not at all, and show it to everybody as soon as it is written.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from ..contract.problems import NotStored, Unavailable
from .index import stored_problem

log = logging.getLogger(__name__)
TRIES = 10  # to write into a folder that others take away at the same moment
SETTLE_SECONDS = 1.0  # after which two who wrote the same object at once both read the later one
ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
UNREACHABLE = "The server's store cannot be reached. Try again in some seconds."
CONNECT_SECONDS, READ_SECONDS = 5, 30
OPTIONS: dict[str, dict[str, Any]] = {  # of fsspec's file systems; endpoint and credentials are in the environment
    "s3": {
        "max_concurrency": 1,  # objects are small: they are read in one piece, without asking for their size first
        "config_kwargs": {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "retries": {"max_attempts": 2, "mode": "standard"},
        },
    }
}


@dataclass(frozen=True)
class StoredObject:
    """An object as it is listed. Those with the same `file` share their bytes."""

    path: str
    size: int
    modified: float  # seconds on the place's clock
    file: Hashable


class ObjectStore(Protocol):
    """Objects by path. Each call raises `NotStored`, `StorageFull` or `Unavailable` where it cannot be done."""

    def read(self, *paths: str) -> list[bytes | None]:
        """What is at each path; None where there is nothing."""

    def starts(self, paths: Sequence[str], size: int) -> list[bytes | None]:
        """The first `size` bytes at each path."""

    def write(self, objects: Mapping[str, bytes]) -> None:
        """Put objects in place, each whole, in any order; also of ones that are there."""

    def create(self, path: str, data: bytes) -> None:
        """Put an object where there is none; of several who do so at once one succeeds, the others change nothing."""

    def share(self, path: str, source: str, data: bytes, also: Mapping[str, bytes]) -> None:
        """Put at `path` the bytes `data` that are at `source` too, in the same room where that can be; and others."""

    def remove(self, *paths: str) -> None:
        """Take objects away; those that are not there are none the less gone."""

    def below(self, path: str) -> list[StoredObject]:
        """All objects below `path`."""

    def now(self) -> float:
        """Seconds on the place's own clock, which dates its objects: those of replicas may differ."""


class LocalObjectStore:
    """A folder on a disk or a network file system."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, *paths: str) -> list[bytes | None]:
        return [self._read(path, -1) for path in paths]

    def starts(self, paths: Sequence[str], size: int) -> list[bytes | None]:
        return [self._read(path, size) for path in paths]

    def _read(self, path: str, size: int) -> bytes | None:
        try:
            with (self._root / path).open("rb") as file:
                return file.read(size)
        except ABSENT:
            return None
        except OSError as error:
            raise _unreachable(error) from error

    def write(self, objects: Mapping[str, bytes]) -> None:
        for path, data in objects.items():
            self._place(path, lambda part, data=data: _write(part, data), os.replace)  # type: ignore[misc]

    def create(self, path: str, data: bytes) -> None:
        with suppress(FileExistsError):
            self._place(path, lambda part: _write(part, data), os.link)

    def share(self, path: str, source: str, data: bytes, also: Mapping[str, bytes]) -> None:
        def make(part: Path) -> None:
            try:
                os.link(self._root / source, part)
            except OSError:  # taken away meanwhile; or a file system that has no hard links
                _write(part, data)

        self._place(path, make, os.replace)
        self.write(also)

    def _place(self, path: str, make: Callable[[Path], object], settle: Callable[[Path, Path], object]) -> None:
        """Make a file beside `path` and put it there. Whoever forgets may take the folder away meanwhile."""
        target = self._root / path
        part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
        for turn in range(TRIES):
            try:
                with suppress(FileExistsError):  # it was there, and is away again
                    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                make(part)
                settle(part, target)
                return
            except FileExistsError:
                raise
            except OSError as error:
                if not isinstance(error, FileNotFoundError) or turn == TRIES - 1:
                    raise stored_problem(error) from error
            finally:
                with suppress(OSError):
                    part.unlink(missing_ok=True)

    def remove(self, *paths: str) -> None:
        for path in paths:
            target = self._root / path
            try:
                with suppress(*ABSENT):
                    target.unlink()
            except OSError as error:
                raise stored_problem(error) from error
            with suppress(OSError):  # not empty, or somebody else was quicker
                target.parent.rmdir()

    def below(self, path: str) -> list[StoredObject]:
        found = []
        for folder, _, names in os.walk(self._root / path):
            for name in names:
                target = Path(folder, name)
                with suppress(OSError):
                    about = target.stat()
                    place = target.relative_to(self._root).as_posix()
                    found.append(StoredObject(place, about.st_size, about.st_mtime, about.st_ino))
        return found

    def now(self) -> float:
        self.write({"clock": b""})
        try:
            return (self._root / "clock").stat().st_mtime
        except OSError as error:
            raise _unreachable(error) from error


class FsspecObjectStore:
    """A prefix in an object store, where a put is atomic and listings are up to date (S3, Google's, Azure's)."""

    def __init__(self, url: str) -> None:
        import fsspec  # here, not above: most servers have no use for it

        scheme = url.partition("://")[0]
        self._files, self._root = fsspec.url_to_fs(
            url, use_listings_cache=False, skip_instance_cache=True, **OPTIONS.get(scheme, {})
        )

    def read(self, *paths: str) -> list[bytes | None]:
        with _problems():
            # `cat` would ask first whether there is anything
            found = self._files.cat_ranges(self._at(paths), None, None, on_error="return")
            return [_present(data) for data in found]

    def starts(self, paths: Sequence[str], size: int) -> list[bytes | None]:
        if not paths:
            return []
        with _problems():
            found = self._files.cat_ranges(self._at(paths), 0, size, on_error="return")
            return [data if isinstance(data, bytes) else None for data in found]

    def write(self, objects: Mapping[str, bytes]) -> None:
        with _problems(writing=True):  # many at once
            self._files.pipe(dict(zip(self._at([*objects]), objects.values(), strict=True)))

    def create(self, path: str, data: bytes) -> None:
        """By a conditional put; where the object store knows none, the one who writes last is heeded by all."""
        try:
            with _problems(writing=True):
                self._files.pipe_file(self._at([path])[0], data, mode="create")
        except FileExistsError:
            pass
        except NotStored:
            if self.read(path) == [None]:
                self.write({path: data})
                time.sleep(SETTLE_SECONDS)

    def share(self, path: str, source: str, data: bytes, also: Mapping[str, bytes]) -> None:
        """What was read and found sound is written: a copy on the other side would cost more requests."""
        self.write({path: data, **also})

    def remove(self, *paths: str) -> None:
        with _problems(writing=True):
            try:
                if paths:
                    self._files.rm(self._at(paths))
            except FileNotFoundError:  # some object stores say so, and leave off
                for path in self._at(paths):
                    with suppress(FileNotFoundError):
                        self._files.rm_file(path)

    def below(self, path: str) -> list[StoredObject]:
        with _problems():
            try:
                found = self._files.find(self._at([path])[0], detail=True)
            except FileNotFoundError:
                return []
        cut = len(self._root) + 1
        return [StoredObject(name[cut:], about["size"] or 0, _modified(about), name) for name, about in found.items()]

    def now(self) -> float:
        self.write({"clock": b"now"})
        with _problems():
            return float(self._files.modified(self._at(["clock"])[0]).timestamp())

    def _at(self, paths: Sequence[str]) -> list[str]:
        return [f"{self._root}/{path}" for path in paths]


def _write(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)


def _present(found: Any) -> bytes | None:
    if isinstance(found, ABSENT):
        return None
    if isinstance(found, Exception):
        raise found
    return bytes(found)


def _modified(about: Mapping[str, Any]) -> float:
    """When an object was written, under whatever name its file system says so."""
    for name in ("LastModified", "mtime", "last_modified", "updated", "created"):
        when = about.get(name)
        if isinstance(when, str):
            when = datetime.fromisoformat(when)
        if isinstance(when, datetime):
            return when.timestamp()
        if when is not None:
            return float(when)
    return time.time()


@contextmanager
def _problems(writing: bool = False) -> Iterator[None]:
    """Within: what fails is told as a problem. Object stores and their clients have errors of many families."""
    try:
        yield
    except FileExistsError:
        raise
    except (PermissionError, NotImplementedError, *ABSENT) as error:
        if not writing:
            raise _unreachable(error) from error
        log.error("the store cannot be written: %s", said(error))
        raise NotStored(NotStored.said) from error
    except Exception as error:
        raise _unreachable(error) from error


def _unreachable(error: Exception) -> Unavailable:
    log.error("the store cannot be reached: %s", said(error))
    return Unavailable(UNREACHABLE, retry_after=5)


def said(error: BaseException) -> str:
    """What an error says, without credentials that somebody has put into an address."""
    return re.sub(r"//[^/@\s]+@", "//…@", f"{type(error).__name__}: {error}")
