"""Forms: nothing in them is read as something else, or passed over without a word."""

from __future__ import annotations

import logging
import tempfile

import pytest

from tests.support.paths import sample
from tests.support.web_server import serving

EXPLANATIONS, ESTIMATES, PREDICTIONS = "/api/v1/explanations", "/api/v1/estimates", "/api/v1/predictions"
URLENCODED = {"content-type": "application/x-www-form-urlencoded"}
MULTIPART = {"content-type": "multipart/form-data; boundary=x"}
CAT = "虎斑猫"


@pytest.fixture(scope="module")
def web_server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("forms") / "store") as web_server:
        yield web_server


@pytest.fixture(scope="module")
def client(web_server):
    with web_server.client() as client:
        yield client


def multipart(**fields):
    part = b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
    return b"".join(part % (name.encode(), value) for name, value in fields.items()) + b"--x--\r\n"


def refused(answer, field, status=422):
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert [error["field"] for error in body["errors"]] == [field]
    return body["detail"]


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (f"sample=cat&target={CAT}".encode(), URLENCODED),  # as `curl -d` sends it
        (b"sample=cat&target=%E8%99%8E%E6%96%91%E7%8C%AB", URLENCODED),
        (multipart(sample=b"cat", target=CAT.encode()), MULTIPART),
    ],
)
def test_text_is_utf8_however_it_is_sent(web_server, client, content, headers):
    client.post(EXPLANATIONS, content=content, headers=headers)
    assert web_server.executor.asked[-1][0].targets == (CAT,)


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"sample=cat&target=caf\xe9", URLENCODED),
        (b"sample=cat&target=caf%E9", URLENCODED),
        (multipart(sample=b"cat", target=b"caf\xe9"), MULTIPART),
        (multipart(sample=b"cat", target=b"\xed\xa0\x80"), MULTIPART),  # half of a surrogate pair
    ],
)
def test_other_text_is_refused(client, content, headers):
    assert "Send text as UTF-8" in refused(client.post(EXPLANATIONS, content=content, headers=headers), "target")


@pytest.mark.parametrize(
    ("field", "values"),
    [("seed", ["1", "2"]), ("options", ['{"smooth_grad": {"samples": 2}}', "{}"]), ("sample", ["cat", "espresso"])],
)
def test_one_value_of_two_is_not_passed_over(client, field, values):
    fields = {"sample": "cat", field: values}
    assert "more than once" in refused(client.post(EXPLANATIONS, data=fields), field)


def test_values_that_may_be_repeated_and_those_that_say_the_same(web_server, client):
    fields = {"sample": "cat", "method": ["grad_cam", "occlusion"], "target": ["1", "2"], "seed": ["7", "7"]}
    client.post(EXPLANATIONS, data=fields)
    job = web_server.executor.asked[-1][0]
    assert (job.methods, job.targets, job.seed) == (("grad_cam", "occlusion"), (1, 2), 7)
    assert refused(client.post("/api/v1/gradient-flows", data={"sample": "cat", "model": ["a", "b"]}), "model")


def test_fields_in_the_address_are_told(client):
    answer = client.post(f"{EXPLANATIONS}?method=grad_cam", data={"sample": "cat"})
    assert "-F method=" in refused(answer, "method")
    assert client.post(f"{PREDICTIONS}?v=1", data={"sample": "cat"}).status_code == 200  # no field's name


@pytest.mark.parametrize("path", [EXPLANATIONS, ESTIMATES, PREDICTIONS, "/api/v1/gradient-flows", "/api/v1/session"])
def test_what_is_no_form_is_not_taken_for_an_empty_one(client, path):
    """For an estimate, or for metrics, an empty form means the defaults."""
    assert "application/json" in refused(client.post(path, json={"method": ["grad_cam"]}), "body")
    picture = {"content": sample("cat.jpg")[:1000], "headers": {"content-type": "image/jpeg"}}
    assert "-F image=@cat.jpg" in refused(client.post(path, **picture), "body")
    refused(client.post(path, content=iter([b"sample=cat"])), "body")  # in chunks, without a content type


def test_no_body_is_an_empty_form(client):
    assert client.post(ESTIMATES).status_code == 200


def test_a_file_input_that_was_not_filled_in_counts_as_not_given(client):
    """As browsers send it."""
    empty = b'--x\r\nContent-Disposition: form-data; name="image"; filename=""\r\n\r\n\r\n'
    content = empty + multipart(sample=b"cat")
    assert client.post(PREDICTIONS, content=content, headers=MULTIPART).status_code == 200


def test_an_upload_that_cannot_be_kept_is_the_servers_fault(client, monkeypatch, tmp_path, caplog):
    caplog.set_level(logging.ERROR)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    answer = client.post(PREDICTIONS, files={"image": bytes(2 * 2**20)})
    assert (answer.status_code, answer.json()["title"]) == (507, "Cannot be stored")
    assert "temporary files" in answer.json()["detail"]
    assert str(tmp_path) not in answer.text
    assert "cannot be kept" in caplog.text
    assert client.post(PREDICTIONS, files={"image": sample("cat.jpg")}).status_code == 200  # it fits into memory
