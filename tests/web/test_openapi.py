"""The OpenAPI document, and faults that schemathesis once found; the whole run of schemathesis is in test_fuzz.py."""

from __future__ import annotations

import json
import re

import pytest
from gradoscope.contract.events import EVENTS
from gradoscope.pipeline.texts import texts
from gradoscope.web.openapi import CALLS

from tests.support.web_server import serving


@pytest.fixture(scope="module")
def web_server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("openapi")) as web_server:
        yield web_server


@pytest.fixture(scope="module")
def document(web_server):
    with web_server.client() as client:
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


def test_calls_stand_in_order_of_use_with_plain_summaries_in_each_language(web_server, document):
    found = [(method, path) for path, operations in document["paths"].items() for method in operations]
    assert set(found) == set(CALLS.values())
    assert list(document["paths"]) == list(dict.fromkeys(path for _, path in CALLS.values()))
    assert [group["name"] for group in document["tags"]][:2] == ["explanations", "predictions"]
    with web_server.client() as client:
        chinese = client.get("/openapi.json", params={"lang": "zh"}).json()
    for key, (method, path) in CALLS.items():
        for shown, language in ((document, "en"), (chinese, "zh")):
            assert shown["paths"][path][method]["summary"] == texts(language)[f"api.call.{key}"]
    assert {key for key in texts("en") if key.startswith("api.call.")} == {f"api.call.{key}" for key in CALLS}
    groups = {tag for path in chinese["paths"].values() for one in path.values() for tag in one["tags"]}
    assert groups == {text for key, text in texts("zh").items() if key.startswith("api.tag.")}


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


def test_an_explanation_has_links_to_its_parts(document):
    ids = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
    links = document["paths"]["/api/v1/explanations"]["post"]["responses"]["200"]["links"]
    assert len(links) == 10
    assert set(links) <= ids
    panel = next(link for name, link in links.items() if name.startswith("array"))
    assert panel["parameters"] == {"id": "$response.body#/id", "panel": "$response.body#/panels/0/id"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/explanations/abc", "GET, HEAD, DELETE"),
        ("DELETE", "/api/v1/explanations/abc.png", "GET, HEAD"),
        ("DELETE", "/api/v1/explanations/abc.zip", "GET, HEAD"),
        ("GET", "/api/v1/explanations", "POST"),
        ("PATCH", "/api/v1/session", "POST, DELETE"),
        ("POST", "/healthz", "GET, HEAD"),
    ],
)
def test_405_names_the_allowed_methods(web_server, method, path, allowed):
    with web_server.client() as client:
        answer = client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_fault_in_a_parameter_that_is_named_query_names_it(web_server):
    with web_server.client() as client:
        answer = client.get("/api/v1/models/none/classes", params={"query": "x" * 201})
    assert [error["field"] for error in answer.json()["errors"]] == ["query"]


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/v1/models", "/openapi.json", "/static/palettes.json"])
def test_head_is_get_without_the_body(web_server, path):
    with web_server.client() as client:
        got, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    same = "content-type", "content-length", "cache-control", "content-security-policy"
    assert [head.headers.get(name) for name in same] == [got.headers.get(name) for name in same]
    with web_server.client() as client:
        assert client.head("/nothing").status_code == 404
        assert client.head("/api/v1/session").status_code == 405


SAMPLES = {"string": "string", "integer": 0, "array": ["string"]}


@pytest.mark.parametrize("path", ["explanations", "predictions", "gradient-flows"])
def test_a_form_can_be_sent_with_the_examples_of_the_document(web_server, document, path):
    """As «Try it out» of /docs does: with each field's example, or its default, or else a value of its type."""
    schema = document["paths"][f"/api/v1/{path}"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    fields = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
    given = {
        name: field.get("example", field.get("default", SAMPLES.get(field.get("type"), "string")))
        for name, field in fields.items()
    }
    assert given["sample"] == "cat"
    data = {name: value if isinstance(value, list) else str(value) for name, value in given.items() if name != "image"}
    with web_server.client() as client:
        answer = client.post(f"/api/v1/{path}", files={"image": ("", b"")}, data=data)
    assert answer.status_code != 422, answer.text
