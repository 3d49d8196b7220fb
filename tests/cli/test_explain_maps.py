"""`gradoscope explain` with a map that was made elsewhere, and with a mask from a picture."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from tests.support.cli import gradoscope
from tests.support.paths import SAMPLES

CAT = SAMPLES / "cat.jpg"


def record_in(folder):
    return json.loads((folder / "explanation.json").read_text())


def test_a_map_made_elsewhere_stands_beside_ours(quick_model, tmp_path):
    values = np.random.default_rng(0).random((224, 224))
    np.save(tmp_path / "theirs.npy", values)
    done = gradoscope(
        "explain", CAT, "--method", "vanilla_gradient", "--map", f"Their map={tmp_path / 'theirs.npy'}",
        "--metric", "sparseness", "--out", tmp_path / "out", **quick_model,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ours, theirs = record_in(tmp_path / "out")["panels"]
    assert (theirs["id"], theirs["method"], theirs["parameters"]) == ("u1", "uploaded-1", {"title": "Their map"})
    assert ours["metrics"]["sparseness"]["status"] == theirs["metrics"]["sparseness"]["status"] == "done"
    assert np.array_equal(np.load(tmp_path / "out" / theirs["urls"]["npy"])[0], values.astype(np.float32))
    assert "2 of 2 maps" in done.stdout


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["nothing.npy"], "write TITLE=FILE.npy"),
        (["A=missing.npy"], "missing.npy cannot be read"),
        ([f"A={CAT}"], "it is no .npy file"),
        (["=small.npy"], "title: give the map a title"),
        (["A=small.npy"], "it is 4 × 4 (height × width)"),
    ],
)
def test_what_is_no_map_is_refused(quick_model, tmp_path, monkeypatch, given, words):
    monkeypatch.chdir(tmp_path)
    np.save("small.npy", np.ones((4, 4)))
    done = gradoscope("explain", CAT, "--method", "vanilla_gradient", "--map", *given, "--out", "out", **quick_model)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_map_is_of_one_picture(quick_model):
    done = gradoscope("explain", SAMPLES, "--map", "A=b.npy", **quick_model)
    assert (done.returncode, "a map is of one picture" in done.stderr) == (2, True)


def test_a_mask_may_be_a_picture(quick_model, tmp_path):
    mask = np.zeros((224, 224), dtype=np.uint8)
    mask[20:90, 30:120] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    done = gradoscope(
        "explain", CAT, "--method", "vanilla_gradient", "--metric", "relevance_mass", "--metric", "relevance_rank",
        "-o", f"relevance_mass.mask=@{tmp_path / 'mask.png'}", "-o", "relevance_rank.box=30,20,120,90",
        "--out", tmp_path / "out", **quick_model,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    metrics = record_in(tmp_path / "out")["panels"][0]["metrics"]
    area = 70 * 90 / 224**2
    assert metrics["relevance_mass"]["figures"]["area"] == pytest.approx(area)
    assert metrics["relevance_rank"]["figures"]["area"] == pytest.approx(area)
    values = np.abs(np.load(tmp_path / "out" / record_in(tmp_path / "out")["panels"][0]["urls"]["npy"])).sum(0)
    assert metrics["relevance_mass"]["figures"]["mass"] == pytest.approx(values[mask > 0].sum() / values.sum())
    wrong = gradoscope("explain", CAT, "-o", "relevance_mass.mask=@none.png", **quick_model)
    assert (wrong.returncode, "none.png cannot be read as a mask" in wrong.stderr) == (2, True)
