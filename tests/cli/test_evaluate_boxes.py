"""`gradoscope evaluate --boxes`: hits and shares in the results, kept between runs, and boxes of reduced pictures."""

from __future__ import annotations

import csv
import json
import shutil

import pytest
from gradoscope.attribution.methods.grad_cam import GradCam
from PIL import Image

from tests.support.cli import gradoscope
from tests.support.paths import SAMPLES

METHODS = ("grad_cam", "vanilla_gradient")
COMMON = (*(f"--method={id}" for id in METHODS), "--metric=sparseness", "--grids=0", "--fit=squash")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("cat", "espresso", "rocket"):
        shutil.copy(SAMPLES / f"{name}.jpg", folder)
    return folder


def size(name):
    with Image.open(SAMPLES / f"{name}.jpg") as picture:
        return picture.size


@pytest.fixture(scope="module")
def boxes(tmp_path_factory):
    """All of the cat's picture, a corner of the espresso's, none of the rocket's, and one of another picture."""
    file = tmp_path_factory.mktemp("boxes") / "boxes.csv"
    width, height = size("cat")
    file.write_text(f"picture,x,y,width,height\ncat.jpg,0,0,{width},{height}\nespresso.jpg,0,0,4,4\nbird.jpg,0,0,1,1\n")
    return file


def evaluate(pictures, out, *options, **environment):
    return gradoscope("evaluate", pictures, *COMMON, "--out", out, *options, **environment)


@pytest.fixture(scope="module")
def run(pictures, boxes, quick_model, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "out"
    done = evaluate(pictures, out, "--boxes", boxes, "--tolerance=2", **quick_model)
    assert done.returncode == 0, done.stdout + done.stderr
    return done, out


def numbers(out):
    with (out / "results.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "box_pointing"]
    return {(row["picture"], row["method"], row["number"].partition(".")[2]): float(row["value"]) for row in rows}


def test_hits_and_shares_of_the_pictures_with_boxes(run):
    done, out = run
    found = numbers(out)
    assert {picture for picture, _, _ in found} == {"cat.jpg", "espresso.jpg"}
    for method in METHODS:
        assert found["cat.jpg", method, "hits"] == 1
        assert found["cat.jpg", method, "share"] == pytest.approx(1)
        assert found["cat.jpg", method, "area"] == pytest.approx(1)
        assert found["espresso.jpg", method, "hits"] == 0
        width, height = size("espresso")
        assert found["espresso.jpg", method, "area"] == pytest.approx(16 / (width * height), rel=1e-4)
        assert 0 <= found["espresso.jpg", method, "share"] < 0.05
    assert "Boxes of pictures that are not here: bird.jpg." in done.stdout
    results = json.loads((out / "results.json").read_text())
    assert results["boxes"] == 2
    assert results["metrics"]["box_pointing"] == {"tolerance": 2.0}
    html = (out / "report.html").read_text()
    assert "Pointing game with boxes: hits" in html
    assert "Boxes of 2 pictures; a maximum of up to 2.000 pixels beside a box hits." in html


def test_results_are_kept_by_their_boxes(run, pictures, boxes, quick_model, tmp_path, monkeypatch):
    _, out = run
    before = numbers(out)
    computed = []
    attribute = GradCam.attribute

    def counted(self, *arguments):
        computed.append(arguments)
        return attribute(self, *arguments)

    monkeypatch.setattr(GradCam, "attribute", counted)
    assert evaluate(pictures, out, "--boxes", boxes, "--tolerance=2", **quick_model).returncode == 0
    assert (numbers(out), computed) == (before, [])
    other = tmp_path / "boxes.csv"
    other.write_text(boxes.read_text().replace("espresso.jpg,0,0,4,4", "espresso.jpg,0,0,8,8"))
    assert evaluate(pictures, out, "--boxes", other, "--tolerance=2", **quick_model).returncode == 0
    assert len(computed) == 1  # the espresso's alone
    assert numbers(out)["espresso.jpg", "grad_cam", "area"] == pytest.approx(
        4 * before["espresso.jpg", "grad_cam", "area"], rel=1e-4
    )


def test_boxes_are_in_pixels_of_a_picture_that_is_decoded_smaller(pictures, boxes, quick_model, tmp_path):
    width, height = size("cat")
    done = evaluate(
        pictures,
        tmp_path / "out",
        "--boxes",
        boxes,
        "--tolerance=2",
        GRADOSCOPE_MAX_PIXELS=str(width * height - 1),
        **quick_model,
    )
    assert done.returncode == 0, done.stdout
    (decoded,) = [
        one
        for one in json.loads((tmp_path / "out" / "results.json").read_text())["results"]["pictures"]
        if one["picture"] == "cat.jpg"
    ]
    assert decoded["width"] <= width // 2 + 1
    assert numbers(tmp_path / "out")["cat.jpg", "grad_cam", "area"] == pytest.approx(1, abs=0.01)


def test_a_box_beyond_its_picture_is_refused(pictures, quick_model, tmp_path):
    file = tmp_path / "boxes.csv"
    file.write_text("picture,x,y,width,height\ncat.jpg,0,0,99999,5\n")
    done = evaluate(pictures, tmp_path / "out", "--boxes", file, **quick_model)
    assert "box_pointing, efficientnet_lite0 refused: The box x=0, y=0, width=99999" in done.stdout
    assert numbers(tmp_path / "out") == {}


def test_a_faulty_file_is_refused_before_anything_is_computed(pictures, quick_model, tmp_path, monkeypatch):
    monkeypatch.setattr("gradoscope.zoo.zoo.Zoo.load", lambda *_: pytest.fail("a model was loaded"))
    file = tmp_path / "boxes.csv"
    file.write_text("picture,left,top\n")
    done = evaluate(pictures, tmp_path / "out", "--boxes", file, **quick_model)
    assert done.returncode == 2
    assert "boxes.csv: its first line has no column x, y, width, height" in done.stderr
