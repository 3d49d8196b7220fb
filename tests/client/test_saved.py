"""Explanations that were written to disk, read again."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import gradoscope
import numpy as np
import pytest
from gradoscope import Explanation
from gradoscope.contract.problems import BadAnswer, NotFound

from tests.support.nets import Tiny


@pytest.fixture(scope="module")
def made() -> Explanation:
    return gradoscope.explain(
        sample="cat",
        model=Tiny(),
        input={"size": 32},
        methods=["vanilla_gradient", "grad_cam"],
        metrics=["completeness", "stability"],
    )


@pytest.fixture(params=["folder", "zip"])
def saved(request: pytest.FixtureRequest, made: Explanation, tmp_path: Path) -> Path:
    folder = made.save(tmp_path / "cat")
    if request.param == "folder":
        return folder
    packed = tmp_path / "cat.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder))
    return packed


def test_what_is_loaded_is_what_was_saved(made: Explanation, saved: Path) -> None:
    loaded = gradoscope.load(saved)
    assert (loaded.id, loaded.seed, loaded.predictions) == (made.id, made.seed, made.predictions)
    for before, after in zip(made, loaded, strict=True):
        assert after.title == before.title
        assert after.diagnostics == before.diagnostics
        assert np.array_equal(after.values, before.values)
        assert after.metrics.keys() == before.metrics.keys()
        for metric, measured in before.metrics.items():
            for name in measured.maps:
                assert np.array_equal(after.metric_map(metric, name), before.metric_map(metric, name))
    assert np.array_equal(np.asarray(loaded.image()), np.asarray(made.image()))
    assert np.array_equal(np.asarray(loaded.seen("Tiny")), np.asarray(made.seen("Tiny")))


def test_it_can_be_saved_again(made: Explanation, saved: Path, tmp_path: Path) -> None:
    again = gradoscope.load(gradoscope.load(saved).save(tmp_path / "again"))
    assert np.array_equal(again["grad_cam"].values, made["grad_cam"].values)


def test_all_explanations_of_a_folder(made: Explanation, tmp_path: Path) -> None:
    for name in ("b", "a/deeper"):
        made.save(tmp_path / name)
    (tmp_path / "a" / "notes.txt").write_text("nothing")
    assert [(path, found.id) for path, found in gradoscope.load_all(tmp_path)] == [
        ("a/deeper", made.id),
        ("b", made.id),
    ]
    with pytest.raises(NotFound, match="take load_all"):
        gradoscope.load(tmp_path)


def test_without_pytorch(made: Explanation, tmp_path: Path) -> None:
    made.save(tmp_path / "cat")
    code = (
        "import sys, gradoscope; print(gradoscope.load(sys.argv[1])['grad_cam'].values.shape, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "cat"], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "(1, 32, 32) False\n"


def test_what_cannot_be_loaded_is_said(made: Explanation, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"There is no .*nowhere\. Name a folder or a ZIP"):
        gradoscope.load(tmp_path / "nowhere")
    with pytest.raises(NotFound, match=r"it has no explanation\.json\.$"):
        gradoscope.load(tmp_path)
    with pytest.raises(NotFound, match="There is no explanation in"):
        list(gradoscope.load_all(tmp_path))
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(BadAnswer, match="neither a folder nor a whole ZIP"):
        gradoscope.load(tmp_path / "broken.zip")
    folder = made.save(tmp_path / "cat")
    with zipfile.ZipFile(tmp_path / "flipped.zip", "w") as archive:
        archive.write(folder / "explanation.json", "explanation.json")
        archive.write(folder / "image.png", "image.png")
    flipped = bytearray((tmp_path / "flipped.zip").read_bytes())
    flipped[flipped.index(b"IDAT") + 8] ^= 255
    (tmp_path / "flipped.zip").write_bytes(flipped)
    with pytest.raises(BadAnswer, match=r"image\.png cannot be read"):
        gradoscope.load(tmp_path / "flipped.zip").image()
    panel = gradoscope.load(folder)["vanilla_gradient"]
    for file in folder.glob("panels/*vanilla*.npy"):
        file.unlink()
    with pytest.raises(NotFound, match="has no panel"):
        _ = panel.values
    record = json.loads((folder / "explanation.json").read_text())
    record["panels"][1]["id"] = "../../secret"
    (map,) = folder.glob("panels/p2-*.npy")
    (tmp_path / map.name.replace("p2", "secret")).write_bytes(map.read_bytes())
    (folder / "explanation.json").write_text(json.dumps(record))
    with pytest.raises(NotFound):
        _ = gradoscope.load(folder)[1].values
    for text in ("{", json.dumps({"id": "x"}), "[" * 100_000):
        (folder / "explanation.json").write_text(text)
        with pytest.raises(BadAnswer, match="is damaged, or no record"):
            gradoscope.load(folder)
