"""`gradoscope evaluate` on a folder of small pictures and one that is none: once as a command, then here."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from gradoscope.attribution.methods.grad_cam import GradCam
from gradoscope.cli.evaluate_run import EvaluateOptions, evaluate_folder
from gradoscope.contract.jobs import Explain
from gradoscope.contract.problems import ComputationFailed, Unprocessable
from gradoscope.images.image_files import find_image_files
from gradoscope.settings import Settings
from PIL import Image
from rich.console import Console

from tests.support.cli import gradoscope
from tests.support.paths import SAMPLES

NAMES = ("cat", "espresso", "rocket", "astronaut")
METHODS = ("vanilla_gradient", "grad_cam")
OPTIONS = {"deletion": {"steps": 2, "draws": 1}}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for name in NAMES:
        with Image.open(SAMPLES / f"{name}.jpg") as picture:
            picture.resize((256, 256)).save(folder / f"{name}.png")
    (folder / "bad.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module", autouse=True)
def stand_in(quick_model):
    """Commands and runs in this process compute with the quick network."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in quick_model.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def run(pictures, tmp_path_factory):
    """The command, with two grids. `confidence`: the least probability of its top class of a picture in a grid."""
    out = tmp_path_factory.mktemp("run") / "out"
    command = [
        "evaluate",
        pictures,
        *(f"--method={id}" for id in METHODS),
        "--metric=deletion",
        "--metric=completeness",
    ]
    command += [f"--option={id}.{name}={value}" for id, given in OPTIONS.items() for name, value in given.items()]
    command += ["--grids=2", "--confidence=0.05", "--out", out]
    return gradoscope(*command), out


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def evaluate(pictures, out, tmp_path, *, methods=METHODS, metrics=("deletion", "completeness"), grids=2, console=None):
    """The same evaluation in this process, with other choices. Returns whether nothing failed."""
    question = Explain("", b"", methods=methods, metrics=metrics, options=OPTIONS)
    settings = Settings(store=tmp_path / "store")
    options = EvaluateOptions(pictures, out, grids, confidence=0.05, command="gradoscope evaluate")
    return evaluate_folder(
        find_image_files([pictures], out, False), question, settings, options, console or Console(quiet=True)
    )


def test_a_row_for_each_number_and_what_they_come_to(run):
    done, out = run
    assert done.returncode == 1, done.stderr  # bad.jpg is no picture
    rows = table(out / "results.csv")
    measured = [row for row in rows if not row["cell"]]
    assert {(row["picture"], row["method"]) for row in measured} == {
        (f"{name}.png", method) for name in NAMES for method in METHODS
    }
    gains = {f"deletion.gain_{control}" for control in ("random", "displaced", "gaussian")}
    assert {row["number"] for row in measured} == {"deletion.area", *gains}
    lines = {(line["method"], line["against"], line["number"]): line for line in table(out / "summary.csv")}
    assert {key[:2] for key in lines} == {(METHODS[0], ""), (METHODS[1], ""), METHODS}
    areas = {
        m: [float(r["value"]) for r in measured if (r["method"], r["number"]) == (m, "deletion.area")] for m in METHODS
    }
    for method in METHODS:
        line = lines[method, "", "deletion.area"]
        assert (line["n"], line["better"]) == ("4", "lower")
        assert float(line["mean"]) == pytest.approx(np.mean(areas[method]), rel=1e-4)
        assert float(line["median"]) == pytest.approx(np.median(areas[method]), rel=1e-4)
        assert min(areas[method]) <= float(line["low"]) <= float(line["mean"]) <= float(line["high"])
    gap = lines[(*METHODS, "deletion.area")]
    assert float(gap["mean"]) == pytest.approx(np.mean(areas[METHODS[0]]) - np.mean(areas[METHODS[1]]), rel=1e-3)


def test_the_grids_are_of_the_folders_pictures(pictures, tmp_path, monkeypatch):
    """With the shipped network, whose Grad-CAM finds the right cell."""
    monkeypatch.delenv("GRADOSCOPE_MODELS")
    out = tmp_path / "out"
    assert not evaluate(pictures, out, tmp_path, metrics=("completeness",))
    cells = [row for row in table(out / "results.csv") if row["number"] == "grid_pointing.localisation"]
    assert {row["picture"] for row in cells} == {"grid 1", "grid 2"}
    assert {row["cell"] for row in cells} == {f"{name}.png" for name in NAMES}
    assert len(cells) == 2 * 4 * len(METHODS)
    lines = [line for line in table(out / "summary.csv") if line["number"] == "grid_pointing.localisation"]
    assert {(line["n"], line["values"]) for line in lines} == {("4", "8")}
    mean = {id: np.mean([float(row["value"]) for row in cells if row["method"] == id]) for id in METHODS}
    assert mean["grad_cam"] > 0.6
    assert mean["grad_cam"] > mean["vanilla_gradient"]
    (game,) = json.loads((out / "results.json").read_text())["results"]["games"]
    assert (game["cell"], game["input"], game["scaled"], game["pictures"]) == ([224, 224], [448, 448], False, 4)


