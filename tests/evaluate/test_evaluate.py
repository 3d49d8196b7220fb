"""`gradoscope evaluate` on a folder of two pictures and one that is none."""

from __future__ import annotations

import csv
import subprocess
import sys

import pytest
from conftest import SAMPLES
from PIL import Image

OPTIONS = ["--method", "vanilla_gradient", "--method", "grad_cam", "-o", "deletion.steps=2", "-o", "deletion.draws=1"]


def gradoscope(*arguments):
    command = [sys.executable, "-m", "gradoscope", "evaluate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("cat", "espresso"):
        with Image.open(SAMPLES / f"{name}.jpg") as picture:
            picture.resize((240, 240)).save(folder / f"{name}.png")
    (folder / "bad.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def run(pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "out"
    return gradoscope(pictures, *OPTIONS, "--metric", "deletion", "--out", out), out


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_command_writes_a_row_for_each_number(run):
    done, out = run
    assert done.returncode == 1, done.stderr  # one picture is none
    rows = table(out / "results.csv")
    assert {(row["picture"], row["method"]) for row in rows} == {
        (f"{name}.png", method) for name in ("cat", "espresso") for method in ("vanilla_gradient", "grad_cam")
    }
    assert {row["number"] for row in rows} == {"deletion.area", "deletion.gain_random", "deletion.gain_gaussian"}
    lines = table(out / "summary.csv")
    assert {(line["method"], line["against"]) for line in lines} == {
        ("vanilla_gradient", ""), ("grad_cam", ""), ("vanilla_gradient", "grad_cam"),
    }  # fmt: skip
    for line in lines:
        assert line["n"] == "2"
        assert float(line["low"]) <= float(line["mean"]) <= float(line["high"])
