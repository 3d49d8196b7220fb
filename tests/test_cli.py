"""The console command, as a shell runs it."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import SAMPLES
from gradoscope import __version__
from gradoscope.cli import parse_options
from gradoscope.errors import Unprocessable
from PIL import Image


def gradoscope(*arguments, cwd=None, **environment):
    import os

    return subprocess.run(
        [sys.executable, "-m", "gradoscope", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
        env={**os.environ, "COLUMNS": "200", **environment},
    )


def size(path):
    with Image.open(path) as picture:
        return picture.size


def test_explain_writes_pictures_arrays_and_the_record(tmp_path):
    done = gradoscope(
        "explain", SAMPLES / "cat.jpg", "--method", "vanilla_gradient", "--method", "smooth_grad", "--target", 285,
        "-o", "smooth_grad.samples=5", "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2 of 2 maps" in done.stdout
    record = json.loads((tmp_path / "out" / "explanation.json").read_text())
    assert [panel["parameters"] for panel in record["panels"]][1]["samples"] == 5
    for panel in record["panels"]:
        name = f"panels/{panel['id']}-efficientnet_lite0-{panel['method']}-285"
        assert np.load(tmp_path / "out" / f"{name}.npy").shape == (3, 224, 224)
        assert size(tmp_path / "out" / f"{name}.png") == (224, 224)
    assert size(tmp_path / "out" / "contact_sheet.png")[0] > 3 * 224


def test_a_refusal_is_one_sentence_and_exit_code_2(tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    done = gradoscope("explain", bad, cwd=tmp_path)
    assert done.returncode == 2
    assert "not a picture of an allowed format" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == [bad]


def test_models_and_methods_are_listed():
    models = gradoscope("models")
    assert "efficientnet_lite0 (default)" in models.stdout
    methods = gradoscope("methods")
    assert methods.stdout.index("vanilla_gradient") < methods.stdout.index("blur_integrated_gradients")
    assert "-o smooth_grad.samples=50  [1 … 2000]" in methods.stdout
    assert gradoscope("--version").stdout.strip() == __version__


def test_a_port_that_is_taken_is_told():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = gradoscope("serve", "--port", taken.getsockname()[1])
    assert done.returncode == 2
    assert "Take another --port" in done.stderr


def test_options_on_the_command_line():
    assert parse_options(["a.b=3", "a.c=true", "grad_cam.layer=blocks.5", "x.y=0.5"]) == {
        "a": {"b": 3, "c": True},
        "grad_cam": {"layer": "blocks.5"},
        "x": {"y": 0.5},
    }
    for wrong in ("samples=3", "smooth_grad.samples", "="):
        with pytest.raises(Unprocessable, match=r"METHOD\.PARAMETER=VALUE"):
            parse_options([wrong])
