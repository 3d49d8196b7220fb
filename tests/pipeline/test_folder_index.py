"""The index of a run over a folder and all of its maps in one file, read back by `gradoscope.load`."""

from __future__ import annotations

import csv
import tracemalloc
import zipfile

import gradoscope
import numpy as np
import pytest
from gradoscope import FolderRun
from gradoscope.contract.problems import BadAnswer, NotFound, Problem, Unprocessable
from gradoscope.images.image_files import ImageFile
from gradoscope.pipeline.folder_index import INDEX, MAPS, read_index, write_index, write_maps

from tests.support.nets import Tiny

METHODS = ["vanilla_gradient", "grad_cam"]


@pytest.fixture(scope="module")
def made():
    return gradoscope.explain(sample="cat", model=Tiny(), input={"size": 32}, methods=METHODS, target=[1, 0])


@pytest.fixture
def root(made, tmp_path):
    """Two explanations, a picture that failed though it has earlier results, and one whose results are gone."""
    folder = tmp_path / "run"
    entries = [
        ImageFile(tmp_path / name, folder / name) for name in ("b.jpg", "a/c, «d».jpg", "failed.jpg", "gone.jpg")
    ]
    for entry in entries[:3]:
        made.save(entry.folder)
    write_index(folder, entries, {entries[2].folder: Unprocessable("It is no picture.")})
    return folder


def test_a_row_for_each_picture_model_and_method(root, made):
    with (root / INDEX).open(newline="") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == [
        "picture", "source", "model", "method", "target", "label", "probability", "status", "npy", "png", "detail",
    ]  # fmt: skip
    assert [(row["picture"], row["method"], row["target"], row["status"]) for row in table] == [
        *(
            (name, panel.method, str(panel.target.index), "done")
            for name in ("b.jpg", "a/c, «d».jpg")
            for panel in made
        ),
        ("failed.jpg", "", "", "failed"),
        ("gone.jpg", "", "", "missing"),
    ]
    assert table[-2]["detail"] == "It is no picture."
    probabilities = {found.index: found.probability for found in made.inputs[0].predictions}
    for row in table[:-2]:
        assert np.load(root / row["npy"]).shape == (3, 32, 32) or row["method"] == "grad_cam"
        assert (root / row["png"]).is_file()
        assert float(row["probability"]) == probabilities[int(row["target"])]
        assert row["source"].endswith(row["picture"])


def test_what_is_read_is_what_was_written(root, made):
    run = gradoscope.load(root)
    assert isinstance(run, FolderRun)
    assert list(run) == ["b.jpg", "a/c, «d».jpg", "failed.jpg", "gone.jpg"]
    assert len(run) == 4
    assert run["b.jpg"].id == made.id
    assert [row.status for row in run.rows] == ["done"] * 8 + ["failed", "missing"]
    with pytest.raises(KeyError):
        run["nothing"]
    with pytest.raises(NotFound):
        run["gone.jpg"]
    found = list(run.maps())
    assert [row.picture for row, _ in found] == ["b.jpg"] * 4 + ["a/c, «d».jpg"] * 4
    for (row, values), panel in zip(found, [*made, *made], strict=True):
        assert (row.method, row.target) == (panel.method, panel.target.index)
        assert np.array_equal(values, panel.values)


def test_all_maps_in_one_file(root, made):
    write_maps(root)
    with np.load(root / MAPS) as packed:
        rows = [row for row in read_index(root) if row.npy]
        assert list(packed) == [row.key for row in rows]
        for row, panel in zip(rows, [*made, *made], strict=True):
            assert np.array_equal(packed[row.key], panel.values)
    before = (root / MAPS).read_bytes()
    write_maps(root)
    assert (root / MAPS).read_bytes() == before


def test_index_and_maps_are_enough(root, made, tmp_path):
    write_maps(root)
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in (INDEX, MAPS):
        (moved / name).write_bytes((root / name).read_bytes())
    found = list(gradoscope.load(moved).maps())
    assert len(found) == 8
    assert np.array_equal(found[1][1], made.panels[1].values)


def test_maps_of_another_run_are_not_taken_for_this_ones(root, tmp_path):
    """The panels of another run may have the same names, and be of other parameters."""
    write_maps(root)
    entries = [ImageFile(tmp_path / "b.jpg", root / "b.jpg")]
    write_index(root, entries, {})
    for file in root.rglob("*.npy"):
        file.unlink()
    with pytest.raises(NotFound, match="its file is gone"):
        list(gradoscope.load(root).maps())


def test_memory_does_not_grow_with_the_number_of_maps(root, tmp_path):
    big = np.zeros((3, 512, 512), np.float32)
    for file in root.rglob("*.npy"):
        np.save(file, big)
    tracemalloc.start()
    try:
        write_maps(root)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (root / MAPS).stat().st_size > 8 * big.nbytes
    assert peak < big.nbytes


def test_an_index_names_nothing_outside_its_folder(root, tmp_path):
    np.save(tmp_path / "secret.npy", np.ones(3))
    text = (root / INDEX).read_text()
    first = next(read_index(root)).npy
    (root / INDEX).write_text(text.replace(first, "../secret.npy"))
    with pytest.raises(BadAnswer, match="outside its folder"):
        list(gradoscope.load(root).maps())


@pytest.mark.parametrize("text", ["", "picture,source\na,b\n", "\0", '"'])
def test_a_damaged_index_is_told(tmp_path, text):
    (tmp_path / INDEX).write_text(f"picture,source,model\n{text}\n" if text else "picture\nx\n")
    with pytest.raises(BadAnswer, match=r"index\.csv is damaged"):
        gradoscope.load(tmp_path).rows  # noqa: B018


def test_damaged_maps_are_told(root):
    (root / MAPS).write_bytes(b"no ZIP")
    for file in root.rglob("*.npy"):
        file.unlink()
    with pytest.raises(BadAnswer, match=r"maps\.npz cannot be read"):
        list(gradoscope.load(root).maps())


def test_a_map_that_is_damaged_inside_is_told(root):
    write_maps(root)
    data = bytearray((root / MAPS).read_bytes())
    place = data.index(b"NUMPY") + 300
    data[place] ^= 0xFF
    (root / MAPS).write_bytes(data)
    for file in root.rglob("*.npy"):
        file.unlink()
    with pytest.raises(BadAnswer, match=r"maps\.npz: .*\.npy cannot be read"):
        list(gradoscope.load(root).maps())


def test_a_disk_that_cannot_be_written_is_told_and_leaves_the_earlier_index(root, monkeypatch):
    before = (root / INDEX).read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gradoscope.pipeline.folder_index.os.replace", full)
    with pytest.raises(Problem, match="cannot be written: No space left on device"):
        write_index(root, [], {})
    assert (root / INDEX).read_bytes() == before
    assert not list(root.glob(".part-*"))


def test_an_explanations_own_folder_stays_one(made, tmp_path):
    folder = made.save(tmp_path / "cat")
    (folder / INDEX).write_text("of something else\n")
    assert gradoscope.load(folder).id == made.id
    assert zipfile.is_zipfile(folder) is False
