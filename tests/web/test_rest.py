"""The REST contract on a real server with the real model."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.support.paths import sample
from tests.support.streams import decode, stream

SIX = [
    "vanilla_gradient",
    "guided_backprop",
    "grad_cam",
    "smooth_grad",
    "integrated_gradients",
    "blur_integrated_gradients",
]
QUICK = json.dumps({m: {"steps": 4} for m in SIX[4:]} | {"smooth_grad": {"samples": 4}})


def explain(server, status=200, files=None, **fields):
    if files is None and "from" not in fields and "sample" not in fields:
        files = {"image": sample("cat.jpg")}
    response = server.http.post("/api/v1/explanations", files=files, data=fields)
    assert response.status_code == status, response.text
    return response.json()


def array(server, panel, **query):
    response = server.http.get(panel["urls"]["npy"], params=query)
    assert response.status_code == 200, response.text
    return np.load(io.BytesIO(response.content)), response.headers


@pytest.fixture(scope="module")
def record(server):
    return explain(server, options=QUICK)


def test_six_panels_all_finite_none_constant(server, record):
    assert [panel["method"] for panel in record["panels"]] == SIX
    assert record["inputs"][0]["predictions"][0]["index"] in (281, 282, 285)
    for panel in record["panels"]:
        assert panel["status"] == "done", panel["problem"]
        values, _ = array(server, panel)
        assert list(values.shape) == panel["shape"] == [1 if panel["method"] == "grad_cam" else 3, 224, 224]
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
        assert values.std() > 0
        statistics = {"min": values.min(), "max": values.max(), "sum": values.sum(dtype=np.float64)}
        assert panel["statistics"] == pytest.approx(statistics, rel=1e-6)


def test_reductions_and_half_precision(server, record):
    panel = record["panels"][0]
    raw, _ = array(server, panel)
    for how, expected in (("sum", raw.sum(0)), ("abs", np.abs(raw).sum(0)), ("max", np.abs(raw).max(0))):
        values, _ = array(server, panel, reduce=how)
        np.testing.assert_allclose(values, expected, rtol=1e-6)
    half, headers = array(server, panel, dtype="float16")
    assert half.dtype == np.float16
    assert np.abs(half.astype(float) * float(headers["x-scale"]) - raw).max() <= 1e-3 * np.abs(raw).max()


def test_a_panel_as_a_picture(server, record):
    url = record["panels"][4]["urls"]["png"]
    shown = Image.open(io.BytesIO(server.http.get(url).content))
    assert shown.size == (224, 224)
    assert len(shown.getcolors(1 << 17)) > 16
    over = server.http.get(url, params={"overlay": 0.5, "colormap": "blue_orange", "reduce": "sum", "percentile": 90})
    assert Image.open(io.BytesIO(over.content)).size == (224, 224)
    large = np.asarray(Image.open(io.BytesIO(server.http.get(url, params={"zoom": 3}).content)))
    assert np.array_equal(large[1::3, 1::3], np.asarray(shown))  # each value becomes a square of 3 × 3 pixels
    assert np.array_equal(large[::3, 2::3], np.asarray(shown))
    small = np.asarray(Image.open(io.BytesIO(server.http.get(url, params={"side": 112}).content)), float)
    means = np.asarray(shown, float).reshape(112, 2, 112, 2, 3).mean((1, 3))
    assert np.abs(small - means).max() <= 1  # rounded in both directions
    assert Image.open(io.BytesIO(server.http.get(url, params={"side": 2048}).content)).size == (224, 224)
    for query in (
        {"colormap": "jet"}, {"percentile": 0}, {"overlay": 2}, {"reduce": "none"}, {"zoom": 5}, {"side": 15}
    ):  # fmt: skip
        assert server.http.get(url, params=query).status_code == 422


def test_a_stored_record_and_its_page(server, record):
    assert server.http.get(f"/api/v1/explanations/{record['id']}").json() == record
    page = server.http.get(record["url"])
    assert page.headers["content-type"].startswith("text/html")


def test_the_picture_is_served_upright_and_without_its_metadata(server):
    picture = Image.open(io.BytesIO(sample("cat.jpg")))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "taken at home"
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=exif)
    record = explain(server, files={"image": out.getvalue()}, method="vanilla_gradient")
    assert record["image"] == {"width": 300, "height": 451}
    data = server.http.get(f"/api/v1/explanations/{record['id']}/image.png").content
    assert Image.open(io.BytesIO(data)).size == (300, 451)
    assert b"taken at home" not in data


def test_a_large_picture_is_served_at_2048_pixels_at_most(server):
    out = io.BytesIO()
    Image.new("RGB", (3000, 1500), "teal").save(out, "PNG")
    record = explain(server, files={"image": out.getvalue()}, method="grad_cam", target=3)
    assert record["image"] == {"width": 3000, "height": 1500}
    data = server.http.get(f"/api/v1/explanations/{record['id']}/image.png").content
    assert Image.open(io.BytesIO(data)).size == (2048, 1024)


def test_from_reuses_the_picture_and_the_stored_panels(server, record):
    again = explain(server, **{"from": record["id"], "options": QUICK, "seed": 5})
    assert again["id"] != record["id"]
    for before, after in zip(record["panels"], again["panels"], strict=True):
        stochastic = before["method"] == "smooth_grad"  # the only one whose result depends on the seed
        assert after["from_store"] == (not stochastic), before["method"]
        assert np.array_equal(array(server, before)[0], array(server, after)[0]) == (not stochastic)


def test_panels_are_models_by_targets_by_methods(server):
    record = explain(server, method=["grad_cam", "vanilla_gradient"], target=[285, 0])
    listed = [(panel["target"]["index"], panel["method"]) for panel in record["panels"]]
    assert listed == [(285, "grad_cam"), (285, "vanilla_gradient"), (0, "grad_cam"), (0, "vanilla_gradient")]
    assert len({panel["id"] for panel in record["panels"]}) == 4


def test_the_top_class_beside_others_is_explained_once(server):
    record = explain(server, method=["grad_cam", "vanilla_gradient"], target=["top", 967, 282, 0])
    assert [panel["target"]["index"] for panel in record["panels"]] == [282, 282, 967, 967, 0, 0]
    (input,) = record["inputs"]
    assert [entry["index"] for entry in input["targets"]] == [967, 282, 0]
    assert input["targets"][1] == input["predictions"][0]
    assert 0 < input["targets"][0]["probability"] < 0.001


def test_a_refused_panel_does_not_stop_the_others(server):
    options = json.dumps({"grad_cam": {"layer": "blocks.99"}})
    record = explain(server, method=["vanilla_gradient", "grad_cam"], options=options)
    vanilla, cam = record["panels"]
    assert vanilla["status"] == "done"
    assert cam["status"] == "refused"
    assert "blocks" in cam["problem"]["detail"]
    assert cam["urls"] == {"npy": None, "png": None}
    sheet = server.http.get(f"/api/v1/explanations/{record['id']}.png")
    assert sheet.status_code == 200


def test_contact_sheet_and_zip(server, record, tmp_path):
    sheet = Image.open(io.BytesIO(server.http.get(f"/api/v1/explanations/{record['id']}.png").content))
    assert sheet.width > 6 * 224
    archive = zipfile.ZipFile(io.BytesIO(server.http.get(f"/api/v1/explanations/{record['id']}.zip").content))
    names = archive.namelist()
    assert sum(name.endswith(".npy") for name in names) == 6
    assert {"explanation.json", "contact_sheet.png", "image.png", "inputs/efficientnet_lite0.png"} <= set(names)
    assert json.loads(archive.read("explanation.json"))["id"] == record["id"]
    archive.extractall(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", archive.read("README.md").decode(), flags=re.S)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [line.split()[1] for line in done.stdout.splitlines()] == [panel["method"] for panel in record["panels"]]


def test_occlusion(server):
    options = json.dumps({"occlusion": {"window": 64, "stride": 64}})
    (panel,) = explain(server, method="occlusion", options=options)["panels"]
    assert panel["shape"] == [1, 224, 224]
    assert panel["diagnostics"]["forward_evaluations"] == 17


def test_predictions(server):
    answer = server.http.post("/api/v1/predictions", data={"sample": "espresso", "top_k": 3}).json()
    (prediction,) = answer["predictions"]
    assert prediction["classes"][0]["index"] == 967
    assert len(prediction["classes"]) == 3
    several = server.http.post(
        "/api/v1/predictions", data={"sample": "cat", "model": ["efficientnet_lite1", "efficientnet_lite2"]}
    ).json()
    for prediction in several["predictions"]:
        assert prediction["classes"][0]["index"] in (281, 282, 285), prediction


def test_catalogue(server):
    models = {m["id"]: m for m in server.http.get("/api/v1/models").json()["models"]}
    layers = models["efficientnet_lite0"]["layers"]
    assert [layer for layer in layers if layer["default"]] == [{"name": "bn2", "shape": [1280, 7, 7], "default": True}]
    methods = server.http.get("/api/v1/methods").json()["methods"]
    assert [m["id"] for m in methods if m["default"]] == SIX
    block = server.http.get("/").text.partition('id="plugins">')[2].partition("</script>")[0]
    assert json.loads(block)["methods"] == SIX  # the page shows these before it has the catalogue
    steps = next(m for m in methods if m["id"] == "integrated_gradients")["parameters"]["properties"]["steps"]
    assert {"minimum", "maximum", "default", "description"} <= set(steps)
    for entry in server.http.get("/api/v1/samples").json()["samples"]:
        assert server.http.get(entry["url"]).headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize(
    ("query", "best"),
    [("967", 967), ("espresso", 967), ("Egyptian", 285), ("tabby cat", 281), ("siamese", 284), ("0", 0)],
)
def test_class_search(server, query, best):
    answer = server.http.get("/api/v1/models/efficientnet_lite0/classes", params={"query": query}).json()
    assert answer["classes"][0]["index"] == best
    assert len(answer["classes"]) <= 20


def test_events_come_in_order(server):
    options = json.dumps({"integrated_gradients": {"steps": 64}})
    fields = {"method": ["grad_cam", "integrated_gradients"], "options": options, "target": 281}
    with stream(server.http, {"image": sample("cat.jpg")}, **fields) as events:
        received = list(events)
    names = [name for name, _ in received]
    assert names[:2] == ["accepted", "prediction"]
    assert names[-1] == "done"
    assert received[0][1]["gradient_evaluations"] == 65
    integral = next(p["id"] for p in received[0][1]["panels"] if p["method"] == "integrated_gradients")
    partials = [i for i, (name, data) in enumerate(received) if name == "partial" and data["panel"] == integral]
    finished = next(i for i, (n, d) in enumerate(received) if n == "panel" and d["panel"]["id"] == integral)
    assert partials
    assert max(partials) < finished
    for i in partials:
        assert max(received[i][1]["map"]["shape"]) <= 112
    values, _ = array(server, received[finished][1]["panel"], reduce="sum")
    np.testing.assert_allclose(decode(received[finished][1]["map"]), values, atol=1e-3 * np.abs(values).max())
    assert received[-1][1] == server.http.get(f"/api/v1/explanations/{received[0][1]['id']}").json()


def test_score_against_and_refusals_name_the_field(server):
    cases = [
        ({"methods": "grad_cam"}, "methods"),
        ({"target": 1000}, "target"),
        ({"target": -1}, "target"),
        ({"target": "cat"}, "target"),
        ({"target": 1.5}, "target"),
        ({"target": 5, "against": "no such class"}, "against"),
        ({"target": 5, "against": "top"}, "against"),
        ({"target": 5, "against": 5}, "against"),
        ({"against": 282}, "against"),
        ({"target": 5, "against": 6, "score": "probability"}, "against"),
        ({"score": "loss"}, "score"),
        ({"seed": -1}, "seed"),
        ({"options": "{"}, "options"),
        ({"options": "[]"}, "options"),
        ({"options": "[" * 5000}, "options"),
        ({"options": '{"smooth_grad": {"noise": Infinity}}'}, "options"),
        ({"options": '{"smooth_grad": {"samples": "9"}}'}, "options.smooth_grad.samples"),
        ({"options": '{"smooth_grad": {"samples": 0}}'}, "options.smooth_grad.samples"),
        ({"options": '{"smooth_grad": {"samples": 1, "variant": "variance"}}'}, "options.smooth_grad"),
        ({"options": '{"grad_cam": {"colour": "red"}}'}, "options.grad_cam.colour"),
        ({"options": '{"deep_dream": {}}'}, "method"),
        ({"method": "deep_dream"}, "method"),
        ({"method": SIX, "target": list(range(20))}, "method"),
    ]
    for fields, field in cases:
        response = server.http.post("/api/v1/explanations", files={"image": sample("cat.jpg")}, data=fields)
        assert response.status_code == 422, (fields, response.text)
        assert response.headers["content-type"] == "application/problem+json"
        assert [error["field"] for error in response.json()["errors"]] == [field], fields


def test_a_class_by_its_label(server):
    fields = {"method": "grad_cam", "target": ["Egyptian cat", 285, "espresso"], "against": "tiger cat"}
    record = explain(server, files={"image": sample("cat.jpg")}, **fields)
    assert [panel["target"]["index"] for panel in record["panels"]] == [285, 967]
    assert [panel["against"]["index"] for panel in record["panels"]] == [282, 282]
    assert [entry["index"] for entry in record["inputs"][0]["targets"]] == [285, 967]
    flow = server.http.post("/api/v1/gradient-flows", data={"sample": "cat", "target": "espresso"}).json()
    assert flow["target"] == {"index": 967, "label": "espresso"}
    refused = explain(server, 422, files={"image": sample("cat.jpg")}, target="crane")
    assert refused["detail"].startswith("target: efficientnet_lite0 has 2 classes «crane»; name one by its index.")
    assert "134 (crane), 517 (crane)" in refused["detail"]
    near = explain(server, 422, files={"image": sample("cat.jpg")}, target="expresso")
    assert "Near it: 967 (espresso)" in near["detail"]
    part = explain(server, files={"image": sample("cat.jpg")}, method="grad_cam", target=["unicorn", "espresso"])
    assert [panel["status"] for panel in part["panels"]] == ["refused", "done"]
    assert part["panels"][0]["target"] is None


@pytest.mark.parametrize("form", ["application/json", "text/event-stream", "image/png", "application/zip"])
def test_refusals_come_as_a_status_in_every_form_of_answer(server, form):
    for files, status in (({"image": b"no picture"}, 415), ({"image": sample("cat.jpg")[:9000]}, 422)):
        response = server.http.post("/api/v1/explanations", files=files, headers={"accept": form})
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["detail"]


def test_exactly_one_picture(server, record):
    cat = sample("cat.jpg")
    for files, fields in (
        (None, {"method": "grad_cam"}),
        ({"image": cat}, {"sample": "cat"}),
        ({"image": cat}, {"from": record["id"]}),
        ([("image", cat), ("image", cat)], {}),
    ):
        response = server.http.post("/api/v1/explanations", files=files, data=fields)
        assert response.status_code == 422, response.text
    for fields in ({"from": "0" * 32}, {"sample": "../../etc/passwd"}, {"sample": "cat", "model": "no_such_model"}):
        assert server.http.post("/api/v1/explanations", data=fields).status_code == 404


def test_deleting_an_explanation_deletes_its_parts_and_nothing_of_others(server):
    one = explain(server, sample="rocket", method="vanilla_gradient", target=17)
    two = explain(server, sample="rocket", method="vanilla_gradient", target=17)
    assert server.http.delete(f"/api/v1/explanations/{one['id']}").status_code == 204
    for path in (
        "",
        ".png",
        ".zip",
        "/image.png",
        "/inputs/efficientnet_lite0.png",
        "/panels/p1.npy",
        "/panels/p1.png",
    ):
        response = server.http.get(f"/api/v1/explanations/{one['id']}{path}")
        assert response.status_code == 404, path
        assert "expired or never existed" in response.json()["detail"]
    assert array(server, two["panels"][0])[0].shape == (3, 224, 224)
    assert server.http.delete(f"/api/v1/explanations/{one['id']}").status_code == 404
    response = server.http.post("/api/v1/explanations", data={"from": one["id"]})
    assert response.status_code == 404


def test_openapi_describes_the_interface(server):
    paths = server.http.get("/openapi.json").json()["paths"]
    assert {"/api/v1/explanations", "/api/v1/models", "/api/v1/explanations/{id}/panels/{panel}.npy"} <= set(paths)
    schemas = server.http.get("/openapi.json").json()["components"]["schemas"]
    (body,) = [schema for name, schema in schemas.items() if name.startswith("Body_explain")]
    assert (body["properties"]["image"]["type"], body["properties"]["image"]["format"]) == ("string", "binary")
    methods = body["properties"]["options"]["contentSchema"]["properties"]
    assert methods["smooth_grad"]["properties"]["samples"]["default"] == 50
    docs = server.http.get("/docs").text.replace(server.url, "")
    docs = docs.replace("http://www.w3.org/2000/svg", "")  # a namespace, of the icon
    assert "http://" not in docs
    assert "https://" not in docs
    for asset in ("swagger-ui.css", "swagger-ui-bundle.js"):
        assert server.http.get(f"/static/swagger/{asset}").status_code == 200


def test_metrics_count_what_happened(server):
    def read():
        lines = server.http.get("/metrics").text.splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    before = read()
    explain(server, method="grad_cam", target=21)
    explain(server, status=422, method="grad_cam", target=1000)
    after = read()

    def increase(name):
        return after[name] - before.get(name, 0)

    assert increase('gradoscope_requests_total{outcome="done"}') == 1
    assert increase('gradoscope_requests_total{outcome="refused"}') == 1
    assert increase('gradoscope_panels_total{method="grad_cam",model="efficientnet_lite0",status="done"}') == 1
    assert increase('gradoscope_store_lookups_total{result="miss"}') == 1
    assert increase("gradoscope_gradient_evaluations_total") == 1
    assert increase("gradoscope_micro_batches_total") == 1
    assert increase('gradoscope_refusals_total{reason="Unprocessable",status="422"}') == 1
    assert after["gradoscope_requests_in_flight"] == after["gradoscope_requests_waiting"] == 0
    assert after["gradoscope_models_loaded"] >= 1
    assert after["gradoscope_store_bytes"] > before["gradoscope_store_bytes"]
    for process in ("web", "worker"):
        assert after[f'gradoscope_resident_bytes{{process="{process}"}}'] > 30e6
    explain(server, method="grad_cam", target=21)
    assert read()['gradoscope_store_lookups_total{result="hit"}'] >= 1
