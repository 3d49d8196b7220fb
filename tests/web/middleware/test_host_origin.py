"""Requests that may be hostile: host names, other sites, headers, bodies."""

from __future__ import annotations

import httpx
import pytest
from gradoscope.web.middleware.security_headers import CONTENT_SECURITY_POLICY

from tests.support.paths import sample


@pytest.fixture(scope="module")
def server(quick_model_server):
    return quick_model_server


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "127.0.0.1.evil.example", "localhost:80:80", "", "[::1", "evil@127.0.0.1", "127.0.0.1/evil"),
        *("127.0.0.1?x", "127.0.0.1#x", "127.0.0.1:99999", "127.0.0.1\\evil", "http://127.0.0.1"),
    ],
)
def test_other_host_names_are_refused(server, host):
    response = server.http.get("/api/v1/models", headers={"host": host})
    assert response.status_code == 421
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "[::1]:8000"])
def test_own_names_are_answered(server, host):
    assert server.http.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1"},
    ],
)
def test_requests_that_another_site_makes_are_refused(server, headers):
    for call in (
        lambda: server.http.post("/api/v1/explanations", files={"image": sample("cat.jpg")}, headers=headers),
        lambda: server.http.delete("/api/v1/explanations/abc", headers=headers),
    ):
        response = call()
        assert response.status_code == 403
        assert response.json()["detail"]


def test_requests_of_the_own_page_and_of_shells_are_answered(server):
    for headers in ({"sec-fetch-site": "same-origin", "origin": server.url}, {"origin": server.url}, {}):
        assert server.http.delete("/api/v1/explanations/abc", headers=headers).status_code == 404


LINK = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-user": "?1"}


@pytest.mark.parametrize("path", ["abc.zip", "abc.png", "abc", "abc/panels/p1.npy", "abc/image.png"])
def test_results_are_not_fetched_by_pages_of_other_sites(server, path):
    """They are expensive, and a page that embeds a hundred of them has the user's browser ask for them all."""
    url = f"/api/v1/explanations/{path}"
    for headers in (
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
        {"sec-fetch-site": "cross-site", **LINK, "sec-fetch-dest": "iframe"},
        {"origin": "http://evil.example"},
    ):
        assert server.http.get(url, headers=headers).status_code == 403, headers
    for headers in (
        {"sec-fetch-site": "cross-site", **LINK},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "same-origin"},
        {},
    ):
        assert server.http.get(url, headers=headers).status_code == 404, headers


def test_security_headers_are_on_every_answer(server):
    evil = {"host": "evil.example"}
    for path, headers in (
        ("/", {}),
        ("/nothing", {}),
        ("/api/v1/models", {}),
        ("/static/palettes.json", {}),
        ("/", evil),
    ):
        response = server.http.get(path, headers=headers)
        assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"


def test_a_body_beyond_the_limit_is_refused(server):
    """With a Content-Length, or in chunks."""

    def pieces():
        yield b'--x\r\ncontent-disposition: form-data; name="image"; filename="a"\r\n\r\n'
        for _ in range(33):
            yield b"x" * 2**20

    kind = {"content-type": "multipart/form-data; boundary=x"}
    with_length = server.http.post("/api/v1/explanations", files={"image": b"x" * (33 * 2**20)})
    counted = server.http.post("/api/v1/explanations", content=pieces(), headers=kind)
    for response in (with_length, counted):
        assert response.status_code == 413
        assert response.headers["content-type"] == "application/problem+json"
        assert "33,554,432" in response.json()["detail"]


def test_malformed_bodies(server):
    kind = {"content-type": "multipart/form-data; boundary=x"}
    for content, headers in (
        (b"garbage", kind),
        (b"--x\r\nbroken", kind),
        (b"abc", {"content-type": "multipart/form-data"}),
    ):
        response = server.http.post("/api/v1/explanations", content=content, headers=headers)
        assert response.status_code in (400, 422), response.text
        assert response.headers["content-type"] == "application/problem+json"
    many = server.http.post("/api/v1/explanations", data={"model": ["x"] * 1001}, files={"image": b"x"})
    assert many.status_code in (400, 413, 422)


def test_unknown_paths_and_methods_are_problems(server):
    assert server.http.get("/api/v1/nothing").json()["status"] == 404
    assert server.http.put("/api/v1/models").json()["status"] == 405
    assert server.http.get("/static/../pyproject.toml").status_code == 404
    raw = httpx.Client(base_url=server.url)
    assert raw.get("/static/%2e%2e/pyproject.toml").status_code == 404
    raw.close()
