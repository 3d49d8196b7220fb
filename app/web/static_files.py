"""All that the pages load from /static, at addresses that name its content: /static/DIGEST/PATH.

The digest is over every file there, so one page never mixes two versions. It comes before the path, so relative
addresses in scripts and style sheets stay valid. Under the digest of what is there now, a browser keeps a file for
good. Under another one or none (links from elsewhere, pages that were opened before an update) it asks each time:
`no-cache` and an ETag.

Under a digest, modules and the sheets of pages come from the bundle, static/bundle/ (tools/bundle_js.py), if it was
made from the current sources. Without a digest they are the plain ones. What the bundle has as Brotli makes it is sent
like that to those who read it; everything else is compressed here.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from mimetypes import MimeTypes
from pathlib import Path
from types import MappingProxyType

import anyio.to_thread
from cachetools import LRUCache
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

log = logging.getLogger(__name__)
PREFIX = "/static"
BUNDLE = "bundle/"  # below /static, and never served there
LOOK_SECONDS = 1.0  # a changed file shows after this time at most
DIGEST_CHARACTERS = 16
MEMORY_BYTES = 16 * 2**20  # of cached bodies, compressed or not; all that ships takes a quarter of it
SMALLEST_PACKED = 500  # bytes; a smaller body hardly becomes shorter by gzip
FOREVER = "public, max-age=31536000, immutable"
ASK_EACH_TIME = "no-cache"
DIGEST = re.compile(f"[0-9a-f]{{{DIGEST_CHARACTERS}}}")
CODINGS = re.compile(r"(?:^|,)\s*(?P<coding>gzip|br)\s*(?:;\s*q\s*=\s*(?P<weight>[\d.]+)\s*)?(?=,|$)", re.IGNORECASE)
PACKED_TYPES = ("text/", "application/json", "application/javascript", "image/svg+xml")
TYPES = MimeTypes()  # Python's own table: the same on every system
for _suffix, _type in ((".js", "text/javascript"), (".webp", "image/webp"), (".md", "text/markdown")):
    TYPES.add_type(_type, _suffix)

Stamp = tuple[Path, int, int]  # file, bytes, time of the last change in ns


def content_hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@dataclass(frozen=True)
class Asset:
    """A file, or a body that the server has made; with the hash of its content."""

    path: str  # below /static/
    hash: str
    size: int
    source: Path | bytes
    brotli: Path | None = None  # the same as Brotli makes it, if somebody has made it

    @property
    def media_type(self) -> str:
        return TYPES.guess_type(self.path)[0] or "text/plain"

    @property
    def packable(self) -> bool:
        """Whether compressing makes it shorter: pictures are compressed already."""
        return self.size >= SMALLEST_PACKED and self.media_type.startswith(PACKED_TYPES)

    def read(self) -> bytes:
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()

    def coding(self, accepted: set[str]) -> str | None:
        """How it is compressed for those who read these codings; None if it is sent as it is."""
        if not self.packable:
            return None
        if self.brotli is not None and "br" in accepted:
            return "br"
        return "gzip" if "gzip" in accepted else None


@dataclass(frozen=True)
class Snapshot:
    """All assets at one moment, by their paths, and the digest over them."""

    plain: Mapping[str, Asset]  # the files as they are
    assets: Mapping[str, Asset]  # with what the bundle has in the place of the plain ones
    preloads: Mapping[str, list[str]]  # for each module of the bundle: the chunks that it imports
    digest: str

    @classmethod
    def of(cls, found: Mapping[str, Asset]) -> Snapshot:
        plain = {path: asset for path, asset in found.items() if not path.startswith(BUNDLE)}
        bundled, preloads = _bundle(found, plain)
        assets = {**plain, **bundled}
        lines = "".join(f"{path} {assets[path].hash}\n" for path in sorted(assets))
        return cls(plain, assets, preloads, hashlib.sha256(lines.encode()).hexdigest()[:DIGEST_CHARACTERS])

    def address(self, path: str) -> str:
        """The address of an asset for the templates of a page."""
        return f"{PREFIX}/{self.digest}/{path}"

    def modules(self, *entries: str) -> list[str]:
        """The addresses of modules, and of the chunks that they import: a browser fetches all of them at once."""
        paths = dict.fromkeys(path for entry in entries for path in (entry, *self.preloads.get(entry, ())))
        return [self.address(path) for path in paths]


def _bundle(found: Mapping[str, Asset], plain: Mapping[str, Asset]) -> tuple[dict[str, Asset], dict[str, list[str]]]:
    """What the bundle has, and the chunks of each module; nothing if there is no bundle of the current sources."""
    manifest = found.get(f"{BUNDLE}manifest.json")
    if manifest is None:
        return {}, {}
    try:
        about = json.loads(manifest.read())
        sources, preloads, packed = dict(about["sources"]), dict(about["preload"]), dict(about.get("brotli", {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.error("the bundle of the page's modules cannot be read, so they are served one by one: %r", error)
        return {}, {}
    scripts = {path for path in plain if path.startswith("js/") and path.endswith(".js")}
    current = {path: plain[path].hash for path in scripts | sources.keys() if path in plain}
    if current != sources:
        return {}, {}
    files = {path.removeprefix(BUNDLE): asset for path, asset in found.items() if path.startswith(BUNDLE)}
    bundled = {}
    for path in files.keys() - {"manifest.json", *(f"{path}.br" for path in packed)}:
        shorter = files.get(f"{path}.br")
        # Only what was made of this very file: a folder may have been copied in part.
        of_it = shorter is not None and packed.get(path) == [files[path].hash, shorter.hash]
        brotli = shorter.source if shorter is not None and of_it and isinstance(shorter.source, Path) else None
        bundled[path] = replace(files[path], path=path, brotli=brotli)
    return bundled, preloads


class StaticTree:
    """The folders below /static, looked at again at most once in `LOOK_SECONDS`: an edited file needs no restart.

    `folders` has them by their paths below /static, a folder inside another one after it. `made` returns the bodies of
    assets that are no files. `joined` has the paths of files that are joined into one asset, by its path.
    """

    def __init__(
        self,
        folders: Mapping[str, Path],
        made: Callable[[], Mapping[str, bytes]] = dict,
        joined: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        self._folders = {at: folder.resolve() for at, folder in folders.items()}
        self._made = made
        self._joined = joined
        self._stamps: dict[str, Stamp] = {}
        self._hashes: dict[Stamp, str] = {}
        self._snapshot: Snapshot | None = None
        self._looked = 0.0

    def current(self) -> Snapshot:
        """What is there now. A page takes one snapshot for all its addresses."""
        now = time.monotonic()
        if self._snapshot is None or now - self._looked >= LOOK_SECONDS:
            self._looked = now
            stamps = dict(self._walk())
            if self._snapshot is None or stamps != self._stamps:
                self._snapshot = self._take(stamps)
        return self._snapshot

    def _walk(self) -> Iterator[tuple[str, Stamp]]:
        for at, folder in self._folders.items():
            yield from _files(f"{at}/" if at else "", folder, folder)

    def _take(self, stamps: dict[str, Stamp]) -> Snapshot:
        assets = {}
        hashes = {}
        for path, stamp in stamps.items():
            with suppress(OSError):
                hashes[stamp] = self._hashes.get(stamp) or content_hash(stamp[0].read_bytes())
                assets[path] = Asset(path, hashes[stamp], stamp[1], stamp[0])
        made = dict(self._made())
        for path, parts in self._joined.items():
            with suppress(OSError):
                made[path] = b"\n".join(assets[part].read() for part in parts if part in assets)
        for path, body in made.items():
            assets[path] = Asset(path, content_hash(body), len(body), body)
        self._stamps, self._hashes = stamps, hashes
        return Snapshot.of(assets)


def _files(at: str, folder: Path, root: Path) -> Iterator[tuple[str, Stamp]]:
    """The files in a folder and those below it, by their paths below /static. A link must not lead out of `root`."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            file = Path(entry.path)
            if entry.is_symlink() and not file.resolve().is_relative_to(root):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _files(f"{at}{entry.name}/", file, root)
            elif entry.is_file():
                with suppress(FileNotFoundError):
                    about = entry.stat()
                    yield f"{at}{entry.name}", (file, about.st_size, about.st_mtime_ns)


