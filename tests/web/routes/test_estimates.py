"""POST /estimates: what an explanation would cost, before it is computed."""

from __future__ import annotations

import json

import pytest

API = "/api/v1"


@pytest.fixture(scope="module")
def server(quick_model_server):
    return quick_model_server


def ask(server, **fields):
    return server.http.post(f"{API}/estimates", data=fields)


def test_the_default_methods_with_default_parameters(server):
    body = ask(server).json()
    assert body["model"] == "efficientnet_lite0"
    costs = {entry["method"]: entry["gradient_evaluations"] for entry in body["estimates"]}
    assert costs == {
        "vanilla_gradient": 1, "guided_backprop": 1, "grad_cam": 1, "smooth_grad": 50, "integrated_gradients": 50,
        "blur_integrated_gradients": 50,
    }  # fmt: skip
    assert all(entry["seconds"] > 0 for entry in body["estimates"])  # the worker has measured the default model


def test_options_and_size_count(server):
    fields = {"method": ["smooth_grad", "occlusion"], "options": json.dumps({"smooth_grad": {"samples": 10}})}
    small, large = (
        {entry["method"]: entry for entry in ask(server, **fields, **size).json()["estimates"]}
        for size in ({}, {"size": "448"})
    )
    assert small["smooth_grad"]["gradient_evaluations"] == large["smooth_grad"]["gradient_evaluations"] == 10
    assert large["smooth_grad"]["seconds"] == pytest.approx(4 * small["smooth_grad"]["seconds"], rel=0.05)
    assert large["occlusion"]["gradient_evaluations"] > small["occlusion"]["gradient_evaluations"]


def test_a_model_never_computed_with_has_no_throughput_yet(server):
    body = ask(server, model="resnet152", method="smooth_grad").json()
    assert body["estimates"] == [{"method": "smooth_grad", "gradient_evaluations": 50, "seconds": None, "metrics": []}]


def test_metrics_of_a_model_without_weights_are_estimated_in_evaluations_only(server):
    (estimate,) = ask(server, model="resnet152", method="smooth_grad", metrics=["stability", "randomisation"]).json()[
        "estimates"
    ]
    assert [(entry["gradients"], entry["seconds"]) for entry in estimate["metrics"]] == [(200, None), (500, None)]


def test_timed_false_runs_no_passes_to_learn_the_seconds(server):
    fields = {"method": ["vanilla_gradient", "integrated_gradients"], "metrics": "all", "size": "96"}
    # metrics that run no passes have known seconds
    at_once = ask(server, **fields, model="efficientnet_lite2", timed="false").json()["estimates"]
    assert all(
        entry["seconds"] is None
        for one in at_once
        for entry in one["metrics"]
        if entry["forwards"] or entry["gradients"]
    )
    timed = ask(server, **fields, model="efficientnet_lite2").json()["estimates"]
    for untimed, measured in zip(at_once, timed, strict=True):
        passes = [
            [(one["metric"], one["forwards"], one["gradients"]) for one in each["metrics"]]
            for each in (untimed, measured)
        ]
        assert passes[0] == passes[1]
        assert all(entry["seconds"] is not None for entry in measured["metrics"])
    known = ask(server, **fields, model="efficientnet_lite2", timed="false").json()["estimates"]
    assert [one["metrics"] for one in known] == [one["metrics"] for one in timed]


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"model": "no_such"}, 404, "model"),
        ({"method": "no_such"}, 422, "method"),
        ({"options": '{"smooth_grad": {"samples": 0}}'}, 422, "options.smooth_grad.samples"),
        ({"options": "{"}, 422, "options"),
        ({"size": "3"}, 422, "size"),
        ({"methods": "grad_cam"}, 422, "methods"),
    ],
)
def test_refusals_name_the_field(server, fields, status, field):
    answer = ask(server, **fields)
    assert answer.status_code == status
    assert answer.json()["errors"][0]["field"] == field
