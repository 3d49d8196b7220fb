"""gradoscope lab: the list, a run, and what it writes."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from gradoscope.cli.lab import parse_options, shown
from gradoscope.client import experiment_files
from gradoscope.contract.experiments import ExperimentResult
from gradoscope.lab.registry import experiments
from PIL import Image

from tests.support.cli import gradoscope

SQUARE = ("-o", "expression=a*a+a", "-o", 'values={"a": 3}')


def test_the_list():
    done = gradoscope("lab")
    assert done.returncode == 0
    for id in experiments():
        assert f"\n{id}  " in done.stdout
    assert "-o expression=(x + y) * z" in done.stdout
    listed = json.loads(gradoscope("lab", "--json").stdout)
    assert [one["id"] for one in listed["experiments"]] == list(experiments())


def test_findings_and_numbers_are_printed():
    done = gradoscope("lab", "graph", *SQUARE)
    assert done.returncode == 0
    assert "How does a gradient go back through a computation?" in done.stdout
    assert "does not hold: The mean of the 3 paths of a is 2.333" in done.stdout
    assert "a: 3, 3, 1" in done.stdout


def test_what_is_written(tmp_path):
    done = gradoscope("lab", "graph", *SQUARE, "--seed", 4, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "out" / "result.json").read_text("utf-8"))
    assert written["seed"] == 4
    assert ExperimentResult.model_validate(written).numbers["gradients"] == {"a": 7}
    for figure in ("graph", "gradients", "paths", "cost"):
        assert (tmp_path / "out" / f"{figure}.svg").read_text("utf-8").startswith("<?xml")
        with Image.open(tmp_path / "out" / f"{figure}.png") as picture:
            assert picture.format == "PNG"
    with (tmp_path / "out" / "paths.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["name", "path", "product of derivatives"],
        ["a", "a → a*a → a*a+a", "3.0"],
        ["a", "a → a*a → a*a+a", "3.0"],
        ["a", "a → a*a+a", "1.0"],
    ]


def test_json_is_the_result_of_the_rest_interface(tmp_path):
    done = gradoscope("lab", "graph", *SQUARE, "--json", "--out", tmp_path)
    assert json.loads(done.stdout) == json.loads((tmp_path / "result.json").read_text("utf-8"))


def test_without_matplotlib_there_are_numbers_and_a_hint(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment_files, "can_draw", lambda: False)
    done = gradoscope("lab", "graph", "--out", tmp_path)
    assert "gradoscope[notebook]" in done.stdout
    assert sorted(file.suffix for file in tmp_path.iterdir()) == [".csv"] * 4 + [".json"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("grahp",), "Did you mean `graph`?"),
        (("graph", "-o", "expresion=x"), "Did you mean `expression`?"),
        (("graph", "-o", "expression"), "PARAMETER=VALUE"),
        (("graph", "-o", "values=[1]"), "parameters.values"),
        (("graph", "-o", "expression=q"), "«q»"),
        (("--out", "x"), "which experiment"),
        (("-o", "x=1"), "which experiment"),
    ],
)
def test_refusals(arguments, words):
    done = gradoscope("lab", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_options_are_json_and_text_stays_text():
    given = ["expression=3", 'values={"a": 1}', "other=tanh", "number=0.5"]
    assert parse_options(experiments()["graph"], given) == {
        "expression": "3", "values": {"a": 1}, "other": "tanh", "number": 0.5,
    }  # fmt: skip


def test_long_lists_are_cut():
    assert shown(list(range(10))) == "0, 1, 2, 3, 4, 5, … (10)"
    assert shown({"a": [1.5, None], "b": [[1], [2]]}) == "a: 1.5, not finite, b: [1], [2]"


def test_arrays():
    assert experiment_files.as_array([1, None]).tolist()[0] == 1
    assert np.isnan(experiment_files.as_array([1, None])[1])
    assert experiment_files.as_array([[1, 2], [3, 4]]).shape == (2, 2)
    for other in ([], 3, {"a": 1}, ["1"], [[1], [1, 2]], [{"a": 1}], "12"):
        assert experiment_files.as_array(other) is None