class StaticFiles:
    """ASGI application of a tree. Files are compressed once, and kept in memory as they are sent.

    They are always sent whole, so that requests with many ranges cannot do harm.
    """

    def __init__(self, tree: StaticTree) -> None:
        self._tree = tree
        self._bodies: LRUCache[tuple[str, str | None], bytes] = LRUCache(MEMORY_BYTES, getsizeof=len)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._response(Request(scope))
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        snapshot = self._tree.current()
        first, _, rest = _path_below(request.scope).partition("/")
        has_digest = DIGEST.fullmatch(first) is not None
        asset = snapshot.assets.get(rest) if has_digest else snapshot.plain.get(_path_below(request.scope))
        if asset is None:
            raise HTTPException(404)
        coding = asset.coding(_accepted(request.headers))
        try:
            hash, body = await self._body(asset, coding)
        except OSError as error:  # deleted since the tree was looked at
            raise HTTPException(404) from error
        # A file that was edited a moment ago is not what the digest stands for.
        lasting = first == snapshot.digest and hash == asset.hash
        headers = {"cache-control": FOREVER if lasting else ASK_EACH_TIME, "etag": f'W/"{hash[:32]}"'}
        if asset.packable:
            headers["vary"] = "Accept-Encoding"
        if _is_known(hash, request.headers):
            return Response(status_code=304, headers=headers)
        if coding:
            headers["content-encoding"] = coding
        return Response(body, headers=headers, media_type=asset.media_type)

    async def _body(self, asset: Asset, coding: str | None) -> tuple[str, bytes]:
        """The hash of the content, and the content as it is sent. If the file has changed since the snapshot, the hash
        is not the asset's."""
        known = self._bodies.get((asset.hash, coding))
        if known is not None:
            return asset.hash, known
        hash, body = await anyio.to_thread.run_sync(_load, asset, coding)
        with suppress(ValueError):  # larger than the whole memory
            self._bodies[hash, coding] = body
        return hash, body


def _load(asset: Asset, coding: str | None) -> tuple[str, bytes]:
    if coding == "br" and asset.brotli is not None:
        return asset.hash, asset.brotli.read_bytes()  # its hash was compared when the tree was looked at
    body = asset.read()
    hash = content_hash(body)
    if coding == "gzip":
        body = gzip.compress(body, 9, mtime=0)
    return hash, body


def _path_below(scope: Scope) -> str:
    """The path below /static/."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")).lstrip("/")


def _accepted(headers: Headers) -> set[str]:
    """Which of our codings the client reads."""
    found = CODINGS.finditer(headers.get("accept-encoding", ""))
    return {each["coding"].lower() for each in found if each["weight"] not in ("0", "0.", "0.0", "0.00", "0.000")}


def _is_known(hash: str, headers: Headers) -> bool:
    """Whether the client has this content: If-None-Match, compared weakly as HTTP asks."""
    tags = (tag.strip().removeprefix("W/") for tag in headers.get("if-none-match", "").split(","))
    return any(tag in ("*", f'"{hash[:32]}"') for tag in tags)