def test_what_was_not_made_is_reported_with_its_reason(run):
    done, out = run
    assert "not a picture of an allowed format" in done.stdout
    assert "grad_cam, completeness, efficientnet_lite0 refused: Grad-CAM does not share out" in done.stdout
    assert "(4 pictures)" in done.stdout
    results = json.loads((out / "results.json").read_text())
    assert {(one["picture"], one["status"]) for one in results["not_made"]} >= {
        ("bad.jpg", "failed"),
        ("cat.png", "refused"),
    }
    assert results["methods"]["grad_cam"].keys() == {"layer", "relu"}
    assert results["metrics"]["deletion"]["steps"] == 2
    assert results["command"].endswith(f"--out {out}")


class Page(HTMLParser):
    """What a page would fetch, and what it shows."""

    def __init__(self, html):
        super().__init__()
        self.fetched, self.images, self.ids, self.links = [], [], set(), []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        said = dict(attributes)
        self.ids.add(said.get("id"))
        if tag in ("img", "script", "link", "iframe"):
            self.fetched.append(said.get("src") or said.get("href") or "")
        if tag == "img":
            self.images.append(said)
        if tag == "a":
            self.links.append(said["href"])


def test_the_report_needs_nothing_beside_it(run):
    _, out = run
    html = (out / "report.html").read_text()
    page = Page(html)
    assert all(address.startswith("data:image/webp") for address in page.fetched)
    assert all(one["alt"] for one in page.images)
    assert not re.search(r"url\(|@import", html)
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids
    for said in ("not a picture of an allowed format", "Vanilla gradient − Grad-CAM", "448×448"):
        assert said in html
    assert (
        len(list((out / "plots").glob("*.svg"))) == 4 + 1 + 3
    )  # deletion's numbers, its curve, the grid game's numbers


def test_results_of_an_earlier_run_are_not_computed_again(run, pictures, tmp_path, monkeypatch):
    _, out = run
    before = {path: path.stat().st_mtime_ns for path in (out / ".parts").rglob("*.json")}
    rows = (out / "results.csv").read_text()
    monkeypatch.setattr(GradCam, "attribute", lambda *_: pytest.fail("computed again"))
    assert not evaluate(pictures, out, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in (out / ".parts").rglob("*.json")} == before
    assert (out / "results.csv").read_text() == rows


def test_a_method_that_fails_does_not_stop_the_others(pictures, run, tmp_path, monkeypatch):
    """Grad-CAM's earlier results are used; the next run tries again what failed."""

    def fail(*_):
        yield from ()
        raise ComputationFailed("It broke off.")

    _, out = run
    monkeypatch.setattr("gradoscope.attribution.methods.input_x_gradient.InputXGradient.attribute", fail)
    console = Console(record=True, width=200, file=io.StringIO())
    assert not evaluate(pictures, out, tmp_path, methods=("input_x_gradient", "grad_cam"), grids=0, console=console)
    assert "input_x_gradient, efficientnet_lite0 failed: It broke off. (4 pictures)" in console.export_text()
    assert {row["method"] for row in table(out / "results.csv")} == {"grad_cam"}
    assert "It broke off." in (out / "report.html").read_text()


def test_too_few_pictures_for_a_grid_are_reported(pictures, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "cat.png").write_bytes((pictures / "cat.png").read_bytes())
    assert evaluate(folder, tmp_path / "out", tmp_path, methods=("grad_cam",), metrics=("deletion",), grids=None)
    html = (tmp_path / "out" / "report.html").read_text()
    assert "No grids for efficientnet_lite0: 1 pictures of 1 classes" in html
    line = table(tmp_path / "out" / "summary.csv")[0]
    assert (line["n"], line["low"], line["high"]) == ("1", "", "")


def test_a_wrong_question_is_refused(pictures, tmp_path):
    with pytest.raises(Unprocessable, match="There is no metric «nonsense»"):
        evaluate(pictures, tmp_path / "out", tmp_path, metrics=("nonsense",))


def test_grids_are_scaled_down_for_a_model_of_a_fixed_size(pictures, run, tmp_path, monkeypatch):
    def refuse(*_):
        raise Unprocessable("size: no other than its own.", field="size")

    _, out = run
    monkeypatch.setattr("gradoscope.zoo.zoo.classifier_at_size", refuse)
    evaluate(pictures, out, tmp_path, methods=("grad_cam",), metrics=("deletion",), grids=1)
    (game,) = json.loads((out / "results.json").read_text())["results"]["games"]
    assert (game["cell"], game["input"], game["scaled"]) == ([112, 112], [224, 224], True)
    assert "scaled down to it" in (out / "report.html").read_text()
