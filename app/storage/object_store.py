"""The object stores behind a shared store: a folder that all replicas mount, or a bucket accessed through fsspec.

Both write an object atomically, and every reader sees it as soon as it is written.
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
from .index import as_write_problem

log = logging.getLogger(__name__)
TRIES = 10  # to write into a folder that another process deletes at the same moment
CONFLICT_SECONDS = 1.0  # after it, two processes that wrote the same object at once both read the later one
MISSING_ERRORS = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
UNREACHABLE = "The store of explanations cannot be reached. Try again in some seconds."
CONNECT_SECONDS, READ_SECONDS = 5, 30
OPTIONS: dict[str, dict[str, Any]] = {  # of fsspec's file systems; endpoint and credentials come from the environment
    "s3": {
        "max_concurrency": 1,  # objects are small: they are read in one piece, without a request for their size
        "config_kwargs": {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "retries": {"max_attempts": 2, "mode": "standard"},
        },
    }
}


@dataclass(frozen=True)
class StoredObject:
    """An object in a listing. Objects with the same `content_id` share their bytes: hard links."""

    path: str
    size: int
    modified: float  # seconds on the object store's clock
    content_id: Hashable


class ObjectStore(Protocol):
    """Objects by path. Each call raises `NotStored`, `StorageFull` or `Unavailable` if it fails."""

    def read(self, *paths: str) -> list[bytes | None]:
        """The bytes at each path; None if there is no object."""

    def read_starts(self, paths: Sequence[str], size: int) -> list[bytes | None]:
        """The first `size` bytes at each path; None if there is no object."""

    def write(self, objects: Mapping[str, bytes]) -> None:
        """Write objects, each atomically, in any order. Existing ones are replaced."""

    def create(self, path: str, data: bytes) -> None:
        """Write an object if there is none. Of several calls at once one succeeds, the others change nothing."""

    def share(self, path: str, source: str, data: bytes, also: Mapping[str, bytes]) -> None:
        """Write `data` at `path`, sharing the disk space of `source`, which has the same bytes, if possible; and the
        objects of `also`."""

    def remove(self, *paths: str) -> None:
        """Delete objects. Missing ones are ignored."""

    def list_below(self, path: str) -> list[StoredObject]:
        """List all objects below `path`."""

    def now(self) -> float:
        """Seconds on the object store's own clock, which sets the times of its objects: replicas' clocks may differ."""


class LocalObjectStore:
    """A folder on a disk or a network file system."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, *paths: str) -> list[bytes | None]:
        return [self._read(path, -1) for path in paths]

    def read_starts(self, paths: Sequence[str], size: int) -> list[bytes | None]:
        return [self._read(path, size) for path in paths]

    def _read(self, path: str, size: int) -> bytes | None:
        try:
            with (self._root / path).open("rb") as file:
                return file.read(size)
        except MISSING_ERRORS:
            return None
        except OSError as error:
            raise _unreachable(error) from error

    def write(self, objects: Mapping[str, bytes]) -> None:
        for path, data in objects.items():
            self._write_atomically(path, lambda part, data=data: _write(part, data), os.replace)  # type: ignore[misc]

    def create(self, path: str, data: bytes) -> None:
        with suppress(FileExistsError):
            self._write_atomically(path, lambda part: _write(part, data), os.link)

    def share(self, path: str, source: str, data: bytes, also: Mapping[str, bytes]) -> None:
        def make(part: Path) -> None:
            try:
                os.link(self._root / source, part)
            except OSError:  # deleted meanwhile, or the file system has no hard links
                _write(part, data)

        self._write_atomically(path, make, os.replace)
        self.write(also)

    def _write_atomically(self, path: str, make: Callable[[Path], object], put: Callable[[Path, Path], object]) -> None:
        """Write a temporary file beside `path`, then put it there. Another process may delete the folder meanwhile."""
        target = self._root / path
        part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
        for attempt in range(TRIES):
            try:
                with suppress(FileExistsError):  # it existed, and was deleted again
                    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                make(part)
                put(part, target)
                return
            except FileExistsError:
                raise
            except OSError as error:
                if not isinstance(error, FileNotFoundError) or attempt == TRIES - 1:
                    raise as_write_problem(error) from error
            finally:
                with suppress(OSError):
                    part.unlink(missing_ok=True)

    def remove(self, *paths: str) -> None:
        for path in paths:
            target = self._root / path
            try:
                with suppress(*MISSING_ERRORS):
                    target.unlink()
            except OSError as error:
                raise as_write_problem(error) from error
            with suppress(OSError):  # not empty, or another process was quicker
                target.parent.rmdir()

    def list_below(self, path: str) -> list[StoredObject]:
        found = []
        for folder, _, names in os.walk(self._root / path):
            for name in names:
                target = Path(folder, name)
                with suppress(OSError):
                    info = target.stat()
                    relative = target.relative_to(self._root).as_posix()
                    found.append(StoredObject(relative, info.st_size, info.st_mtime, info.st_ino))
        return found

    def now(self) -> float:
        self.write({"clock": b""})
        try:
            return (self._root / "clock").stat().st_mtime
        except OSError as error:
            raise _unreachable(error) from error


