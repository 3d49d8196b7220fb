"""GET and POST /experiments: the shape on the wire, refusals, streams, and clients that leave."""

from __future__ import annotations

import json
import time

import httpx
import jsonschema
import pytest
from gradoscope.lab.registry import experiments

from tests.support.web_server import serving

PATH = "/api/v1/experiments"
PRODUCT = {"expression": "(x+y)*z", "values": {"x": -2, "y": 5, "z": -4}}
SQUARE = {"expression": "a*a+a", "values": {"a": 3}}
KEY = "a-key-that-is-long-enough-to-be-one"
LEAVING = 10  # seconds in which a client that has left is noticed, at the most


@pytest.fixture(scope="module")
def idle(tmp_path_factory):
    """The application with an executor that computes nothing."""
    with serving(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture
def http(idle):
    with idle.client() as client:
        yield client


def schema_of(document, name):
    return {"$ref": f"#/components/schemas/{name}", "components": document["components"]}


def events_of(text):
    """(name, data) of each event of a stream."""
    found = []
    for block in text.replace("\r\n", "\n").strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


# With the real worker


def test_the_list(server):
    listed = server.http.get(PATH).json()
    document = server.http.get("/openapi.json").json()
    jsonschema.validate(listed, schema_of(document, "Experiments"))
    assert [one["id"] for one in listed["experiments"]] == list(experiments())
    for one in listed["experiments"]:
        jsonschema.Draft202012Validator.check_schema(one["parameters"])
        for tried in one["tries"]:
            jsonschema.validate(tried["parameters"], one["parameters"])
    head = server.http.head(PATH)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == "application/json"


def test_a_run_as_json(server):
    answer = server.http.post(f"{PATH}/graph", json={"parameters": PRODUCT, "seed": 5})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    result = answer.json()
    jsonschema.validate(result, schema_of(server.http.get("/openapi.json").json(), "ExperimentResult"))
    assert (result["id"], result["seed"], result["parameters"]) == ("graph", 5, PRODUCT)
    assert result["numbers"]["gradients"] == {"x": -4, "y": -4, "z": 3}
    assert set(result["versions"]) == {"gradoscope", "torch", "python"}
    assert result["findings"][0]["text"]
    assert server.http.post(f"{PATH}/graph", json={"parameters": PRODUCT, "seed": 5}).json() == result


@pytest.mark.parametrize("body", [None, b"", b"{}", b'\xef\xbb\xbf{"seed": 0}'])
def test_what_is_left_out_has_its_default(server, body):
    headers = {} if body is None else {"content-type": "application/json; charset=utf-8"}
    result = server.http.post(f"{PATH}/graph", content=body, headers=headers).json()
    assert result["numbers"]["gradients"] == {"x": -4, "y": -4, "z": 3}
    assert result["parameters"]["values"] == {"x": -2, "y": 5, "z": -4}


def test_a_run_as_events(server):
    asked = {"parameters": SQUARE | {"values": {"a": 3.5}}}
    answer = server.http.post(f"{PATH}/graph", json=asked, headers={"accept": "text/event-stream"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    (first, accepted), *_, (last, done) = events_of(answer.text)
    assert (first, last) == ("accepted", "done")
    schemas = server.http.get("/openapi.json").json()
    jsonschema.validate(accepted, schema_of(schemas, "ExperimentAcceptedEvent"))
    jsonschema.validate(done, schema_of(schemas, "ExperimentResult"))
    assert done["numbers"]["gradients"] == {"a": 8}
    assert done == server.http.post(f"{PATH}/graph", json=asked).json()


def test_every_experiment_answers_with_what_is_worth_trying(server):
    for one in server.http.get(PATH).json()["experiments"]:
        result = server.http.post(f"{PATH}/{one['id']}", json={"parameters": one["tries"][0]["parameters"]})
        assert result.status_code == 200, result.text
        assert result.json()["figures"]


# What is refused, before anything is computed


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"parameters": {"expression": "q"}}, "parameters.values", "«q»"),
        ({"parameters": {"expression": "x" * 201}}, "parameters.expression", "200"),
        ({"parameters": {"expresion": "x"}}, "parameters.expresion", "Did you mean `expression`?"),
        ({"parameters": {"values": {"x": 1e7, "y": 1, "z": 1}}}, "parameters.values.x", "1000000"),
        ({"parameters": []}, "parameters", "dictionary"),
        ({"seed": -1}, "seed", "0"),
        ({"seed": 2**63}, "seed", "9223372036854775807"),
        ({"sed": 1}, "sed", "Did you mean `seed`?"),
        ([1], "body", "JSON object"),
        ("x", "body", "JSON object"),
    ],
)
def test_a_field_that_will_not_do_is_named(http, idle, body, field, words):
    before = len(idle.executor.asked)
    answer = http.post(f"{PATH}/graph", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    (fault,) = answer.json()["errors"]
    assert fault["field"] == field
    assert words in fault["detail"]
    assert len(idle.executor.asked) == before


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"nothing", b'{"seed": NaN}', b'{"seed": Infinity}', b'{"seed": 1, "seed": 2}', b"\xff", b"{} {}",
        b'{"parameters": {"expression": "\\ud800"}}',
        b'{"parameters": ' * 100 + b"{}" + b"}" * 100, b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused(http, body):
    answer = http.post(f"{PATH}/graph", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body"


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
def test_another_kind_of_body_is_refused(http, kind):
    answer = http.post(f"{PATH}/graph", content=b"seed=1", headers={"content-type": kind})
    assert answer.status_code == 422
    assert "application/json" in answer.json()["detail"]


def test_fields_in_the_address_are_refused(http):
    answer = http.post(f"{PATH}/graph", params={"seed": 1})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "seed")


def test_a_large_body_is_refused(http):
    body = b'{"parameters": {"expression": "' + b"x" * 2**20 + b'"}}'
    answer = http.post(f"{PATH}/graph", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize("id", ["grap", "x" * 150, "..%2Fgraph", "%00"])
def test_an_unknown_experiment(http, id):
    answer = http.post(f"{PATH}/{id}", json={})
    assert answer.status_code == 404
    if id == "grap":
        assert "Did you mean `graph`?" in answer.json()["detail"]


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_refusal_has_its_status_in_every_form(http, accept):
    answer = http.post(f"{PATH}/graph", json={"seed": -1}, headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize(("method", "path", "allow"), [("PUT", "", "GET, HEAD"), ("GET", "/graph", "POST")])
def test_other_methods(http, method, path, allow):
    answer = http.request(method, PATH + path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


def test_what_would_take_longer_than_a_request_may_is_refused(tmp_path):
    with serving(tmp_path, deadline=0.001) as server, server.client() as client:
        answer = client.post(f"{PATH}/graph", json={})
        assert answer.status_code == 422
        assert "the limit of a request" in answer.json()["detail"]
        assert server.executor.asked == []


# Who asks, and who leaves


def test_the_job_has_the_owner_and_all_parameters(tmp_path):
    (tmp_path / "keys").write_text(f"anna: {KEY}\n")
    with serving(tmp_path / "store", keys=tmp_path / "keys") as server, server.client() as client:
        assert client.post(f"{PATH}/graph", json={}).status_code == 401
        assert client.get(PATH).status_code == 401
        answer = client.post(f"{PATH}/graph", json={"seed": 3}, headers={"x-api-key": KEY})
        assert answer.status_code == 200
        ((job, _),) = server.executor.asked
    assert (job.experiment, job.seed, job.owner) == ("graph", 3, "anna")
    assert job.parameters == {"expression": "(x + y) * z", "values": {"x": -2, "y": 5, "z": -4}}


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_whoever_leaves_ends_the_run(idle, accept):
    ended = idle.executor.ended
    idle.executor.gate.clear()
    try:
        with (
            httpx.Client(base_url=idle.url, timeout=httpx.Timeout(30, read=0.5)) as client,
            pytest.raises(httpx.ReadTimeout),
        ):
            client.post(f"{PATH}/graph", json={}, headers={"accept": accept})  # it waits for a moment, and hangs up
        until = time.monotonic() + LEAVING
        while idle.executor.ended == ended and time.monotonic() < until:
            time.sleep(0.02)
        assert idle.executor.ended == ended + 1
    finally:
        idle.executor.gate.set()


def test_a_page_of_another_site_may_not_ask(http):
    answer = http.post(
        f"{PATH}/graph", json={}, headers={"sec-fetch-site": "cross-site", "origin": "https://a.example"}
    )
    assert answer.status_code == 403


def test_the_document_has_an_example_of_each(http):
    operation = http.get("/openapi.json").json()["paths"][PATH + "/{id}"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert list(examples) == operation["parameters"][0]["schema"]["enum"] == list(experiments())
