"""The web application as a deployment of Ray Serve, through Serve's own proxy: pages, refusals, streams, leaving."""

from __future__ import annotations

import json

import httpx
import pytest
import yaml
from gradoscope.web.cluster_app import build
from ray import serve
from ray.serve.schema import ServeDeploySchema

from tests.support.cluster import final_status, reports_when_idle
from tests.support.paths import ROOT, sample
from tests.support.streams import stream

LONG = {"method": "integrated_gradients", "options": json.dumps({"integrated_gradients": {"steps": 800}})}


@pytest.fixture(scope="module")
def http(cluster):
    with httpx.Client(base_url=cluster.web(), timeout=60) as client:
        while client.get("/readyz").status_code != 200:
            pass
        yield client
    serve.delete("web")


def test_pages_and_refusals_are_the_same(http):
    page = http.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "content-security-policy" in page.headers
    assert http.get("/", headers={"host": "evil.example"}).status_code == 421
    refused = http.post("/api/v1/explanations", data={"sample": "cat", "method": "grad_kam"})
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert "no method «grad_kam»" in refused.json()["detail"]


def test_leaving_a_stream_ends_its_computation(http, cluster):
    with stream(http, {"image": sample("cat.jpg")}, target=40, **LONG) as events:
        explanation = next(events)[1]["id"]
        next(event for event in events if event[0] == "progress")
    reports_when_idle(cluster)
    assert final_status(lambda: http.get(f"/api/v1/explanations/{explanation}").json()) == "cancelled"


def test_the_file_for_serve_deploy_is_valid():
    schema = ServeDeploySchema(**yaml.safe_load((ROOT / "deploy" / "serve.yaml").read_text()))
    (application,) = schema.applications
    assert application.import_path == f"{build.__module__}:{build.__name__}"
    assert isinstance(build(application.args), serve.Application)