class FsspecObjectStore:
    """A prefix in a bucket of an object store with atomic puts and consistent listings (S3, Google's, Azure's)."""

    def __init__(self, url: str) -> None:
        import fsspec  # imported here: most servers do not need it

        scheme = url.partition("://")[0]
        self._files, self._root = fsspec.url_to_fs(
            url, use_listings_cache=False, skip_instance_cache=True, **OPTIONS.get(scheme, {})
        )

    def read(self, *paths: str) -> list[bytes | None]:
        with _as_problems():
            # `cat` would first request whether the path exists
            found = self._files.cat_ranges(self._full_paths(paths), None, None, on_error="return")
            return [_bytes_or_none(data) for data in found]

    def read_starts(self, paths: Sequence[str], size: int) -> list[bytes | None]:
        if not paths:
            return []
        with _as_problems():
            found = self._files.cat_ranges(self._full_paths(paths), 0, size, on_error="return")
            return [data if isinstance(data, bytes) else None for data in found]

    def write(self, objects: Mapping[str, bytes]) -> None:
        with _as_problems(writing=True):  # many at once
            self._files.pipe(dict(zip(self._full_paths([*objects]), objects.values(), strict=True)))

    def create(self, path: str, data: bytes) -> None:
        """By a conditional put. If the object store has none, the last writer wins."""
        try:
            with _as_problems(writing=True):
                self._files.pipe_file(self._full_paths([path])[0], data, mode="create")
        except FileExistsError:
            pass
        except NotStored:
            if self.read(path) == [None]:
                self.write({path: data})
                time.sleep(CONFLICT_SECONDS)

    def share(self, path: str, source: str, data: bytes, also: Mapping[str, bytes]) -> None:
        """Writes the bytes, which the caller has just read: a copy inside the object store would cost more requests."""
        self.write({path: data, **also})

    def remove(self, *paths: str) -> None:
        with _as_problems(writing=True):
            try:
                if paths:
                    self._files.rm(self._full_paths(paths))
            except FileNotFoundError:  # some object stores then delete none
                for path in self._full_paths(paths):
                    with suppress(FileNotFoundError):
                        self._files.rm_file(path)

    def list_below(self, path: str) -> list[StoredObject]:
        with _as_problems():
            try:
                found = self._files.find(self._full_paths([path])[0], detail=True)
            except FileNotFoundError:
                return []
        cut = len(self._root) + 1
        return [StoredObject(name[cut:], info["size"] or 0, _modified(info), name) for name, info in found.items()]

    def now(self) -> float:
        self.write({"clock": b"now"})
        with _as_problems():
            return float(self._files.modified(self._full_paths(["clock"])[0]).timestamp())

    def _full_paths(self, paths: Sequence[str]) -> list[str]:
        return [f"{self._root}/{path}" for path in paths]


def _write(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)


def _bytes_or_none(found: Any) -> bytes | None:
    if isinstance(found, MISSING_ERRORS):
        return None
    if isinstance(found, Exception):
        raise found
    return bytes(found)


def _modified(info: Mapping[str, Any]) -> float:
    """When an object was written. fsspec's file systems have different names for it."""
    for name in ("LastModified", "mtime", "last_modified", "updated", "created"):
        when = info.get(name)
        if isinstance(when, str):
            when = datetime.fromisoformat(when)
        if isinstance(when, datetime):
            return when.timestamp()
        if when is not None:
            return float(when)
    return time.time()


@contextmanager
def _as_problems(writing: bool = False) -> Iterator[None]:
    """A context that turns errors into problems. Object stores and their clients raise many kinds of errors."""
    try:
        yield
    except FileExistsError:
        raise
    except (PermissionError, NotImplementedError, *MISSING_ERRORS) as error:
        if not writing:
            raise _unreachable(error) from error
        log.error("the store cannot be written: %s", describe_error(error))
        raise NotStored(NotStored.default_detail) from error
    except Exception as error:
        raise _unreachable(error) from error


def _unreachable(error: Exception) -> Unavailable:
    log.error("the store cannot be reached: %s", describe_error(error))
    return Unavailable(UNREACHABLE, retry_after=5)


def describe_error(error: BaseException) -> str:
    """An error's message, without credentials that someone has put into a URL."""
    return re.sub(r"//[^/@\s]+@", "//…@", f"{type(error).__name__}: {error}")
