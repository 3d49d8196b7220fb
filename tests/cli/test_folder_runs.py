"""`gradoscope explain DIR`: the index and maps of all pictures; and `--models` of the commands."""

from __future__ import annotations

import csv
import json
import shutil

import gradoscope as product
import numpy as np
import pytest
from gradoscope.pipeline.folder_index import INDEX, MAPS

from tests.conftest import NO_ACCELERATION
from tests.support.cli import gradoscope
from tests.support.paths import SAMPLES

METHODS = ("vanilla_gradient", "grad_cam")
COMMON = (*(f"--method={id}" for id in METHODS), "--recursive")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("in")
    (folder / "below").mkdir()
    shutil.copy(SAMPLES / "cat.jpg", folder)
    shutil.copy(SAMPLES / "rocket.jpg", folder / "below")
    (folder / "bad.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def out(pictures, quick_model, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "out"
    done = gradoscope("explain", pictures, *COMMON, "--npz", "--out", out, **quick_model)
    assert done.returncode == 1, done.stdout + done.stderr  # bad.png is no picture
    assert f"{out / INDEX}, {out / MAPS}" in done.stdout
    return out


def table(out):
    with (out / INDEX).open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_index_has_all_pictures_of_the_run(out):
    rows = table(out)
    assert [(row["picture"], row["method"], row["target"], row["status"]) for row in rows] == [
        ("bad.png", "", "", "failed"),
        *(("cat.jpg", method, "282", "done") for method in METHODS),
        *(("below/rocket.jpg", method, "657", "done") for method in METHODS),
    ]
    assert "not a picture of an allowed format" in rows[0]["detail"]
    record = json.loads((out / "cat.jpg" / "explanation.json").read_text())
    assert float(rows[1]["probability"]) == record["inputs"][0]["predictions"][0]["probability"]
    assert rows[1]["label"] == "tiger cat"


def test_python_reads_the_run(out):
    run = product.load(out)
    assert list(run) == ["bad.png", "cat.jpg", "below/rocket.jpg"]
    maps = {(row.picture, row.method): values for row, values in run.maps()}
    assert len(maps) == 4
    assert np.array_equal(maps["cat.jpg", "grad_cam"], run["cat.jpg"]["grad_cam"].values)
    with np.load(out / MAPS) as packed:
        assert set(packed) == {row.key for row in run.rows if row.npy}


def test_pictures_that_are_skipped_stay_in_the_index(out, pictures, quick_model):
    before = (out / INDEX).read_bytes(), (out / MAPS).read_bytes()
    done = gradoscope("explain", pictures, *COMMON, "--npz", "--out", out, **quick_model)
    assert "0 explained, 2 were there already" in done.stdout
    assert ((out / INDEX).read_bytes(), (out / MAPS).read_bytes()) == before


def test_refused_maps_have_their_reason(pictures, quick_model, tmp_path):
    done = gradoscope(
        "explain", pictures / "below", *COMMON, "-o", "grad_cam.layer=nonsense",
        "--out", tmp_path / "out", **quick_model,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    refused = next(row for row in table(tmp_path / "out") if row["method"] == "grad_cam")
    assert (refused["status"], refused["npy"], refused["target"]) == ("refused", "", "657")
    assert "nonsense" in refused["detail"]
    assert not (tmp_path / "out" / MAPS).exists()


def test_a_run_without_any_result_has_an_index(tmp_path, quick_model):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    done = gradoscope(
        "explain", tmp_path / "in", "--method=grad_cam", "--npz", "--out", tmp_path / "out", **quick_model
    )
    assert done.returncode == 1
    assert [row["status"] for row in table(tmp_path / "out")] == ["failed"]
    assert list(product.load(tmp_path / "out").maps()) == []


def test_one_picture_has_no_file_of_all_maps(pictures, tmp_path):
    done = gradoscope("explain", pictures / "cat.jpg", "--npz", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "--npz is of many pictures" in done.stderr.replace("\n", " ")


def test_models_names_the_folder_of_cards(pictures, quick_model, tmp_path):
    """The cards there replace the shipped one of that name, of which the stand-in's class of the rocket tells it."""
    cards = quick_model["GRADOSCOPE_MODELS"]
    picture = pictures / "below" / "rocket.jpg"
    options = ("--models", cards)
    one = gradoscope("explain", picture, "--method=grad_cam", "--out", tmp_path / "one", *options, **NO_ACCELERATION)
    assert one.returncode == 0, one.stderr
    assert json.loads((tmp_path / "one" / "explanation.json").read_text())["panels"][0]["target"]["index"] == 657
    flow = gradoscope("flow", picture, "--json", *options, **NO_ACCELERATION)
    assert json.loads(flow.stdout)["target"]["index"] == 657
    evaluated = gradoscope(
        "evaluate", picture.parent, "--method=grad_cam", "--metric=sparseness", "--grids=0", "--out", tmp_path / "all",
        *options, **NO_ACCELERATION,
    )  # fmt: skip
    assert evaluated.returncode == 0, evaluated.stderr
    results = json.loads((tmp_path / "all" / "results.json").read_text())
    assert results["results"]["maps"][0]["target"]["index"] == 657


@pytest.mark.parametrize("command", ["explain", "evaluate", "flow"])
def test_a_folder_without_cards_is_refused(command, pictures, tmp_path):
    (tmp_path / "notes.txt").write_text("no card")
    given = pictures if command != "flow" else pictures / "cat.jpg"
    for folder, says in ((tmp_path, "there is no card in"), (tmp_path / "none", "there is no folder")):
        done = gradoscope(command, given, "--models", folder, "--out" if command != "flow" else "--fit", "crop")
        assert done.returncode == 2
        assert f"--models: {says}" in done.stderr


def test_a_cluster_has_its_own_models(pictures, tmp_path):
    done = gradoscope("explain", pictures, "--models", tmp_path, "--cluster", "127.0.0.1:1")
    assert done.returncode == 2
    assert "On a cluster, the replicas' GRADOSCOPE_MODELS names the folder" in done.stderr.replace("\n", " ")
