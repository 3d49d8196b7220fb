"""Requests by pages of other origins: refused by default, allowed for the origins of the setting."""

from __future__ import annotations

import pytest
from gradoscope.settings import Settings
from pydantic import ValidationError

from tests.support.web_server import serving

LAB, EVIL = "https://lab.example", "https://evil.example"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "x-api-key"}


def test_off_by_default(tmp_path):
    with serving(tmp_path) as web_server, web_server.client() as client:
        for method, headers in (("OPTIONS", PREFLIGHT), ("GET", {})):
            answer = client.request(method, "/api/v1/samples", headers={"origin": LAB, **headers})
            assert not [name for name in answer.headers if name.startswith("access-control")]
        assert client.delete("/api/v1/explanations/x", headers={"origin": LAB}).status_code == 403


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("web"), cors_origins=[LAB]) as web_server, web_server.client() as client:
        yield client


def test_a_named_origin_may_ask(client):
    asked = client.options("/api/v1/explanations", headers={"origin": LAB, **PREFLIGHT})
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == LAB
    assert "x-api-key" in asked.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in asked.headers
    response = client.delete("/api/v1/explanations/x", headers={"origin": LAB, "sec-fetch-site": "cross-site"})
    assert response.status_code == 404
    assert response.headers["access-control-allow-origin"] == LAB
    assert "origin" in response.headers["vary"].lower()


def test_another_origin_may_not(client):
    asked = client.options("/api/v1/explanations", headers={"origin": EVIL, **PREFLIGHT})
    assert asked.status_code == 403
    assert asked.headers["content-type"] == "application/problem+json"
    assert "access-control-allow-origin" not in asked.headers
    headers = {"origin": EVIL, "sec-fetch-site": "cross-site"}
    assert client.delete("/api/v1/explanations/x", headers=headers).status_code == 403
    assert "access-control-allow-origin" not in client.get("/api/v1/samples", headers=headers).headers


@pytest.mark.parametrize(
    "wrong", [{"cors_origins": "*"}, {"cors_origins": "lab.example"}, {"trusted_proxies": "proxy.example"}]
)
def test_invalid_settings(wrong):
    with pytest.raises(ValidationError):
        Settings(**wrong)
