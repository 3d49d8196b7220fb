"""Security headers on every answer, and unexpected errors."""

from __future__ import annotations

import pytest
from gradoscope.web.middleware.security_headers import PAGE_HEADERS, SECURITY_HEADERS

from tests.support.web_server import serving


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("web")) as web_server:

        @web_server.app.get("/broken")
        def broken():
            raise RuntimeError("a secret of /some/path")

        with web_server.client() as client:
            yield client


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/docs", 200),
        ("/e/0", 200),
        ("/openapi.json", 200),
        ("/healthz", 200),
        ("/metrics", 200),
        ("/static/palettes.json", 200),
        ("/static/swagger/swagger-ui.css", 200),
        ("/static/nothing", 404),
        ("/static/%00", 404),
        ("/nothing", 404),
        ("/api/v1/predictions", 405),
        ("/broken", 500),
    ],
)
def test_every_answer_has_them(client, path, status):
    answer = client.get(path)
    assert answer.status_code == status
    document = answer.headers["content-type"].startswith("text/html")
    for name, value in (SECURITY_HEADERS | PAGE_HEADERS if document else SECURITY_HEADERS).items():
        assert answer.headers[name] == value
    assert "server" not in answer.headers
    assert "x-powered-by" not in answer.headers


def test_an_unexpected_error_discloses_nothing(client, caplog):
    answer = client.get("/broken")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert "secret" in caplog.text
    assert client.get("/healthz").status_code == 200
