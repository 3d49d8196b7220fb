"""Downloads of weights: resumable, atomic, checked by hash. Needs no PyTorch: the web process runs it too."""

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
from .weights import WeightFile, Weights, WrongWeights, shown

TRIES = 4  # in a row without a byte gained
PAUSE = 1.0  # seconds before the second try; doubled each time
TIMEOUT = httpx2.Timeout(15.0, read=30.0)
USER_AGENT = {"User-Agent": "gradoscope", "Accept-Encoding": "identity"}


class DownloadFailed(Problem):
    """The weights could not be fetched; the detail says why, and what came is kept for the next try."""

    status = 502
    title = "Download failed"


@dataclass(frozen=True)
class Fetched:
    """`done` of `total` bytes; total is None where the server does not say."""

    done: int
    total: int | None


class _Broken(Exception):
    """The connection ended early; what came so far is on disk."""


def pull(file: WeightFile, model: str, settings: Settings) -> Generator[Fetched, None, None]:
    """Fetch a weight file into its place in the weights folder, telling how far it is; does nothing where it is there.

    It grows beside its place under the name `….part`, goes on where an earlier try ended, and is moved into place in
    one step when its SHA-256 is right: no half or wrong file is ever found under the right name.
    Raises `DownloadFailed`, or `WrongWeights` where the hash differs; what was fetched wrongly is removed.
    """
    weights = Weights(settings)
    if weights.find(file):
        return
    if file.local or settings.offline:
        raise DownloadFailed(weights.remedy(file, model), field="model")
    with httpx2.Client(headers=USER_AGENT, timeout=TIMEOUT, follow_redirects=True) as client:
        file = weights.settled(file)
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
            with _alone(part, model) as out:
                yield from _fetch(client, mirrored(file.url, settings), out, model)
                _check(out, file, part, model)
                os.fsync(out.fileno())
                os.replace(part, path)
        except OSError as error:
            raise DownloadFailed(
                f"{model}: {shown(path)} cannot be written: {error.strerror or error}. Make room or mend the folder's "
                "rights, or set GRADOSCOPE_WEIGHTS to another folder."
            ) from error


def mirrored(url: str, settings: Settings) -> str:
    """`url` with the mirror in place of its scheme and host: a mirror keeps the paths."""
    if not settings.weights_mirror:
        return url
    parts = urlsplit(url)
    return f"{settings.weights_mirror}{parts.path}"


def _fetch(client: httpx2.Client, url: str, out: IO[bytes], model: str) -> Generator[Fetched, None, None]:
    """Append to `out` what is missing; tries again, from where it broke, while that gains anything."""
    tries = 0
    while True:
        before = out.seek(0, os.SEEK_END)
        try:
            yield from _fetch_once(client, url, out, model)
            return
        except (_Broken, httpx2.TransportError) as error:
            done = out.seek(0, os.SEEK_END)
            tries = 1 if done > before else tries + 1
            if tries >= TRIES:
                raise DownloadFailed(f"{model}: {_breakdown(error, url, done)}", field="model") from error
            time.sleep(PAUSE * 2 ** (tries - 1))


def _fetch_once(client: httpx2.Client, url: str, out: IO[bytes], model: str) -> Generator[Fetched, None, None]:
    have = out.seek(0, os.SEEK_END)
    with client.stream("GET", url, headers={"Range": f"bytes={have}-"} if have else {}) as answer:
        if answer.status_code == 416:  # there is no more to have; if the hash says otherwise, it begins anew
            return
        if answer.status_code not in (200, 206):
            raise DownloadFailed(_refusal(answer.status_code, url, model), field="model")
        if answer.status_code == 200 or _begins_at(answer) != have:
            have = out.truncate(0)  # the server sends it all again
            out.seek(0)
        length = answer.headers.get("content-length")
        total = have + int(length) if length and length.isdigit() else None
        yield Fetched(have, total)
        for chunk in answer.iter_raw():
            out.write(chunk)
            have += len(chunk)
            yield Fetched(have, total)
    if total is not None and have < total:
        raise _Broken


def _check(out: IO[bytes], file: WeightFile, part: Path, model: str) -> None:
    out.seek(0)
    found = hashlib.file_digest(out, "sha256").hexdigest()  # type: ignore[arg-type]
    if not found.startswith(file.sha256):
        part.unlink()
        raise WrongWeights(
            f"{model}: what came for {file.file} is not that file: its SHA-256 begins with "
            f"{found[: len(file.sha256)][:16]}, expected {file.sha256[:16]}. It was removed. Try again; if that does "
            "not help, the host or the mirror serves another file.",
            field="model",
        )


def _pin(file: WeightFile, model: str, weights: Weights, settings: Settings) -> WeightFile:
    """Ask the hub for the commit and hash of a file, and keep the answer: from then on that commit counts."""
    from huggingface_hub import get_hf_file_metadata
    from huggingface_hub.errors import HfHubHTTPError

    assert file.hub is not None
    url = mirrored(f"https://huggingface.co/{file.hub.repository}/resolve/main/{file.hub.file}", settings)
    try:
        about = get_hf_file_metadata(url, token=False, endpoint=settings.weights_mirror or None)
    except HfHubHTTPError as error:
        raise DownloadFailed(_refusal(error.response.status_code, url, model), field="model") from error
    except (httpx2.TransportError, OSError) as error:
        raise DownloadFailed(
            f"{model}: {urlsplit(url).netloc} does not answer ({type(error).__name__}). Check the network, or put the "
            "weights there by hand: " + weights.remedy(file, model),
            field="model",
        ) from error
    if not about.commit_hash or not re.fullmatch("[0-9a-f]{64}", about.etag or ""):
        raise DownloadFailed(
            f"{model}: {urlsplit(url).netloc} does not say which commit and hash the weights have. Write a card with "
            "`revision` and `sha256`.",
            field="model",
        )
    pin = weights.pin_path(file)
    pin.parent.mkdir(parents=True, exist_ok=True)
    part = pin.with_name(f"{pin.name}.{os.getpid()}.part")
    part.write_text(json.dumps({"revision": about.commit_hash, "sha256": about.etag, "size": about.size}), "utf-8")
    os.replace(part, pin)
    return weights.settled(file)


@contextmanager
def _alone(part: Path, model: str) -> Iterator[IO[bytes]]:
    """The growing file, for one process at a time."""
    with part.open("a+b") as out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DownloadFailed(
                f"{model}: another process is downloading {shown(part)}. Wait for it.", field="model"
            ) from error
        yield out


def _breakdown(error: Exception, url: str, done: int) -> str:
    host = urlsplit(url).netloc
    if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout)) and not done:
        return f"{host} cannot be reached. Check the network, or GRADOSCOPE_WEIGHTS_MIRROR."
    what = "went silent" if isinstance(error, httpx2.TimeoutException) else "broke off"
    return f"the connection to {host} {what} after {done / 2**20:.1f} MiB. What came is kept: try again to go on."


def _begins_at(answer: httpx2.Response) -> int | None:
    match = re.match(r"bytes (\d+)-", answer.headers.get("content-range", ""))
    return int(match[1]) if match else None


def _refusal(status: int, url: str, model: str) -> str:
    said = {404: "there is no such file", 401: "it asks for a login", 403: "it refuses"}.get(status, f"HTTP {status}")
    return f"{model}: {urlsplit(url).netloc} answers {status} for {urlsplit(url).path}: {said}."
