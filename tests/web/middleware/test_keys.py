"""API keys: the file, who is let in, sessions, and who owns what."""

from __future__ import annotations

import os

import pytest
from gradoscope.contract.problems import Problem
from gradoscope.web.middleware.keys import Keys, read_keys
from gradoscope.web.middleware.sessions import COOKIE, MAX_SESSIONS, SECONDS, Sessions

from tests.support.web_server import serving

ANN, BOB = "ann-0123456789abcdef", "bob-0123456789abcdef"
FILE = f"# who may ask\nann:{ANN}\n\n bob : {BOB} \nann:ann-another-0123456789\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "keys"
    path.write_text(FILE)
    return path


def written(path, text):
    """As an editor does it: another file takes the place."""
    part = path.with_name("keys.part")
    part.write_text(text)
    os.replace(part, path)


# The file


def test_keys_of_a_file():
    keys, faults = read_keys(FILE.encode())
    assert [key.name for key in keys] == ["ann", "bob", "ann"]
    assert faults == []
    assert ANN not in repr(keys)


def test_a_file_as_other_systems_write_it():
    """A byte order mark, and other ends of lines."""
    keys, faults = read_keys(b"\xef\xbb\xbf" + f"ann:{ANN}\r\n\tbob : {BOB}\t\r\n".encode())
    assert [key.name for key in keys] == ["ann", "bob"]
    assert faults == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no key"),
        ("# none", "no key"),
        ("ann", "line 1"),
        (f"ann:{ANN}\n:{BOB}", "line 2"),
        (f"a n:{ANN}", "line 1"),
        (f"{'n' * 65}:{ANN}", "line 1"),
        ("ann:fifteen-letters", "16 printable"),
        ("ann:with spaces in it, long", "16 printable"),
        ("ann:ключ-ключ-ключ-ключ", "16 printable"),
        (f"ann:{ANN}\nbob:{ANN}", "line 2"),
    ],
)
def test_a_file_that_is_wrong_is_refused_at_the_start(tmp_path, text, said):
    (tmp_path / "keys").write_text(text)
    with pytest.raises(Problem, match=said) as refused:
        Keys(tmp_path / "keys")
    assert "fifteen" not in refused.value.detail
    with pytest.raises(Problem, match="No such file"):
        Keys(tmp_path / "none")


def test_a_key_is_found(path):
    keys = Keys(path)
    assert keys.find(ANN).name == keys.find("ann-another-0123456789").name == "ann"
    assert keys.find(BOB).name == "bob"
    for wrong in ("", ANN[:-1], ANN + "x", ANN.upper(), "ann", "é", "\udcff"):
        assert keys.find(wrong) is None


def test_the_file_is_read_again_when_it_changes(path):
    keys = Keys(path)
    bob = keys.find(BOB)
    written(path, f"ann:{ANN}\ncarl:carl-0123456789abcdef")
    assert keys.find(BOB) is None
    assert not keys.is_valid(bob)
    assert keys.find("carl-0123456789abcdef").name == "carl"
    written(path, FILE)
    assert keys.find(BOB).name == "bob"


@pytest.mark.parametrize("left", ["carl:short", "", "# nobody", None])
def test_keys_that_are_gone_let_nobody_in(path, left, caplog):
    """The last line was deleted, or is faulty; or the whole file is gone."""
    keys = Keys(path)
    ann = keys.find(ANN)
    if left is None:
        path.unlink()
    else:
        written(path, left)
    assert keys.find(ANN) is keys.find(BOB) is None
    assert not keys.is_valid(ann)
    assert "nobody is let in" in caplog.text
    written(path, FILE)
    assert keys.find(ANN) == ann


@pytest.mark.parametrize("faulty", ["ann:short", "a n:0123456789abcdef", ANN, f"bob:{BOB}", "\ufffd"])
def test_a_faulty_line_ends_its_key_and_no_other(path, faulty, caplog):
    keys = Keys(path)
    written(path, f"{faulty}\nbob:{BOB}\n")
    assert keys.find(ANN) is None
    assert keys.find(BOB).name == "bob"
    assert "line " in caplog.text
    assert BOB not in caplog.text


