"""Metrics over REST: with the request for an explanation, or later for a stored panel; and what they will cost."""

from __future__ import annotations

import csv
import io
import json
import time
import zipfile

import numpy as np
import pytest
from gradoscope.attribution.methods.base import methods
from gradoscope.attribution.metrics.base import metrics
from gradoscope.client.client import Client
from gradoscope.contract.arrays import pack, unpack
from gradoscope.contract.records import Explanation

from tests.support.streams import read_events, stream

API = "/api/v1"
QUICK = {"deletion": {"steps": 5, "draws": 1}, "randomisation": {"stages": 2}, "class_sensitivity": {"nearest": 1}}
QUICK |= {"insertion": {"steps": 5, "draws": 1}, "gradient_check": {"directions": 2}}


def explain(server, *asked, **fields):
    answer = server.http.post(f"{API}/explanations", data={"sample": "cat", "metrics": list(asked), **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def measure(server, record, panel, *asked, accept="application/json", **options):
    fields = {"metrics": list(asked), "options": json.dumps(options)}
    place = f"{API}/explanations/{record['id']}/panels/{panel}/metrics"
    return server.http.post(place, data=fields, headers={"accept": accept})


@pytest.fixture(scope="module")
def server(quick_model_server):
    return quick_model_server


@pytest.fixture(scope="module")
def cam(server):
    return explain(server, method="grad_cam")


def test_all_metrics_are_listed(server):
    listed = server.http.get(f"{API}/metrics").json()["metrics"]
    assert [entry["id"] for entry in listed] == list(metrics())
    assert all(entry["summary"] and entry["paper"]["url"].startswith("https://") for entry in listed)
    assert "steps" in next(entry for entry in listed if entry["id"] == "deletion")["parameters"]["properties"]
    assert not set(metrics()) & set(methods())  # `options` names both


def test_metrics_of_an_explanation_are_measured_for_each_panel(server):
    fields = {"method": ["vanilla_gradient", "grad_cam"], "options": json.dumps(QUICK)}
    record = explain(server, "deletion", "gradient_check", **fields)
    plain, cam = record["panels"]
    assert plain["metrics"].keys() == cam["metrics"].keys() == {"deletion", "gradient_check"}
    deletion = plain["metrics"]["deletion"]
    assert (deletion["status"], deletion["cost"]) == ("done", {"forwards": 24, "gradients": 0})
    assert deletion["parameters"]["steps"] == 5
    assert len(deletion["figures"]["map"]["probabilities"]) == 6
    assert cam["metrics"]["gradient_check"]["status"] == "refused"
    assert "no gradient" in cam["metrics"]["gradient_check"]["problem"]["detail"]
    assert record["status"] == "done"
    kept = server.http.get(f"{API}/explanations/{record['id']}").json()
    assert Explanation.model_validate(kept) == Explanation.model_validate(record)


def test_events_tell_costs_progress_and_what_was_found(server, cam):
    asked = {"deletion": {"steps": 6, "draws": 1}}
    answer = measure(server, cam, "p1", "deletion", "stability", accept="text/event-stream", **asked)
    events = list(read_events(answer))
    names = [name for name, _ in events]
    assert names[0] == "accepted"
    assert names[-1] == "done"
    assert "panel" not in names
    planned = events[0][1]["panels"][0]["metrics"]
    found = [data["metric"] for name, data in events if name == "metric"]
    assert [entry["metric"] for entry in found] == ["deletion", "stability"]
    for plan, entry in zip(planned, found, strict=True):
        assert entry["cost"] == {"forwards": plan["forwards"], "gradients": plan["gradients"]}
        last = [data for name, data in events if name == "progress" and data["metric"] == entry["metric"]][-1]
        assert last["done"] == last["total"] == sum(entry["cost"].values())
    assert events[-1][1]["panels"][0]["metrics"].keys() >= {"deletion", "stability"}


def test_what_was_measured_stays_with_the_panel_and_is_not_computed_again(server, cam):
    first = measure(server, cam, "p1", "randomisation", **QUICK).json()["panels"][0]
    again = measure(server, cam, "p1", "randomisation", "class_sensitivity", **QUICK).json()["panels"][0]
    assert again["metrics"].keys() >= first["metrics"].keys() | {"class_sensitivity"}
    assert not again["metrics"]["class_sensitivity"]["from_store"]
    kept = again["metrics"]["randomisation"]
    assert kept["from_store"]
    assert kept["figures"] == first["metrics"]["randomisation"]["figures"]
    other = explain(server, "randomisation", method="grad_cam", options=json.dumps(QUICK))["panels"][0]
    assert other["metrics"]["randomisation"]["from_store"]
    reseeded = explain(server, "randomisation", method="grad_cam", options=json.dumps(QUICK), seed=7)["panels"][0]
    assert not reseeded["metrics"]["randomisation"]["from_store"]
    assert reseeded["from_store"]


def test_maps_made_on_the_way_give_the_picture_at_each_point(server, cam):
    found = measure(server, cam, "p1", "deletion", **QUICK).json()["panels"][0]["metrics"]["deletion"]
    read = {name: np.load(io.BytesIO(server.http.get(url).content)) for name, url in found["maps"].items()}
    assert set(read) == {"order", "order_gaussian", "order_random", "order_displaced", "replacement"}
    values = np.load(io.BytesIO(server.http.get(cam["panels"][0]["urls"]["npy"]).content))[0]
    order = read["order"]
    assert order.shape == (1, 224, 224)
    assert set(np.unique(order)) == {1, 2, 3, 4, 5}
    assert values[order[0] == 1].min() >= values[order[0] == 2].max()  # the strongest go first
    half = server.http.get(found["maps"]["order"], params={"dtype": "float16"})
    assert np.array_equal(
        np.round(np.load(io.BytesIO(half.content)).astype(float) * float(half.headers["x-scale"])), order
    )
    assert read["replacement"].shape == (3, 224, 224)
    assert read["replacement"].std() > 0
    assert server.http.get(found["maps"]["order"].replace("order.npy", "other.npy")).status_code == 404


def test_every_method_can_be_measured_by_the_parameters_in_its_record(server):
    every = (
        {id: {"samples": 2} for id in ("smooth_grad", "gradient_shap", "lime", "kernel_shap")}
        | {"rise": {"masks": 2}}
        | {id: {"channels": 2} for id in ("score_cam", "ablation_cam")}
        | {id: {"steps": 2} for id in ("integrated_gradients", "blur_integrated_gradients", "deep_lift", "idgi")}
        | {id: {"steps": 2} for id in ("guided_integrated_gradients", "xrai")}
    )
    options = {
        id: {name: value for name, value in every.get(id, {}).items() if name in method.Parameters.model_fields}
        for id, method in methods().items()
    }
    shown = [id for id, method in methods().items() if id != "occlusion" and not method.transformers_only]
    record = explain(server, method=shown, options=json.dumps(options))
    for panel in record["panels"]:
        answer = measure(server, record, panel["id"], "deletion", deletion={"steps": 1, "draws": 1})
        assert answer.status_code == 200, (panel["method"], answer.text)
        assert answer.json()["panels"][-1]["id"] == record["panels"][-1]["id"]


def test_refusals_say_why(server, cam):
    assert "There are: p1." in measure(server, cam, "p7", "deletion").json()["detail"]
    unknown = measure(server, cam, "p1", "roar")
    assert unknown.status_code == 422
    assert unknown.json()["errors"][0]["field"] == "metrics"
    bounds = measure(server, cam, "p1", "deletion", deletion={"steps": 0})
    assert bounds.status_code == 422
    assert bounds.json()["errors"][0]["field"] == "options.deletion.steps"
    assert measure(server, {"id": "0" * 32}, "p1", "deletion").status_code == 404
    much = {"deletion": {"steps": 1000, "draws": 50}, "integrated_gradients": {"steps": 1000}}
    fields = {"sample": "cat", "metrics": "all", "options": json.dumps(much)}
    refused = server.http.post(f"{API}/explanations", data=fields)
    assert refused.status_code == 422
    assert "limit of one request" in refused.json()["detail"]
    partly = explain(server, method=["grad_cam", "vanilla_gradient"], target=["top", "5000"])
    refused_panel = next(panel["id"] for panel in partly["panels"] if panel["status"] == "refused")
    assert "no map" in measure(server, partly, refused_panel, "deletion").json()["detail"]


def test_a_client_that_leaves_ends_the_measuring(server):
    record = explain(server, method="smooth_grad", options='{"smooth_grad": {"samples": 8}}')

    def in_flight():
        (line,) = (text for text in server.http.get("/metrics").text.splitlines() if text.startswith(RUNNING))
        return float(line.split()[-1])

    place = f"{API}/explanations/{record['id']}/panels/p1/metrics"
    fields = {"metrics": "deletion", "options": '{"deletion": {"steps": 200, "draws": 20}}'}  # 12 261 passes
    with server.http.stream("POST", place, data=fields, headers={"accept": "text/event-stream"}) as answer:
        lines = answer.iter_lines()  # held: the connection would be closed with it
        next(text for text in lines if '"metric": "deletion", "done"' in text)
        assert in_flight() == 1
    for _ in range(100):
        if not in_flight():
            break
        time.sleep(0.1)
    assert not in_flight()
    assert server.http.get(f"{API}/explanations/{record['id']}").json()["panels"][0]["metrics"] == {}


def test_a_panel_is_measured_while_others_are_still_computed(server):
    options = '{"smooth_grad": {"samples": 600}}'
    with stream(server.http, sample="rocket", method=["grad_cam", "smooth_grad"], options=options, seed=5) as events:
        accepted = next(data for name, data in events if name == "accepted")
        next(data for name, data in events if name == "panel")
        assert measure(server, accepted, "p1", "deletion", **QUICK).status_code == 200
        (done,) = (data for name, data in events if name == "done")
    assert "deletion" in done["panels"][0]["metrics"]
    kept = server.http.get(f"{API}/explanations/{accepted['id']}").json()
    assert kept["status"] == "done"
    assert kept["panels"][0]["metrics"]["deletion"]["status"] == "done"


RUNNING = "gradoscope_requests_in_flight "


def test_an_estimate_tells_what_will_be_spent_exactly_in_passes_and_in_seconds(server, cam):
    fields = {"method": "grad_cam", "metrics": "all", "options": json.dumps(QUICK)}
    entries = server.http.post(f"{API}/estimates", data=fields).json()["estimates"][0]["metrics"]
    assert [entry["metric"] for entry in entries] == list(metrics())
    measured = measure(server, cam, "p1", **QUICK).json()["panels"][0]["metrics"]
    for entry in entries:
        found = measured[entry["metric"]]
        if found["status"] == "done":
            assert found["cost"] == {name: entry[name] for name in ("forwards", "gradients")}
            assert entry["seconds"] is not None
    assert server.http.post(f"{API}/estimates", data={"metrics": "roar"}).status_code == 422


def test_the_zip_holds_a_table_of_metrics(server, cam):
    measure(server, cam, "p1", "deletion", **QUICK)
    with zipfile.ZipFile(io.BytesIO(server.http.get(f"{API}/explanations/{cam['id']}.zip").content)) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("metrics.csv").decode())))
        record = json.loads(archive.read("explanation.json"))
    area = record["panels"][0]["metrics"]["deletion"]["figures"]["map"]["area"]
    (row,) = (row for row in rows if (row["metric"], row["figure"]) == ("deletion", "map.area"))
    assert (row["panel"], row["method"], float(row["value"])) == ("p1", "grad_cam", area)


