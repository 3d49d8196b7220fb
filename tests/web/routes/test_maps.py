"""Maps that were made elsewhere: beside ours, measured and exported like any other; bounded, refused in words."""

from __future__ import annotations

import io
import json
import zipfile

import gradoscope
import numpy as np
import pytest
from gradoscope.contract.problems import Unprocessable
from gradoscope.contract.records import Explanation
from gradoscope.contract.uploaded_map import MAX_MAPS, uploaded_values

API = "/api/v1"


def explain(server, **fields):
    answer = server.http.post(f"{API}/explanations", data={"sample": "cat", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def saved(values):
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


def upload(server, record, data, title="Theirs", **fields):
    place = f"{API}/explanations/{record['id']}/maps"
    return server.http.post(place, data={"title": title, **fields}, files={"map": ("m.npy", data)})


@pytest.fixture(scope="module")
def server(quick_model_server):
    return quick_model_server


@pytest.fixture
def record(server):
    # a class of its own: what is measured here is not in the store when other tests measure
    return explain(server, method=["vanilla_gradient", "grad_cam"], target=77)


@pytest.fixture
def size(record):
    return tuple(record["inputs"][0]["size"])


def test_it_stands_beside_ours(server, record, size):
    values = np.random.default_rng(0).normal(size=size)
    answer = upload(server, record, saved(values), "  Their map ")
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert made["panels"][:2] == record["panels"]
    panel = made["panels"][2]
    assert (panel["id"], panel["method"], panel["status"]) == ("u1", "uploaded-1", "done")
    assert (panel["model"], panel["target"]) == (record["panels"][0]["model"], record["panels"][0]["target"])
    assert panel["parameters"] == {"title": "Their map"}
    assert panel["diagnostics"] == {"uploaded": True}
    assert panel["shape"] == [1, *size]
    assert panel["statistics"]["min"] == pytest.approx(values.min(), rel=1e-6)
    read = np.load(io.BytesIO(server.http.get(panel["urls"]["npy"]).content))
    assert read.dtype == np.float32
    assert np.array_equal(read[0], values.astype(np.float32))
    assert server.http.get(panel["urls"]["png"], params={"overlay": 0.5}).content[:4] == b"\x89PNG"
    kept = server.http.get(f"{API}/explanations/{record['id']}").json()
    assert Explanation.model_validate(kept) == Explanation.model_validate(made)


def test_it_is_exported_as_any_other(server, record, size, tmp_path):
    values = np.random.default_rng(1).normal(size=(3, *size)).astype(np.float32)
    upload(server, record, saved(values), "Theirs")
    data = server.http.get(f"{API}/explanations/{record['id']}.zip").content
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (name,) = [name for name in archive.namelist() if "uploaded-1" in name and name.endswith(".npy")]
        assert np.array_equal(np.load(io.BytesIO(archive.read(name))), values)
        assert name.replace(".npy", ".png") in archive.namelist()
    assert server.http.get(f"{API}/explanations/{record['id']}.png").status_code == 200
    (tmp_path / "all.zip").write_bytes(data)
    panel = gradoscope.load(tmp_path / "all.zip")["uploaded-1"]
    assert (panel.title, panel.uploaded) == ("Theirs (uploaded)", True)


def test_it_is_measured_but_never_made_anew(server, record, size):
    ours = np.load(io.BytesIO(server.http.get(record["panels"][1]["urls"]["npy"]).content))
    upload(server, record, saved(ours), "A copy of Grad-CAM")
    asked = ["deletion", "sparseness", "road", "stability"]
    options = json.dumps({"deletion": {"steps": 3, "draws": 1}, "road": {"steps": 2}})
    measured = {}
    for panel in ("p2", "u1"):
        place = f"{API}/explanations/{record['id']}/panels/{panel}/metrics"
        answer = server.http.post(place, data={"metrics": asked, "options": options})
        assert answer.status_code == 200, answer.text
        measured[panel] = next(each for each in answer.json()["panels"] if each["id"] == panel)["metrics"]
    for metric in ("deletion", "sparseness", "road"):
        assert measured["u1"][metric]["status"] == "done"
        assert measured["u1"][metric]["figures"] == measured["p2"][metric]["figures"]
    assert measured["u1"]["stability"]["status"] == "refused"
    assert "«A copy of Grad-CAM» was uploaded" in measured["u1"]["stability"]["problem"]["detail"]
    kept = server.http.get(f"{API}/explanations/{record['id']}").json()["panels"][2]
    assert kept["parameters"] == {"title": "A copy of Grad-CAM"}
    assert kept["diagnostics"] == {"uploaded": True}
    assert kept["metrics"].keys() == set(asked)


def test_model_and_class_are_those_of_the_panel_named(server, size):
    record = explain(server, method="grad_cam", target=[1, 2])
    made = upload(server, record, saved(np.ones(size)), panel="p2").json()["panels"][-1]
    assert made["target"]["index"] == 2
    refused = upload(server, record, saved(np.ones(size)), panel="p9")
    assert refused.status_code == 404
    assert "There are: p1, p2, u1." in refused.json()["detail"]


def test_there_may_be_several_up_to_a_limit(server, record, size):
    for number in range(1, MAX_MAPS + 1):
        made = upload(server, record, saved(np.full(size, number)), f"Map {number}").json()
        assert made["panels"][-1]["method"] == f"uploaded-{number}"
    refused = upload(server, record, saved(np.ones(size)))
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "map")
    assert "16 uploaded maps, which is the limit" in refused.json()["detail"]


def header(descr, shape):
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": descr, "fortran_order": False, "shape": shape})
    return out.getvalue()


BAD = {
    "no array": (b"GIF89a", "it is no .npy file"),
    "nothing": (b"", "it is no .npy file"),
    "pickled objects": (header("|O", (4, 4)), "values are object"),
    "text": (saved(np.full((4, 4), "a")), "values are <U1"),
    "complex": (saved(np.ones((4, 4), dtype=complex)), "values are complex128"),
    "records": (saved(np.zeros((4, 4), dtype=[("a", "f4")])), "Save real numbers"),
    "four axes": (saved(np.ones((1, 1, 4, 4))), "it is 1 × 1 × 4 × 4"),
    "one number": (saved(np.float32(3)), "it is a single number"),
    "two channels": (saved(np.ones((2, 4, 4))), "it has 2 channels"),
    "huge": (header("<f4", (100_000, 100_000)), "at most 2048 pixels"),
    "cut off": (saved(np.ones((32, 32)))[:-9], "ends too early"),
    "only a header": (header("<f8", (2000, 2000)), "ends too early"),
    "NaN": (saved(np.full((4, 4), np.nan)), "NaN or infinite"),
    "too large for float32": (saved(np.full((4, 4), 1e300)), "too large for float32"),
    "another size": (saved(np.ones((9, 7))), "it is 9 × 7"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_map_is_refused_in_words(server, record, name):
    data, words = BAD[name]
    answer = upload(server, record, data)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "map")
    assert words in answer.json()["detail"]
    assert len(server.http.get(f"{API}/explanations/{record['id']}").json()["panels"]) == 2


@pytest.mark.parametrize("kind", ["f2", "f4", ">f8", "i1", "u8", "?"])
def test_real_numbers_of_any_kind_are_taken(kind):
    values = np.arange(12).reshape(3, 4).astype(kind)
    found = uploaded_values(saved(np.asfortranarray(values)))
    assert (found.dtype, found.shape) == (np.float32, (1, 3, 4))
    assert np.array_equal(found[0], values.astype(np.float32))


@pytest.mark.parametrize("title", ["", "  ", "a" * 81, "two\nlines", "bell\x07"])
def test_a_title_is_one_short_line(server, record, size, title):
    answer = upload(server, record, saved(np.ones(size)), title)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "title")


def test_what_is_missing_is_said(server, record):
    place = f"{API}/explanations/{record['id']}/maps"
    assert "-F map=@map.npy" in server.http.post(place, data={"title": "x"}).json()["detail"]
    assert server.http.post(f"{API}/explanations/{'0' * 32}/maps", data={"title": "x"}).status_code == 404
    assert "no field `name`" in server.http.post(place, data={"name": "x"}).json()["detail"]


def test_the_client_adds_and_measures(server, record, size):
    with gradoscope.Client(server.url) as client:
        values = np.random.default_rng(2).random(size)
        made = client.add_map(record["id"], values, "Noise", beside="p2")
        assert (made[-1].id, made[-1].title, made[-1].uploaded) == ("u1", "Noise (uploaded)", True)
        assert np.array_equal(made[-1].values[0], values.astype(np.float32))
        assert not made[0].uploaded
        assert client.measure(made, "u1", "sparseness")[-1].metrics["sparseness"].figures["gini"] > 0
        with pytest.raises(Unprocessable, match="NaN or infinite"):
            client.add_map(made, values * np.nan, "Noise")
        with pytest.raises(Unprocessable, match="no array of numbers"):
            client.add_map(made, [object()], "Noise")
