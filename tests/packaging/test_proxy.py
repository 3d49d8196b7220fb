"""The reverse proxy's configuration that ships, with a real nginx before the server. Skipped where there is none."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.paths import ROOT
from tests.support.web_server import Idle, RunningServer, read, serving

CONFIGURATION = ROOT / "deploy" / "nginx.conf"
NAME = "gradoscope.example"
NGINX, OPENSSL = (
    shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin"),
    shutil.which("openssl"),
)
pytestmark = pytest.mark.skipif(not (NGINX and OPENSSL), reason="nginx or openssl is not installed here")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def adapted(folder: Path, web_server: RunningServer, plain: int, tls: int) -> str:
    """The configuration as it ships, with other ports, files and shorter time-outs."""
    text = CONFIGURATION.read_text("utf-8")
    for old, new in (
        (r"listen 80\b", f"listen 127.0.0.1:{plain}"),
        (r"listen 443\b", f"listen 127.0.0.1:{tls}"),
        (r"server 127\.0\.0\.1:8000", f"server 127.0.0.1:{web_server.port}"),
        (r"/run/nginx\.pid", str(folder / "pid")),
        (r"/etc/ssl/certs/gradoscope\.pem", str(folder / "certificate")),
        (r"/etc/ssl/private/gradoscope\.key", str(folder / "key")),
        (r"client_header_timeout 10s", "client_header_timeout 1s"),
        (r"client_body_timeout 10s", "client_body_timeout 1s"),
        (r"worker_processes auto;", f"worker_processes 1; daemon off; user {Path.home().owner()};"),
        (r"http \{", "http {\n" + "".join(f"  {kind}_temp_path {folder}/{kind};\n" for kind in TEMPORARY)),
    ):
        text, count = re.subn(old, new, text)
        assert count, old
    return text


TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass
class Proxy:
    plain: int
    tls: int
    executor: Idle

    def client(self, address: str = "127.0.0.1") -> httpx.Client:
        def name(request: httpx.Request) -> None:
            request.extensions["sni_hostname"] = NAME

        return httpx.Client(
            base_url=f"https://127.0.0.1:{self.tls}",
            headers={"host": NAME},
            transport=httpx.HTTPTransport(local_address=address, verify=False),
            event_hooks={"request": [name]},
            timeout=30,
        )

    def connect(self) -> ssl.SSLSocket:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", self.tls), timeout=30)
        return context.wrap_socket(plain, server_hostname=NAME)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy")
    certify = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    where = ["-subj", f"/CN={NAME}", "-keyout", str(folder / "key"), "-out", str(folder / "certificate")]
    subprocess.run([OPENSSL, *certify, *where], check=True, capture_output=True)
    limits = {"trusted_proxies": ["127.0.0.1"], "allowed_hosts": [NAME], "client_rate": 3}
    with serving(folder / "store", **limits) as web_server:
        web_server.executor.has_catalogue = False  # /methods does without
        plain, tls = free_port(), free_port()
        (folder / "nginx.conf").write_text(adapted(folder, web_server, plain, tls))
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([NGINX, "-p", folder, "-c", folder / "nginx.conf"], stderr=log, stdout=log)
        try:
            wait(lambda: reachable(tls) or process.poll() is not None)
            assert process.poll() is None, (folder / "log").read_text()
            yield Proxy(plain, tls, web_server.executor)
        finally:
            process.terminate()
            process.wait(30)


def reachable(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def wait(condition) -> None:  # type: ignore[no-untyped-def]
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it does not come")


def test_pages_come_through(proxy):
    with proxy.client() as client:
        answer = client.get("/")
        assert answer.status_code == 200
        assert answer.headers["strict-transport-security"]
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert not re.search(r"\d", answer.headers["server"])  # no version
        html = client.get("/methods").text
        assert f"https://{NAME}/methods?lang=zh" in html


def test_plain_http_is_sent_to_https(proxy):
    answer = httpx.get(f"http://127.0.0.1:{proxy.plain}/methods", headers={"host": NAME})
    assert (answer.status_code, answer.headers["location"]) == (308, f"https://{NAME}/methods")


def test_other_names_get_no_answer(proxy):
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{proxy.plain}/", headers={"host": "evil.example"})


def test_a_limit_counts_for_the_address_of_the_client(proxy):
    with proxy.client("127.0.0.2") as client, proxy.client("127.0.0.3") as other:
        forged = ({"x-forwarded-for": f"10.0.0.{place}"} for place in range(4))
        statuses = [client.delete("/api/v1/explanations/none", headers=headers).status_code for headers in forged]
        assert statuses == [404, 404, 404, 429]
        assert other.delete("/api/v1/explanations/none").status_code == 404


def test_a_body_beyond_the_limit_is_a_problem(proxy):
    with proxy.client("127.0.0.4") as client:
        answer = client.post("/api/v1/predictions", content=bytes(34 * 2**20))
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == 413


def test_slow_heads_and_bodies_are_closed(proxy):
    head = f"POST /api/v1/predictions HTTP/1.1\r\nHost: {NAME}\r\n".encode()
    for sent in (head, head + b"Content-Length: 100\r\n\r\nx"):
        with proxy.connect() as sock:
            sock.sendall(sent)
            began = time.monotonic()
            assert read(sock).status in (None, 408)
            assert time.monotonic() - began < 20


def test_events_come_as_they_happen_and_a_client_that_leaves_is_gone(proxy):
    proxy.executor.gate.clear()
    before = proxy.executor.ended
    headers = {"accept": "text/event-stream"}
    with (
        proxy.client("127.0.0.5") as client,
        client.stream("POST", "/api/v1/explanations", data={"sample": "cat"}, headers=headers) as answer,
    ):
        assert answer.status_code == 200
        lines = answer.iter_lines()
        assert next(lines) == "event: accepted"
        assert proxy.executor.ended == before
    wait(lambda: proxy.executor.ended == before + 1)
    proxy.executor.gate.set()


@pytest.mark.parametrize(
    ("request_of", "status"),
    [
        (b"GET /" + b"a" * 17_000 + b" HTTP/1.1\r\nHost: %b\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: %b\r\nX-Long: " + b"a" * 17_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: %b\r\nHost: %b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: %b\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: %b\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET /%%zz HTTP/1.1\r\nHost: %b\r\n\r\n", 400),
        (b"TRACE / HTTP/1.1\r\nHost: %b\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: %b\r\n\r\n", 400),
        (b"\x00\x01\x02\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_is_a_problem(proxy, request_of, status):
    with proxy.connect() as sock:
        with suppress(OSError):  # it answers as soon as it has seen enough
            sock.sendall(request_of.replace(b"%b", NAME.encode()).replace(b"%%", b"%"))
        answer = read(sock)
    assert answer.status == status, answer.data[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_a_method_that_is_not_allowed_keeps_its_own_answer(proxy):
    """The server's refusals come through as they are."""
    with proxy.client() as client:
        answer = client.put("/api/v1/models")
    assert (answer.status_code, answer.json()["title"]) == (405, "Method not allowed")
