"""Requests that must do no damage: each is refused clearly, and the next good one is served."""

from __future__ import annotations

import json
import socket
import time
from urllib.parse import urlsplit

import pytest

from tests.support.paths import sample
from tests.support.server import WAITING_SIDE
from tests.support.web_server import read, read_one

CAT = sample("cat.jpg")
EXPLANATIONS, PREDICTIONS = "/api/v1/explanations", "/api/v1/predictions"
KIND = {"content-type": "multipart/form-data; boundary=x"}
PATIENCE = 10  # seconds; on an idle machine an answer takes less than two
DEEP = '{"smooth_grad":' * 10_000 + "1" + "}" * 10_000


def part(name="image", filename=None, data=b"", more=b""):
    """A part of a body whose boundary is x."""
    named = b'; filename="%b"' % filename if filename is not None else b""
    return b'--x\r\nContent-Disposition: form-data; name="%b"%b\r\n%b\r\n%b\r\n' % (name.encode(), named, more, data)


def form(*parts):
    return b"".join(parts) + b"--x--\r\n"


def refused(response, *statuses):
    """A problem document with one of these statuses, in time."""
    assert response.status_code in statuses, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    assert body["detail"]
    assert "Traceback" not in response.text
    assert response.elapsed.total_seconds() < PATIENCE
    return body


@pytest.fixture(scope="module")
def server(quick_model_server):
    return quick_model_server


@pytest.fixture(autouse=True)
def the_next_good_request_is_served(server):
    yield
    answer = server.http.post(PREDICTIONS, data={"sample": "cat"})
    assert answer.status_code == 200
    assert answer.json()["predictions"][0]["classes"][0]["index"] in (281, 282, 285)


# The body


