"""Downloads weights: resumable, atomic, checked by hash. Needs no PyTorch, because the web process uses it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import httpx2

from ..contract.problems import Problem
from ..settings import Settings
from .paths import short_path
from .weights import WeightFile, Weights, WrongWeights

TRIES = 4  # in a row without progress
PAUSE = 1.0  # seconds before the second try; then doubled each time
TIMEOUT = httpx2.Timeout(15.0, read=30.0)
USER_AGENT = {"User-Agent": "gradoscope", "Accept-Encoding": "identity"}


class DownloadFailed(Problem):
    """The weights could not be downloaded; the detail says why. Received bytes are kept for the next try."""

    status = 502
    title = "Download failed"


@dataclass(frozen=True)
class DownloadProgress:
    """`done` of `total` bytes; total is None if the server does not tell."""

    done: int
    total: int | None


class _ConnectionLost(Exception):
    """The connection ended early; the bytes so far are on disk."""


def download_weights(file: WeightFile, model: str, settings: Settings) -> Generator[DownloadProgress, None, None]:
    """Download a weight file into the weights folder and yield the progress; does nothing if it is there.

    The data goes to a file `….part`, which continues an earlier try, and is renamed atomically when its SHA-256 is
    right: an incomplete or wrong file never has the right name.
    Raises `DownloadFailed`, or `WrongWeights` if the hash differs; then the wrong file is deleted.
    """
    weights = Weights(settings)
    if weights.find(file):
        return
    if file.local or settings.offline:
        raise DownloadFailed(weights.remedy(file, model), field="model")
    with httpx2.Client(headers=USER_AGENT, timeout=TIMEOUT, follow_redirects=True) as client:
        file = weights.with_pinned_revision(file)
        if file.hub is not None and file.revision is None:
            file = _pin(file, model, weights, settings)
        if not file.sha256:
            raise DownloadFailed(
                f"{model}: nobody states the hash of {file.file}, so it could not be checked. Write its sha256 into "
                "the card."
            )
        path = weights.path(file)
        part = path.with_name(f"{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _open_locked(part, model) as out:
                yield from _fetch(client, mirrored(file.url, settings), out, model, settings.download_bytes)
                _check(out, file, part, model)
                os.fsync(out.fileno())
                os.replace(part, path)
        except OSError as error:
            raise DownloadFailed(
                f"{model}: {short_path(path)} cannot be written: {error.strerror or error}. Make room or correct the "
                "folder's rights, or set GRADOSCOPE_WEIGHTS to another folder."
            ) from error


def mirrored(url: str, settings: Settings) -> str:
    """`url` with scheme and host replaced by the mirror's: a mirror has the same paths."""
    if not settings.weights_mirror:
        return url
    parts = urlsplit(url)
    return f"{settings.weights_mirror}{parts.path}"


def _fetch(
    client: httpx2.Client, url: str, out: IO[bytes], model: str, limit: int
) -> Generator[DownloadProgress, None, None]:
    """Append the missing bytes to `out`. After a broken connection it continues, as long as tries make progress."""
    tries = 0
    while True:
        before = out.seek(0, os.SEEK_END)
        try:
            yield from _fetch_once(client, url, out, model, limit)
            return
        except (_ConnectionLost, httpx2.TransportError) as error:
            done = out.seek(0, os.SEEK_END)
            tries = 1 if done > before else tries + 1
            if tries >= TRIES:
                raise DownloadFailed(f"{model}: {_describe_break(error, url, done)}", field="model") from error
            time.sleep(PAUSE * 2 ** (tries - 1))


def _fetch_once(
    client: httpx2.Client, url: str, out: IO[bytes], model: str, limit: int
) -> Generator[DownloadProgress, None, None]:
    done = out.seek(0, os.SEEK_END)
    with client.stream("GET", url, headers={"Range": f"bytes={done}-"} if done else {}) as response:
        if response.status_code == 416:  # nothing is missing; if the hash is wrong, the next try starts from zero
            return
        if response.status_code not in (200, 206):
            raise DownloadFailed(_describe_status(response.status_code, url, model), field="model")
        if response.status_code == 200 or _range_start(response) != done:
            done = out.truncate(0)  # the server sends the whole file again
            out.seek(0)
        total = _total(response, done)
        if total is not None and total > limit:
            raise _too_large(out, url, model, limit)
        yield DownloadProgress(done, total)
        for chunk in response.iter_raw():
            if done + len(chunk) > limit:  # it may tell no length, or another one
                raise _too_large(out, url, model, limit)
            out.write(chunk)
            done += len(chunk)
            yield DownloadProgress(done, total)
    if total is not None and done < total:
        raise _ConnectionLost


