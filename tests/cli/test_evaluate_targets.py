"""`gradoscope evaluate --target`: true classes from folder names, accuracy, and results by right and wrong."""

from __future__ import annotations

import csv
import json
import shutil

import pytest
from gradoscope.attribution.methods.grad_cam import GradCam

from tests.support.cli import gradoscope
from tests.support.paths import SAMPLES

MODEL = "efficientnet_lite0"
TRUE = {
    "n02123159": "cat",
    "espresso": "espresso",
    "657": "rocket",
    "golden_retriever": "astronaut",
}  # the last is no dog
COMMON = ("--method=grad_cam", "--metric=sparseness", "--metric=complexity", "--grids=0", "--recursive")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for name, sample in TRUE.items():
        (folder / name).mkdir()
        shutil.copy(SAMPLES / f"{sample}.jpg", folder / name)
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("run") / "out"


@pytest.fixture(scope="module")
def run(pictures, out, quick_model):
    done = gradoscope("evaluate", pictures, *COMMON, "--target=folder", "--out", out, **quick_model)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_maps_explain_the_true_classes(run):
    rows = [row for row in table(run / "results.csv") if row["number"] == "sparseness.gini"]
    assert {row["picture"]: (int(row["target"]), row["prediction"]) for row in rows} == {
        "n02123159/cat.jpg": (282, "right"),
        "espresso/espresso.jpg": (967, "right"),
        "657/rocket.jpg": (657, "right"),
        "golden_retriever/astronaut.jpg": (207, "wrong"),
    }
    (wrong,) = [row for row in rows if row["prediction"] == "wrong"]
    assert wrong["label"] == "golden retriever"
    assert float(wrong["probability"]) < 0.1


def test_accuracy_and_the_split_are_written(run):
    results = json.loads((run / "results.json").read_text())
    assert results["target"] == "folder"
    (accuracy,) = results["accuracy"]
    assert (accuracy["model"], accuracy["pictures"], accuracy["right"]) == (MODEL, 4, 3)
    lines = {line["prediction"]: line for line in table(run / "summary.csv") if line["number"] == "sparseness.gini"}
    assert {prediction: line["n"] for prediction, line in lines.items()} == {"": "4", "right": "3", "wrong": "1"}
    values = {part: float(lines[part]["mean"]) for part in lines}
    assert values[""] == pytest.approx((3 * values["right"] + values["wrong"]) / 4, rel=1e-4)
    html = (run / "report.html").read_text()
    for said in (
        "true class, which the name of the folder says",
        'id="accuracy"',
        "On the pictures that the model gets",
    ):
        assert said in html
    assert "the model says" in html  # beside the astronaut


def test_results_are_used_again_and_by_their_class(run, pictures, quick_model, monkeypatch):
    """Of the three that are right the top class is the target: other targets of the same pictures compute one map."""
    computed = []
    before = GradCam.attribute

    def counted(self, *arguments):
        computed.append(arguments)
        return before(self, *arguments)

    monkeypatch.setattr(GradCam, "attribute", counted)
    again = gradoscope("evaluate", pictures, *COMMON, "--target=folder", "--out", run, **quick_model)
    assert (again.returncode, computed) == (0, [])
    top = gradoscope("evaluate", pictures, *COMMON, "--out", run, **quick_model)
    assert (top.returncode, len(computed)) == (0, 1)
    assert json.loads((run / "results.json").read_text())["accuracy"] == []
    assert "On the pictures that" not in (run / "report.html").read_text()


def test_one_class_for_all(pictures, quick_model, tmp_path):
    done = gradoscope(
        "evaluate",
        pictures,
        *COMMON,
        "--target=Egyptian cat",
        "--out",
        tmp_path / "out",
        **quick_model,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row["target"] for row in table(tmp_path / "out" / "results.csv")} == {"285"}
    assert json.loads((tmp_path / "out" / "results.json").read_text())["accuracy"][0]["right"] == 0
    assert "Each map is of the class Egyptian cat." in (tmp_path / "out" / "report.html").read_text()


def test_a_folder_without_a_class_is_refused_before_anything_is_computed(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr("gradoscope.zoo.zoo.Zoo.load", lambda *_: pytest.fail("a model was loaded"))
    other = tmp_path / "in" / "no class of this name"
    other.mkdir(parents=True)
    (other / "cat.jpg").write_bytes((pictures / "n02123159" / "cat.jpg").read_bytes())
    done = gradoscope("evaluate", tmp_path / "in", *COMMON, "--target=folder", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "no class «no class of this name»" in done.stderr
    assert not (tmp_path / "out").exists()


def test_grids_are_of_pictures_that_are_right(pictures, quick_model, tmp_path):
    """Three of four are right, too few for a grid."""
    done = gradoscope(
        "evaluate", pictures, "--method=grad_cam", "--metric=sparseness", "--grids=1", "--confidence=0", "--recursive",
        "--target=folder", "--out", tmp_path / "out", **quick_model,
    )  # fmt: skip
    (game,) = json.loads((tmp_path / "out" / "results.json").read_text())["results"]["games"]
    assert (game["status"], game["pictures"]) == ("refused", 3)
    assert "a top class, which is right, with a probability" in done.stdout