def test_the_client_measures_and_has_the_maps(server):
    with Client(server.url) as client:
        explanation = client.explain(sample="cat", methods="grad_cam", metrics="deletion", options=QUICK)
        assert explanation["grad_cam"].metrics["deletion"].status == "done"
        measured = client.measure(explanation, "p1", "class_sensitivity", options=QUICK)["grad_cam"]
        first, *_ = measured.metrics["class_sensitivity"].figures["classes"]
        assert measured.metric_map("class_sensitivity", str(first["target"])).shape == (1, 224, 224)
        assert "deletion" in measured.metrics
        assert {entry.id for entry in client.metrics()} == set(metrics())
        (estimate,) = client.estimate(methods="grad_cam", metrics="deletion", options=QUICK)
        assert estimate.metrics[0].forwards == 24


def test_packed_maps_keep_eleven_bits_and_whole_numbers_exactly():
    drawn = np.random.default_rng(0).normal(size=(3, 5, 7)).astype(np.float32) * 1e-9
    whole = np.arange(1, 2049, dtype=np.float32).reshape(1, 64, 32)
    data = pack({"drawn": drawn, "whole": whole, "zero": np.zeros((1, 2, 2), np.float32)})
    assert np.abs(unpack(data, "drawn") - drawn).max() <= np.abs(drawn).max() * 2**-10
    assert np.array_equal(unpack(data, "whole"), whole)
    assert not unpack(data, "zero").any()
    assert unpack(data, "other") is None