def test_bytes_that_are_no_text_spoil_their_line_alone(path):
    keys = Keys(path)
    path.write_bytes(b"ann:\xff\xfe\xff0123456789abcdef\n" + f"bob:{BOB}\n".encode())
    assert keys.find(ANN) is None
    assert keys.find(BOB).name == "bob"


# Sessions


def test_a_session_ends_in_time_and_with_its_key(path):
    now = 1000.0
    keys = Keys(path)
    sessions = Sessions(keys, lambda: now)
    ann, bob = sessions.create(keys.find(ANN)), sessions.create(keys.find(BOB))
    assert ann != sessions.create(keys.find(ANN))
    assert (sessions.find(ann).name, sessions.find(bob).name) == ("ann", "bob")
    assert sessions.find("") is sessions.find(ann[:-1]) is sessions.find(ANN) is None
    written(path, f"ann:{ANN}")
    assert sessions.find(bob) is None
    written(path, FILE)
    assert sessions.find(bob) is None
    now += SECONDS
    assert sessions.find(ann) is None


def test_sessions_are_bounded(path):
    keys = Keys(path)
    sessions = Sessions(keys)
    tokens = [sessions.create(keys.find(ANN)) for _ in range(MAX_SESSIONS + 1)]
    assert sessions.find(tokens[0]) is None
    assert sessions.find(tokens[1]).name == "ann"


# On a server


@pytest.fixture(scope="module")
def web_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("web")
    (folder / "keys").write_text(FILE)
    with serving(folder / "store", keys=folder / "keys") as web_server:
        store = web_server.app.state.store
        store.create("of-ann", {"id": "of-ann"}, "ann")
        store.put("of-ann", "source", "s", b"bytes", {})
        store.put("of-ann", "image", "i", b"bytes", {})
        yield web_server


@pytest.fixture
def client(web_server):
    with web_server.client() as client:
        yield client


OPEN = [
    "/",
    "/methods",
    "/trust",
    "/lab",
    "/lab/graph",
    "/docs",
    "/openapi.json",
    "/healthz",
    "/readyz",
    "/static/palettes.json",
    "/e/0",
]
CLOSED = ["/metrics", "/api/v1/models", "/api/v1/samples", "/api/v1/explanations/0", "/nothing", "/static"]


@pytest.mark.parametrize("path", OPEN)
def test_open_without_a_key(client, path):
    assert client.get(path).status_code != 401


@pytest.mark.parametrize("path", [*CLOSED, "/api/v1/session/", "/healthz/../metrics", "/%6detrics"])
def test_the_rest_needs_one(client, path):
    for headers in (
        {},
        {"authorization": "Bearer wrong-0123456789abc"},
        {"authorization": f"Basic {ANN}"},
        {"authorization": ANN},
        {"authorization": "Bearer"},
        {"x-api-key": ""},
        {"x-api-key": ANN[:-1]},
        {"cookie": f"{COOKIE}={ANN}"},
    ):
        answer = client.get(path, headers=headers)
        assert answer.status_code == 401, headers
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]
    for headers in ({"authorization": f"Bearer {ANN}"}, {"authorization": f"bearer {ANN}"}, {"x-api-key": BOB}):
        assert client.get(path, headers=headers).status_code != 401, headers


def test_a_post_without_one_is_refused_before_its_body_is_read(web_server):
    head = b"POST /api/v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n"
    assert web_server.raw(head).status == 401


def test_a_wrong_key_is_not_helped_by_a_cookie(client):
    client.post("/api/v1/session", data={"key": ANN})
    assert client.get("/api/v1/samples").status_code == 200
    assert client.get("/api/v1/samples", headers={"x-api-key": "wrong-0123456789abc"}).status_code == 401


