"""A server whose store's disk fails, with the quick stand-in; and what both of its processes log of it."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from contextlib import suppress

import pytest
from gradoscope.contract.packed_map import MAGIC

from tests.support.paths import sample
from tests.support.server import Server
from tests.support.streams import stream

DISK_BYTES = 24_000_000


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory):
    """A file system of its own for the store, where one can be mounted; else None."""
    place = tmp_path_factory.mktemp("disk")
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)]
    mounted = shutil.which("mount") is not None and subprocess.run(command, check=False).returncode == 0
    yield place if mounted else None
    if mounted:
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture(scope="module")
def failing(small_disk, quick_model, tmp_path_factory):
    """A server with its store on that disk."""
    store = tmp_path_factory.mktemp("failing") / "store"
    if small_disk:
        store.symlink_to(small_disk)
    server = Server(store, GRADOSCOPE_LOG_FORMAT="json", **quick_model)
    server.store = store
    yield server
    server.stop()


def explain(server, **fields):
    request = {"image": ("holiday-of-mine.jpg", sample("cat.jpg"))}
    headers = {"x-request-id": fields.pop("id", "some")}
    return server.http.post("/api/v1/explanations?q=in-the-query", files=request, data=fields, headers=headers)


def lines(server):
    return [json.loads(line) for line in server.log.read_text().splitlines()]


def panels(server):
    """The files of the store that hold maps."""
    return {path for path in (server.store / "blobs").glob("*/*") if path.read_bytes().startswith(MAGIC)}


def test_a_damaged_map_is_computed_again_and_the_log_names_the_request(failing):
    first = explain(failing, method="grad_cam", target=3).json()
    url = first["panels"][0]["urls"]["npy"]
    whole = failing.http.get(url).content
    (path,) = panels(failing)
    stored = path.read_bytes()
    path.write_bytes(stored[:-4] + b"\1\2\3\4")
    assert failing.http.get(url).status_code == 404
    path.write_bytes(stored[:-4] + b"\1\2\3\4")
    again = explain(failing, method="grad_cam", target=3, id="the-second").json()
    assert again["panels"][0]["from_store"] is False
    assert failing.http.get(again["panels"][0]["urls"]["npy"]).content == whole
    assert failing.http.get(url).content == whole  # the first explanation has its map again, too
    entries = [line for line in lines(failing) if "damaged" in line["message"]]
    assert [(line["process"], line.get("request_id")) for line in entries][-1] == ("worker", "the-second")
    third = explain(failing, method="grad_cam", target=3).json()
    assert third["panels"][0]["from_store"] is True


def test_a_deleted_index_is_replaced_by_an_empty_one(failing):
    before = explain(failing, method="grad_cam", target=4).json()
    for path in failing.store.glob("index*.sqlite3"):
        path.unlink()
    answers = [explain(failing, method="grad_cam", target=4) for _ in range(2)]
    assert answers[-1].status_code == 200
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert failing.http.get(f"/api/v1/explanations/{before['id']}").status_code == 404
    assert failing.http.get(f"/api/v1/explanations/{answers[-1].json()['id']}").status_code == 200


def test_a_full_disk_is_reported_and_predictions_go_on(failing, small_disk):
    if not small_disk:
        pytest.skip("no file system can be mounted here")
    for number in range(12):  # more than fits: the oldest are deleted
        answer = explain(failing, method=["vanilla_gradient", "guided_backprop"], target=number)
        assert answer.status_code == 200, answer.text
        assert [panel["status"] for panel in answer.json()["panels"]] == ["done", "done"]
        if number == 0:
            filler = small_disk / "of-somebody-else"
            with filler.open("wb") as file:
                file.truncate(0)
                file.write(bytes(DISK_BYTES - 8_000_000))
    with suppress(OSError), filler.open("ab") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
    picture = random.Random(0).randbytes(9_000_000)  # a picture that never fits
    tail = sample("cat.jpg") + picture
    refused = failing.http.post("/api/v1/explanations", files={"image": tail}, data={"method": "grad_cam"})
    assert refused.status_code == 507, refused.text
    assert refused.json()["title"] == "Storage full"
    assert failing.http.post("/api/v1/predictions", data={"sample": "cat"}).status_code == 200
    assert failing.http.get("/readyz").status_code == 200
    filler.unlink()
    with stream(failing.http, {"image": sample("cat.jpg")}, method="grad_cam", target=5) as events:
        assert [name for name, _ in events][-1] == "done"


def test_the_log_is_json_and_says_nothing_that_was_sent(failing):
    entries = lines(failing)
    assert {line["process"] for line in entries} == {"web", "worker"}
    access = [line for line in entries if line["logger"] == "gradoscope.access"]
    assert {"method", "path", "status", "seconds", "bytes", "client", "request_id"} <= set(access[0])
    assert any(line["logger"] == "uvicorn.error" for line in entries)
    assert not re.search("of-mine|in-the-query", failing.log.read_text())
