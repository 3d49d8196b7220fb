"""POST /gradient-flows on a real server with the real model."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tests.support.paths import sample

FLOWS = "/api/v1/gradient-flows"


def ask(server, status=200, files=None, **fields):
    if files is None and "from" not in fields and "sample" not in fields:
        files = {"image": sample("cat.jpg")}
    response = server.http.post(FLOWS, files=files, data=fields)
    assert response.status_code == status, response.text
    return response.json()


def test_the_layers_of_lite0(server):
    flow = ask(server)
    assert flow["model"] == "efficientnet_lite0"
    assert flow["target"]["index"] == 282
    assert (flow["against"], flow["score"], flow["size"]) == (None, "logit", [224, 224])
    layers = flow["layers"]
    assert layers[0]["kind"] == "Input"
    assert layers[0]["shape"] == [3, 224, 224]
    assert layers[-1]["kind"] == "Linear"
    assert layers[-1]["norm"] == pytest.approx(1)
    activations = [layer for layer in layers if layer["kind"] == "ReLU6"]
    assert len(activations) == 33
    assert all(0 < layer["dead"] < 1 and 0 <= layer["saturated"] < 1 for layer in activations)
    (pool,) = [layer for layer in layers if layer["pooling"]]
    excerpt = pool["pooling"].pop("excerpt")
    assert pool["pooling"] == {"how": "average", "received": 1, "map": [[1.0] * 7] * 7}
    values = np.array(excerpt["values"])
    assert values.shape == (7, 7)  # the whole map of one channel, for one window covers it
    assert values.max() > 0
    assert (excerpt["row"], excerpt["column"], excerpt["kernel"], excerpt["padding"]) == (0, 0, None, 0)
    codes = [finding["code"] for finding in flow["findings"]]
    assert codes[0] == "flow_arrives_largest"
    assert "flow_vanishes" not in codes


def test_the_norm_at_the_picture_is_that_of_the_vanilla_gradient(server):
    flow = ask(server, target=285, against=967)
    record = server.http.post(
        "/api/v1/explanations",
        data={"sample": "cat", "method": "vanilla_gradient", "target": 285, "against": 967},
    ).json()
    (panel,) = record["panels"]
    response = server.http.get(panel["urls"]["npy"])
    values = np.load(io.BytesIO(response.content))
    assert flow["layers"][0]["norm"] == pytest.approx(float(np.linalg.norm(values.astype(float))), rel=1e-3)
    again = ask(server, **{"from": record["id"], "target": 285, "against": 967})
    assert again == flow


def test_scores_sizes_and_top(server):
    logit, probability = (ask(server, target="top", score=score)["layers"] for score in ("logit", "probability"))
    assert probability[0]["norm"] < logit[0]["norm"]
    assert ask(server, size="64x96", fit="squash")["layers"][0]["shape"] == [3, 64, 96]


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"target": 1000}, 422, "target"),
        ({"target": -1}, 422, "target"),
        ({"target": "cat"}, 422, "target"),
        ({"target": 285, "against": 1000}, 422, "against"),
        ({"target": 285, "against": 285}, 422, "against"),
        ({"against": 282}, 422, "against"),
        ({"target": 285, "against": 282, "score": "probability"}, 422, "against"),
        ({"score": "odds"}, 422, "score"),
        ({"model": "no_such"}, 404, None),
        ({"size": "8"}, 422, "size"),
        ({"method": "grad_cam"}, 422, "method"),
        ({"sample": "nobody"}, 404, "sample"),
        ({"from": "nothing"}, 404, None),
    ],
)
def test_refusals(server, fields, status, field):
    problem = ask(server, status, **fields)
    assert problem["status"] == status
    assert problem["detail"]
    if field:
        assert [error["field"] for error in problem["errors"]] == [field]


def test_what_is_no_picture_is_refused(server):
    assert ask(server, 415, files={"image": b"no picture"})["detail"]