def test_jobs_carry_their_owner(web_server, client):
    for key, name in ((ANN, "ann"), ("ann-another-0123456789", "ann"), (BOB, "bob")):
        client.post("/api/v1/predictions", data={"sample": "cat"}, headers={"x-api-key": key})
        job, asking = web_server.executor.asked[-1]
        assert (job.owner, asking) == (name, name)


def test_a_session(client):
    begun = client.post("/api/v1/session", data={"key": f" {ANN} "})
    assert begun.json() == {"name": "ann"}
    cookie = begun.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=strict", "Path=/", f"Max-Age={SECONDS}"):
        assert part in cookie
    assert ANN not in cookie
    assert "Secure" not in cookie  # this is plain http
    assert client.get("/api/v1/samples").status_code == 200
    kept = f"{COOKIE}={client.cookies[COOKIE]}"
    assert client.delete("/api/v1/session").status_code == 204
    assert not client.cookies
    assert client.get("/api/v1/samples", headers={"cookie": kept}).status_code == 401
    assert client.delete("/api/v1/session").status_code == 204


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"key": ANN + "x"}, 401), ({"key": "k" * 513}, 422), ({}, 422), ({"key": ANN, "more": "x"}, 422)],
)
def test_no_session(client, fields, status):
    answer = client.post("/api/v1/session", data=fields)
    assert answer.status_code == status
    assert answer.json()["errors"]
    assert "set-cookie" not in answer.headers


def test_another_site_begins_no_session(client):
    answer = client.post("/api/v1/session", data={"key": ANN}, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403


def test_behind_https_the_cookie_is_secure(tmp_path, path):
    with (
        serving(tmp_path / "store", keys=path, trusted_proxies=["127.0.0.1"]) as web_server,
        web_server.client() as client,
    ):
        begun = client.post("/api/v1/session", data={"key": ANN}, headers={"x-forwarded-proto": "https"})
        assert "Secure" in begun.headers["set-cookie"]


def test_reading_is_for_all_keys_forgetting_and_using_again_for_the_owner(client):
    ann, bob = {"x-api-key": ANN}, {"x-api-key": BOB}
    assert client.get("/api/v1/explanations/of-ann/image.png", headers=bob).content == b"bytes"
    for answer in (
        client.delete("/api/v1/explanations/of-ann", headers=bob),
        client.post("/api/v1/explanations", data={"from": "of-ann"}, headers=bob),
        client.post("/api/v1/predictions", data={"from": "of-ann"}, headers=bob),
    ):
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"
        assert "ann" not in answer.json()["detail"].replace("of-ann", "")
    assert client.post("/api/v1/predictions", data={"from": "of-ann"}, headers=ann).status_code == 200
    assert client.delete("/api/v1/explanations/none", headers=bob).status_code == 404
    assert client.delete("/api/v1/explanations/of-ann", headers=ann).status_code == 204
    assert client.get("/api/v1/explanations/of-ann", headers=ann).status_code == 404


def test_the_interface_says_that_keys_are_asked_for(client):
    document = client.get("/openapi.json").json()
    assert document["security"]
    assert set(document["components"]["securitySchemes"]) == {"bearer", "header"}
    assert document["paths"]["/healthz"]["get"]["security"] == []
    assert "security" not in document["paths"]["/metrics"]["get"]


def test_without_keys_nobody_is_asked(tmp_path):
    with serving(tmp_path) as web_server, web_server.client() as client:
        assert client.get("/metrics").status_code == 200
        assert client.post("/api/v1/session", data={"key": ANN}).status_code == 404
        assert client.delete("/api/v1/session").status_code == 204
        web_server.app.state.store.create("x", {"id": "x"}, "ann")  # made when keys were on
        assert client.delete("/api/v1/explanations/x").status_code == 204
        client.post("/api/v1/predictions", data={"sample": "cat"})
        job, asking = web_server.executor.asked[-1]
        assert (job.owner, asking) == ("", "127.0.0.1")
        assert "securitySchemes" not in client.get("/openapi.json").json()["components"]