BODIES = {
    "no boundary": (b"--x\r\n", {"content-type": "multipart/form-data"}, "body"),
    "an empty boundary": (form(part(data=CAT)), {"content-type": "multipart/form-data; boundary="}, None),
    "a boundary of 300 bytes": (b"--x\r\n", {"content-type": "multipart/form-data; boundary=" + "x" * 300}, "body"),
    "another boundary": (form(part(data=CAT)), {"content-type": "multipart/form-data; boundary=y"}, "body"),
    "garbage": (bytes(range(256)) * 40, KIND, "body"),
    "a part without a name": (b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n", KIND, "body"),
    "a part that does not end": (part(data=CAT)[:-100], KIND, None),
    "two files": (form(part(filename=b"a", data=CAT), part(filename=b"b", data=CAT)), KIND, "image"),
    "three files": (form(*[part(filename=b"a", data=CAT)] * 3), KIND, "body"),
    "1,001 parts": (form(*[part("model", data=b"x")] * 1001), KIND, "body"),
    "1,001 files": (form(*[part("image", b"a", b"x")] * 1001), KIND, "body"),
    "a field of 1 MB": (form(part("model", data=b"x" * 2**20)), KIND, "body"),
    "a part header of 8 kB": (form(part(more=b"X-Long: " + b"a" * 8192 + b"\r\n", data=b"x")), KIND, "body"),
    "a header name of 8 kB": (form(part(more=b"a" * 8192 + b": x\r\n", data=b"x")), KIND, "body"),
    "1,000 part headers": (form(part(more=b"A: b\r\n" * 1000, data=b"x")), KIND, "body"),
    "a field name of 3 kB": (form(part("a" * 3000, data=b"x"), part(filename=b"a", data=CAT)), KIND, None),
    "a text as the picture": (form(part(data=b"cat.jpg")), KIND, "image"),
    "a file as a field": (form(part("model", b"a", b"x"), part(filename=b"a", data=CAT)), KIND, None),
    "NUL in a field": (form(part("sample", data=b"cat\0")), KIND, None),
    "no UTF-8 in a field": (form(part("model", data=b"\xff\xfe"), part(filename=b"a", data=CAT)), KIND, None),
    "JSON": (b'{"sample": "cat"}', {"content-type": "application/json"}, "body"),
    "no content type": (b"sample=cat", {}, "body"),
    "300 urlencoded fields": (b"model=x&" * 300, {"content-type": "application/x-www-form-urlencoded"}, "body"),
    "nothing": (b"", {}, "image"),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies(server, name):
    content, headers, field = BODIES[name]
    body = refused(server.http.post(PREDICTIONS, content=content, headers=headers), 400, 404, 413, 415, 422)
    if field:
        assert [error["field"] for error in body["errors"]] == [field]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b.png", "C:\\a\\b.png", "é" * 300, "x\ny.png", " ", "a" * 300])
def test_the_name_of_the_file_does_not_matter(server, name):
    answer = server.http.post(PREDICTIONS, files={"image": (name, CAT)})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", [b"", b"cat\0.jpg", b"a" * 4096, b"\xff\xfe"])
def test_a_name_that_no_client_writes_does_not_matter_either(server, name):
    assert server.http.post(PREDICTIONS, content=form(part(filename=name, data=CAT)), headers=KIND).status_code == 200


def test_text_in_place_of_a_file_is_told_how_to_send_one(server):
    detail = refused(server.http.post(PREDICTIONS, data={"image": "cat.jpg"}), 422)["detail"]
    assert "-F image=@cat.jpg" in detail
    assert "UploadFile" not in detail


EMPTY = dict.fromkeys(("image", "from", "model", "method", "target", "against", "score", "options", "seed"), "")


def test_an_empty_optional_field_counts_as_not_given(server):
    fields = {**EMPTY, "fit": "", "size": "", "metrics": "", "sample": "cat"}
    answer = server.http.post("/api/v1/estimates", data=dict.fromkeys(("model", "method", "options", "size"), ""))
    assert answer.status_code == 200, answer.text
    fields |= {"method": ["", "grad_cam"], "target": ["", ""]}
    answer = server.http.post(EXPLANATIONS, data=fields)
    assert answer.status_code == 200, answer.text
    assert [panel["method"] for panel in answer.json()["panels"]] == ["grad_cam"]
    refused(server.http.post(EXPLANATIONS, data=EMPTY | {"sample": ""}), 422)


@pytest.mark.parametrize("charset", ["utf-7", "unicode_escape", "utf-16"])
def test_charsets_other_than_utf8_are_refused(server, charset):
    headers = {"content-type": f"multipart/form-data; boundary=x; charset={charset}"}
    refused(server.http.post(PREDICTIONS, content=form(part("sample", data=b"cat\\ud800")), headers=headers), 422)


def test_the_bound_is_told(server):
    for name, bound in (("1,001 parts", "256"), ("three files", "2"), ("a field of 1 MB", "256KB")):
        content, headers, _ = BODIES[name]
        assert bound in server.http.post(PREDICTIONS, content=content, headers=headers).json()["detail"]


# Its length


HEAD = b"POST /api/v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
GOOD = form(part("sample", data=b"cat"))


def connect(server):
    url = urlsplit(server.url)
    return socket.create_connection((url.hostname, url.port), timeout=60)


def problem(answer, *statuses):
    assert answer.status in statuses, answer.data
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("lengths", "statuses"),
    [
        ([b"%d" % 2**30], (413,)),  # refused before it is sent
        ([b"99999999999999999999"], (413,)),
        ([b"9" * 100], (400,)),
        ([b"-1"], (400,)),
        ([b"1e3"], (400,)),
        ([b"0x10"], (400,)),
        ([b"10", b"20"], (400,)),
        ([b"10, 20"], (400,)),
        ([b"0"], (400, 422)),  # too short: what is left of the body is read as another request, which is malformed
        ([b"20"], (400, 422)),
    ],
)
def test_content_length_that_lies(server, lengths, statuses):
    with connect(server) as sock:
        sock.sendall(HEAD + b"".join(b"Content-Length: %b\r\n" % length for length in lengths) + b"\r\n" + GOOD)
        problem(read_one(sock), *statuses)


def test_content_length_given_twice_alike_is_one(server):
    with connect(server) as sock:
        sock.sendall(HEAD + b"Content-Length: %d\r\n" % len(GOOD) * 2 + b"\r\n" + GOOD)
        assert read_one(sock).status == 200


def test_content_length_and_chunks_contradict_each_other(server):
    with connect(server) as sock:
        sock.sendall(
            HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n"
        )
        answer = read(sock)
        problem(answer, 400)
        assert answer.data.count(b"HTTP/1.1") == 1  # what follows is not taken for a request


def test_without_content_length_it_is_counted(server):
    def pieces():
        yield from (GOOD[:20], GOOD[20:])

    assert server.http.post(PREDICTIONS, content=pieces(), headers=KIND).status_code == 200

    def many():
        yield part(filename=b"a")
        for _ in range(33):
            yield bytes(2**20)

    body = refused(server.http.post(PREDICTIONS, content=many(), headers=KIND), 413)
    assert "33,554,432" in body["detail"]
    assert body["errors"][0]["field"] == "image"


# Parameters


OPTIONS = {
    "not JSON": ("{", "options"),
    "a list": ("[]", "options"),
    "a number": ("7", "options"),
    "a list for a method": ('{"smooth_grad": []}', "options"),
    "deeply nested": (DEEP, "options"),
    "deeply nested lists": ("[" * 60_000, "options"),
    **{
        f"{depth} lists in a parameter": ('{"grad_cam": {"a": ' + "[" * depth + "]" * depth + "}}", "options")
        for depth in (31, 520, 900)
    },
    "a name twice": ('{"grad_cam": {"relu": true, "relu": false}}', "options"),
    "a method twice": ('{"grad_cam": {"relu": true}, "grad_cam": {}}', "options"),
    "half a surrogate pair": ('{"\\ud800": {}}', "options"),
    "NaN": ('{"smooth_grad": {"noise": NaN}}', "options"),
    "Infinity": ('{"smooth_grad": {"noise": Infinity}}', "options"),
    "-Infinity": ('{"smooth_grad": {"noise": -Infinity}}', "options"),
    "1e999": ('{"smooth_grad": {"noise": 1e999}}', "options.smooth_grad.noise"),
    "a number of 10,000 digits": ('{"smooth_grad": {"samples": ' + "9" * 10_000 + "}}", "options"),
    "negative": ('{"smooth_grad": {"samples": -1}}', "options.smooth_grad.samples"),
    "1e9 steps": ('{"integrated_gradients": {"steps": 1000000000}}', "options.integrated_gradients.steps"),
    "1e9 as a float": ('{"integrated_gradients": {"steps": 1e9}}', "options.integrated_gradients.steps"),
    "a half step": ('{"integrated_gradients": {"steps": 1.5}}', "options.integrated_gradients.steps"),
    "a string for a number": ('{"smooth_grad": {"samples": "9"}}', "options.smooth_grad.samples"),
    "true for a number": ('{"smooth_grad": {"samples": true}}', "options.smooth_grad.samples"),
    "null for a number": ('{"smooth_grad": {"samples": null}}', "options.smooth_grad.samples"),
    "an object for a number": ('{"smooth_grad": {"samples": {}}}', "options.smooth_grad.samples"),
    "an unknown key": ('{"grad_cam": {"colour": "red"}}', "options.grad_cam.colour"),
    "__proto__": ('{"grad_cam": {"__proto__": {}}}', "options.grad_cam.__proto__"),
    "an unknown method": ('{"deep_dream": {}}', "method"),
    "an unknown layer": ('{"grad_cam": {"layer": "no.such.layer"}}', None),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options(server, name):
    options, field = OPTIONS[name]
    methods = list(json.loads(options)) if field and field.startswith("options.") else ["grad_cam"]
    fields = {"sample": "cat", "options": options, "method": methods}
    body = refused(server.http.post(EXPLANATIONS, data=fields), 422)
    if field:
        assert [error["field"] for error in body["errors"]] == [field]


def test_thousands_of_unknown_parameters_get_a_short_answer(server):
    options = json.dumps({"grad_cam": {f"layr{number}": 1 for number in range(10_000)}})
    body = refused(server.http.post(EXPLANATIONS, data={"sample": "cat", "options": options}), 422)
    assert len(body["errors"]) == 20
    assert body["errors"][0]["field"] == "options.grad_cam.layr0"


PARAMETERS = {
    "unknown model": ({"model": "no_such_model"}, 404),
    "model as a path": ({"model": "../../etc/passwd"}, 404),
    "model of 10,000 letters": ({"model": "m" * 10_000}, 404),
    "unknown method": ({"method": "deep_dream"}, 422),
    "class -1": ({"target": -1}, 422),
    "class 1000": ({"target": 1000}, 422),
    "class cat": ({"target": "cat"}, 422),
    "class of 5,000 digits": ({"target": "9" * 5000}, 422),
    "classes by the hundred": ({"target": list(range(200))}, 422),
    "against nothing": ({"target": 1, "against": 1000}, 422),
    "unknown score": ({"score": "loss"}, 422),
    "negative seed": ({"seed": -1}, 422),
    "seed of 70 bits": ({"seed": 2**70}, 422),
    "unknown fit": ({"fit": "stretch"}, 422),
    "size 0": ({"size": "0"}, 422),
    "size of a wall": ({"size": "100000"}, 422),
    "size by name": ({"size": "large"}, 422),
    "unknown field": ({"methods": "grad_cam"}, 422),
    "a field named __proto__": ({"__proto__": "x"}, 422),
    "sample as a path": ({"sample": "../cat"}, 404),
    "from nothing": ({"sample": "", "from": "0" * 32}, 404),
    "from a path": ({"sample": "", "from": "../../secret"}, 404),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(server, name):
    fields, status = PARAMETERS[name]
    body = refused(server.http.post(EXPLANATIONS, data={"sample": "cat", **fields}), status)
    if status == 422:
        assert body["errors"][0]["field"]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (PREDICTIONS, {"top_k": 0}),
        (PREDICTIONS, {"top_k": 1001}),
        (PREDICTIONS, {"top_k": "many"}),
        ("/api/v1/estimates", {"method": "deep_dream", "sample": None}),
        ("/api/v1/estimates", {"options": "{", "sample": None}),
    ],
)
def test_parameters_of_other_calls(server, path, query):
    fields = {name: value for name, value in {"sample": "cat", **query}.items() if value is not None}
    assert refused(server.http.post(path, data=fields), 422)["errors"][0]["field"]


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/api/v1/models/efficientnet_lite0/classes", {"limit": 0}, 422),
        ("/api/v1/models/efficientnet_lite0/classes", {"limit": 10**6}, 422),
        ("/api/v1/models/efficientnet_lite0/classes", {"query": "q" * 201}, 422),
        ("/api/v1/models/no_such_model/classes", {}, 404),
        ("/api/v1/models/..%2F..%2Fetc/classes", {}, 404),
        (f"{EXPLANATIONS}/{'0' * 32}", {}, 404),
        (f"{EXPLANATIONS}/{'0' * 201}", {}, 422),
        (f"{EXPLANATIONS}/%00", {}, 404),
        (f"{EXPLANATIONS}/..%2F..%2Fsecret", {}, 404),
        (f"{EXPLANATIONS}/{'0' * 32}/panels/p1.png", {"zoom": 1000}, 422),
        (f"{EXPLANATIONS}/{'0' * 32}/panels/p1.png", {"percentile": "nan"}, 422),
        (f"{EXPLANATIONS}/{'0' * 32}/panels/p1.png", {"overlay": "inf"}, 422),
        (f"{EXPLANATIONS}/{'0' * 32}/panels/p1.npy", {"dtype": "object"}, 422),
        ("/static/..%2f..%2fetc/passwd", {}, 404),
        ("/static/%00", {}, 404),
        ("/static/" + "a" * 5000, {}, 404),
        ("/" + "a/" * 3000, {}, 404),
    ],
)
def test_what_is_asked_for_by_its_address(server, path, query, status):
    refused(server.http.get(path, params=query), status)


