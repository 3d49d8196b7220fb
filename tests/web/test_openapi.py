"""The OpenAPI document, and what of it schemathesis has found wanting; its whole run is in test_fuzz.py."""

from __future__ import annotations

import json
import re

import pytest
from gradoscope.contract.events import EVENTS

from tests.support.web_server import serving


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("openapi")) as door:
        yield door


@pytest.fixture(scope="module")
def document(door):
    with door.client() as client:
        return client.get("/openapi.json").json()


def test_every_refusal_is_documented_as_a_problem(document):
    for path, operations in document["paths"].items():
        for operation in operations.values():
            responses = operation["responses"]
            assert {"4XX", "5XX"} <= set(responses), path
            assert "422" not in responses
            for status in ("4XX", "5XX"):
                assert list(responses[status]["content"]) == ["application/problem+json"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_the_events_of_a_stream_are_described(document):
    schemas = document["components"]["schemas"]
    for model in EVENTS.values():
        assert model.__name__ in schemas
    assert schemas["PanelEvent"]["properties"]["panel"] == {"$ref": "#/components/schemas/PanelBody"}
    assert set(re.findall(r"#/components/schemas/([^\"]+)", json.dumps(document))) <= set(schemas)


def test_forms_say_what_can_be_sent(document):
    forms = {n.split("_api")[0]: s for n, s in document["components"]["schemas"].items() if n.startswith("Body_")}
    assert all(form["additionalProperties"] is False for form in forms.values())
    explain = forms["Body_explain"]
    assert explain["oneOf"] == [{"required": [name]} for name in ("image", "sample", "from")]
    assert "cat" in explain["properties"]["sample"]["enum"]
    assert forms["Body_flow"]["properties"]["target"]["anyOf"] == [
        {"const": "top"},
        {"type": "integer"},
        {"type": "string"},
    ]


def test_an_explanation_leads_to_its_parts(document):
    ids = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
    links = document["paths"]["/api/v1/explanations"]["post"]["responses"]["200"]["links"]
    assert len(links) == 9
    assert set(links) <= ids
    panel = next(link for name, link in links.items() if name.startswith("array"))
    assert panel["parameters"] == {"id": "$response.body#/id", "panel": "$response.body#/panels/0/id"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/explanations/abc", "GET, DELETE"),
        ("DELETE", "/api/v1/explanations/abc.png", "GET"),
        ("DELETE", "/api/v1/explanations/abc.zip", "GET"),
        ("GET", "/api/v1/explanations", "POST"),
        ("PATCH", "/api/v1/session", "POST, DELETE"),
        ("POST", "/healthz", "GET"),
    ],
)
def test_405_names_what_is_allowed(door, method, path, allowed):
    with door.client() as client:
        answer = client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_fault_names_its_field_even_where_it_is_called_as_its_place(door):
    with door.client() as client:
        answer = client.get("/api/v1/models/none/classes", params={"query": "x" * 201})
    assert [error["field"] for error in answer.json()["errors"]] == ["query"]
