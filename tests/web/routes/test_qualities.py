"""`quality` of a request: quick, good or exact for all of its methods."""

from __future__ import annotations

import json

import pytest
from gradoscope import Client
from gradoscope.attribution.methods.base import find_method
from gradoscope.contract.problems import Unprocessable

API = "/api/v1"


@pytest.fixture(scope="module")
def server(quick_model_server):
    return quick_model_server


def explain(server, **fields):
    answer = server.http.post(f"{API}/explanations", data={"sample": "cat", **fields})
    return answer, {panel["method"]: panel for panel in answer.json().get("panels", [])}


def test_the_catalogue_says_what_each_quality_sets(server):
    listed = {method["id"]: method for method in server.http.get(f"{API}/methods").json()["methods"]}
    assert listed["grad_cam"]["qualities"] == {}
    for id in ("integrated_gradients", "smooth_grad"):
        assert listed[id]["qualities"] == {name: dict(values) for name, values in find_method(id).qualities.items()}


def test_a_quality_sets_the_parameters_of_all_methods(server):
    methods = ["grad_cam", "smooth_grad", "integrated_gradients"]
    answer, panels = explain(server, method=methods, quality="quick")
    assert answer.status_code == 200, answer.text
    assert panels["smooth_grad"]["parameters"]["samples"] == find_method("smooth_grad").qualities["quick"]["samples"]
    integral = panels["integrated_gradients"]
    assert integral["parameters"]["tolerance"] == 0.3
    assert integral["diagnostics"]["change"] is not None
    # the same map as by options, from the store
    options = json.dumps({id: dict(find_method(id).qualities["quick"]) for id in methods[1:]})
    _, again = explain(server, method=methods, options=options)
    assert [panel["from_store"] for panel in again.values()] == [True] * 3


def test_options_count_more(server):
    options = json.dumps({"smooth_grad": {"samples": 3}, "integrated_gradients": {"rule": "gauss_legendre"}})
    _, panels = explain(server, method=["smooth_grad", "integrated_gradients"], quality="good", options=options)
    assert panels["smooth_grad"]["parameters"]["samples"] == 3
    assert panels["integrated_gradients"]["status"] == "done"
    assert panels["integrated_gradients"]["parameters"]["tolerance"] == 0


def test_an_empty_field_is_none_and_an_unknown_quality_is_refused(server):
    _, panels = explain(server, method="smooth_grad", quality="")
    assert panels["smooth_grad"]["parameters"]["samples"] == 50
    answer, _ = explain(server, method="smooth_grad", quality="best")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["quality"]
    assert "exact" in answer.json()["detail"]


def test_estimates_know_it_too(server):
    fields = {"method": ["smooth_grad", "vanilla_gradient"], "quality": "exact"}
    found = server.http.post(f"{API}/estimates", data=fields).json()["estimates"]
    assert [entry["gradient_evaluations"] for entry in found] == [
        find_method("smooth_grad").qualities["exact"]["samples"],
        1,
    ]


def test_the_python_client_takes_it(server):
    with Client(server.url) as client:
        (panel,) = client.explain(sample="cat", methods="smooth_grad", quality="quick")
        assert panel.parameters["samples"] == find_method("smooth_grad").qualities["quick"]["samples"]
        (estimate,) = client.estimate(methods="smooth_grad", quality="good")
        assert estimate.gradient_evaluations == find_method("smooth_grad").qualities["good"]["samples"]
        with pytest.raises(Unprocessable, match="quality"):
            client.explain(sample="cat", quality="best")


def test_what_maps_share_is_told(server):
    options = json.dumps({"integrated_gradients": {"steps": 7}, "idgi": {"steps": 7}})
    _, panels = explain(server, method=["integrated_gradients", "idgi"], options=options)
    diagnostics = [panels[id]["diagnostics"] for id in ("integrated_gradients", "idgi")]
    assert [each["gradient_evaluations"] for each in diagnostics] == [7, 7]
    assert sum(each.get("shared_gradients", 0) for each in diagnostics) == 7