# Slow ones and those that leave


def test_headers_and_bodies_at_a_crawl_do_not_hold_others_up(server):
    """Twenty of each are open, and other requests are answered. middleware/test_connection.py tests how they end."""
    slow = [connect(server) for _ in range(40)]
    try:
        for place, sock in enumerate(slow):
            sock.sendall(
                HEAD[:20] if place % 2 else b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nx"
            )
        for _ in range(5):
            for sock in slow:
                sock.sendall(b"x")
            began = time.monotonic()
            assert server.http.get("/healthz").status_code == 200
            assert server.http.post(PREDICTIONS, data={"sample": "cat"}).status_code == 200
            assert time.monotonic() - began < PATIENCE
    finally:
        for sock in slow:
            sock.close()


def in_flight(server):
    lines = server.http.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("gradoscope_requests_in_flight "))


def test_disconnects_in_the_upload_and_in_the_stream(server):
    upload = HEAD + b"Content-Length: 100000\r\n\r\n" + part(filename=b"cat.jpg", data=CAT[:5000])
    long = form(
        part("sample", data=b"cat"),
        part("method", data=b"integrated_gradients"),
        part("options", data=b'{"integrated_gradients": {"steps": 1000}}'),
        part("size", data=b"%d" % WAITING_SIDE),  # so it takes minutes, if it is not ended
    )
    streamed = HEAD.replace(b"predictions", b"explanations") + b"Accept: text/event-stream\r\n"
    before = server.log_text()
    for _ in range(5):
        with connect(server) as sock:
            sock.sendall(upload)
        with connect(server) as sock:
            sock.sendall(streamed + b"Content-Length: %d\r\n\r\n" % len(long) + long)
            assert b"200 OK" in sock.recv(4096)
    until = time.monotonic() + PATIENCE
    while in_flight(server) and time.monotonic() < until:
        time.sleep(0.05)
    assert in_flight(server) == 0
    assert "Traceback" not in server.log_text()[len(before) :]  # earlier lines are checked when the server ends


# Ranges


@pytest.mark.parametrize(
    "ranges",
    [
        "bytes=" + ",".join(f"{i}-{i}" for i in range(0, 4000, 2))[:8000],
        "bytes=" + "0-," * 2000,
        "bytes=" + ",".join(["0-99999"] * 1000),
        "bytes=" + "," * 8000,
        "bytes=9-1",
        "bytes=99999999999-",
        "bytes=" + "9" * 5000 + "-",
        "bytes=-" + "9" * 5000,
        "lines=1-2",
        "bytes",
    ],
)
def test_a_flood_of_ranges(server, ranges):
    path = "/static/swagger/swagger-ui-bundle.js"
    whole = server.http.get(path, headers={"accept-encoding": "identity"}).content
    for _ in range(5):
        answer = server.http.get(path, headers={"range": ranges, "accept-encoding": "identity"})
        assert answer.status_code == 200
        assert answer.content == whole
        assert answer.elapsed.total_seconds() < PATIENCE