def _total(response: httpx2.Response, done: int) -> int | None:
    """How large the whole file is, of which `done` bytes are here; None if the server does not tell."""
    length = response.headers.get("content-length")
    return done + int(length) if length and length.isdigit() else None


def _too_large(out: IO[bytes], url: str, model: str, limit: int) -> DownloadFailed:
    """The problem of a file that is too large. What came of it is deleted."""
    out.truncate(0)
    return DownloadFailed(
        f"{model}: {urlsplit(url).netloc} sends more than {limit:,} bytes, the limit of one file. If the weights are "
        "that large, the operator raises GRADOSCOPE_DOWNLOAD_BYTES.",
        field="model",
    )


def _check(out: IO[bytes], file: WeightFile, part: Path, model: str) -> None:
    out.seek(0)
    found = hashlib.file_digest(out, "sha256").hexdigest()  # type: ignore[arg-type]
    if not found.startswith(file.sha256):  # a card may have only its beginning, as torchvision's names do
        part.unlink()
        raise WrongWeights(
            f"{model}: what came for {file.file} is not that file: its SHA-256 begins with "
            f"{found[: len(file.sha256)][:16]}, expected {file.sha256[:16]}. It was removed. Try again; if that does "
            "not help, the host or the mirror serves another file.",
            field="model",
        )


def _pin(file: WeightFile, model: str, weights: Weights, settings: Settings) -> WeightFile:
    """Ask the hub for the commit and hash of a file, and save them: from then on this commit is used."""
    from huggingface_hub import get_hf_file_metadata
    from huggingface_hub.errors import HfHubHTTPError

    assert file.hub is not None
    url = mirrored(f"https://huggingface.co/{file.hub.repository}/resolve/main/{file.hub.file}", settings)
    try:
        found = get_hf_file_metadata(url, token=False, endpoint=settings.weights_mirror or None)
    except HfHubHTTPError as error:
        raise DownloadFailed(_describe_status(error.response.status_code, url, model), field="model") from error
    except (httpx2.TransportError, OSError) as error:
        raise DownloadFailed(
            f"{model}: {urlsplit(url).netloc} does not answer ({type(error).__name__}). Check the network, or put the "
            "weights there by hand: " + weights.remedy(file, model),
            field="model",
        ) from error
    if not found.commit_hash or not re.fullmatch("[0-9a-f]{64}", found.etag or ""):
        raise DownloadFailed(
            f"{model}: {urlsplit(url).netloc} does not say which commit and hash the weights have. Write a card with "
            "`revision` and `sha256`.",
            field="model",
        )
    pin = weights.pin_path(file)
    pin.parent.mkdir(parents=True, exist_ok=True)
    part = pin.with_name(f"{pin.name}.{os.getpid()}.part")
    part.write_text(json.dumps({"revision": found.commit_hash, "sha256": found.etag, "size": found.size}), "utf-8")
    os.replace(part, pin)
    return weights.with_pinned_revision(file)


@contextmanager
def _open_locked(part: Path, model: str) -> Iterator[IO[bytes]]:
    """Open the partial file with an exclusive lock."""
    while True:
        with part.open("a+b") as out:
            try:
                fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise DownloadFailed(
                    f"{model}: another process is downloading {short_path(part)}. Wait for it.", field="model"
                ) from error
            # Between opening and locking, another process may have finished the file and given it its own name: written
            # to now, the finished file would be damaged.
            if part.exists() and os.path.samestat(os.fstat(out.fileno()), part.stat()):
                yield out
                return


def _describe_break(error: Exception, url: str, done: int) -> str:
    host = urlsplit(url).netloc
    if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout)) and not done:
        return f"{host} cannot be reached. Check the network, or GRADOSCOPE_WEIGHTS_MIRROR."
    what = "went silent" if isinstance(error, httpx2.TimeoutException) else "broke off"
    return f"the connection to {host} {what} after {done / 2**20:.1f} MiB. What came is kept: try again to go on."


def _range_start(response: httpx2.Response) -> int | None:
    match = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
    return int(match[1]) if match else None


def _describe_status(status: int, url: str, model: str) -> str:
    reason = {404: "there is no such file", 401: "it asks for a login", 403: "it refuses"}.get(status, f"HTTP {status}")
    return f"{model}: {urlsplit(url).netloc} answers {status} for {urlsplit(url).path}: {reason}."
