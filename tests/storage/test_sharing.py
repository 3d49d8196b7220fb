"""Two servers with one shared folder: each serves what the other computed, and each can delete it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.support.paths import sample
from tests.support.processes import check_ends_at_once
from tests.support.server import Server
from tests.support.streams import stream

METHODS = {"method": ["vanilla_gradient", "grad_cam"]}


@pytest.fixture(scope="module")
def pair(quick_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharing")

    def start(name):
        own = {"GRADOSCOPE_STORE": f"file://{folder}/shared", "GRADOSCOPE_GRACE_SECONDS": "600"}
        return Server(folder / name, OMP_NUM_THREADS="1", **quick_model, **own)

    with ThreadPoolExecutor() as pool:
        servers = list(pool.map(start, ["one", "two"]))
    yield servers
    assert servers[0].stop() == 0
    check_ends_at_once(servers[1])
    for server in servers:
        assert "Traceback" not in server.log.read_text()


def explain(server, **fields):
    answer = server.http.post("/api/v1/explanations", files={"image": sample("cat.jpg")}, data=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def maps(server, record):
    answers = [server.http.get(panel["urls"]["npy"]) for panel in record["panels"]]
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    return [np.load(io.BytesIO(answer.content)) for answer in answers]


def test_one_computes_the_other_serves_and_either_forgets(pair):
    one, two = pair
    first = explain(one, **METHODS)
    address = f"/api/v1/explanations/{first['id']}"
    assert [panel["from_store"] for panel in first["panels"]] == [False, False]
    assert two.http.get(address).json() == one.http.get(address).json()
    for part in ("/image.png", ".png", ".zip", f"/inputs/{first['inputs'][0]['model']}.png"):
        assert two.http.get(address + part).status_code == 200, part
    second = explain(two, **METHODS)
    assert [panel["from_store"] for panel in second["panels"]] == [True, True]
    again = two.http.post("/api/v1/explanations", data={"from": first["id"], "method": "grad_cam"})
    assert again.json()["panels"][0]["from_store"]
    wanted = maps(one, first)
    assert two.http.delete(address).status_code == 204
    for server in pair:
        assert server.http.get(address).status_code == 404
        assert server.http.get(first["panels"][0]["urls"]["npy"]).status_code == 404
        assert server.http.delete(address).status_code == 404
        for kept, values in zip(maps(server, second), wanted, strict=True):
            np.testing.assert_array_equal(kept, values)


def test_what_runs_on_one_can_be_forgotten_on_the_other(pair):
    one, two = pair
    options = json.dumps({"integrated_gradients": {"steps": 100}})
    with stream(one.http, {"image": sample("espresso.jpg")}, method="integrated_gradients", options=options) as events:
        name, accepted = next(events)
        assert name == "accepted"
        assert two.http.delete(f"/api/v1/explanations/{accepted['id']}").status_code == 204
        name, problem = list(events)[-1]
        assert (name, problem["status"]) == ("error", 404)
    for server in pair:
        assert server.http.get(f"/api/v1/explanations/{accepted['id']}").status_code == 404


def test_a_server_that_needs_no_object_store_loads_nothing_for_one():
    """And timm is not imported for the labels of ImageNet."""
    loads = "import sys, gradoscope.web.application; from gradoscope.zoo.labels import imagenet; imagenet(1000)"
    done = subprocess.run(
        [sys.executable, "-c", f"{loads}; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert not {"fsspec", "s3fs", "torch", "timm"} & set(done.stdout.split())
