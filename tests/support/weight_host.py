"""A server of weight files on loopback that can be slow, break off, send wrong bytes, or lack a file."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Host:
    """`files` by path; `breaks` says how many bytes of an answer are sent before it breaks off, answer by answer."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    breaks: list[int] = field(default_factory=list)
    pause: float = 0.0  # seconds between pieces
    silence: float = 0.0  # seconds before the first
    piece: int = 2**16
    ranges: bool = True  # whether it knows partial answers
    hub: bool = True  # whether its headers name commit and hash, as those of the Hugging Face hub do
    asked: list[tuple[str, str | None]] = field(default_factory=list)  # path and range of each GET
    sent: int = 0


class Handler(BaseHTTPRequestHandler):
    """Answers for a `Host`, its `host`."""

    host: Host
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        data = self._find()
        if data is None:
            return
        self.send_response(200)
        if self.host.hub:
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("X-Linked-Size", str(len(data)))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.host.asked.append((self.path, wanted))
        data = self._find()
        if data is None:
            return
        start = int(re.match(r"bytes=(\d+)-", wanted)[1]) if wanted and self.host.ranges else 0  # type: ignore[index]
        if start >= len(data) > 0 and wanted:
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self._send(data[start:])

    def _find(self) -> bytes | None:
        path = self.path.replace(f"/resolve/{COMMIT}/", "/resolve/main/")
        if path in self.host.files:
            return self.host.files[path]
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def _send(self, data: bytes) -> None:
        limit = self.host.breaks.pop(0) if self.host.breaks else len(data)
        time.sleep(self.host.silence)
        try:
            for at in range(0, min(limit, len(data)), self.host.piece):
                piece = data[at : min(at + self.host.piece, limit)]
                self.wfile.write(piece)
                self.host.sent += len(piece)
                time.sleep(self.host.pause)
        except OSError:
            pass  # the client left
        if limit < len(data):
            self.close_connection = True


@contextmanager
def weight_host() -> Iterator[Host]:
    host = Host()

    server = ThreadingHTTPServer(("127.0.0.1", 0), type("HostHandler", (Handler,), {"host": host}))
    server.daemon_threads = True
    host.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
