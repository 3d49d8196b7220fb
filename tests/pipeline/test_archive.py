"""All files of an explanation, for the ZIP, also if some of its panels are missing."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from gradoscope.contract.arrays import npy
from gradoscope.contract.metrics import Finding, MeasurementBody, brief_verdict
from gradoscope.contract.predictions import ClassBody
from gradoscope.contract.problems import NotFound, Refused
from gradoscope.images.contact_sheet import GAP, VERDICT
from gradoscope.pipeline.archive import array, files, png, sheet, zipped
from PIL import Image

from tests.support.contract import explanation, input_record, panel_record

SEEN = png(Image.new("RGB", (32, 48), "teal"))


def measurement(*levels):
    found = [Finding(code="x", level=level, detail="", values={}, url="/trust#x") for level in levels]
    return MeasurementBody(
        metric="x", status="done", parameters={}, cost=None, seconds=0.0, from_store=False, figures={}, findings=found,
        maps={}, problem=None,
    )  # fmt: skip


def panel(id, status="done", method="grad_cam", metrics=None):
    return panel_record(
        id,
        status=status,
        model="timm:net",
        method=method,
        target=ClassBody(index=7, label="a very long label of a class " * 9),
        seconds=1.0,
        metrics=metrics or {},
        diagnostics={"completeness": {"relative_error": -0.1}, "layer": "x"},
        problem=None if status == "done" else Refused("This cannot be done. " * 40).body(),
    )


def record(*panels):
    return explanation("x", *panels, inputs=[input_record("timm:net")])


def parts(**maps):
    """Reads the parts of a stored explanation by name, as a store does."""
    kept = {"image": SEEN, "input:timm:net": SEEN} | {f"panel:{id}": npy(values) for id, values in maps.items()}
    return kept.get


def test_all_files_of_an_explanation():
    values = np.linspace(-1, 1, 3 * 48 * 32, dtype=np.float32).reshape(3, 48, 32)
    listed = dict(files(record(panel("p1"), panel("p2", "refused")), parts(p1=values), {}))
    assert set(listed) == {
        "README.md",
        "explanation.json",
        "contact_sheet.png",
        "image.png",
        "inputs/timm_net.png",
        "panels/p1-timm_net-grad_cam-7.npy",
        "panels/p1-timm_net-grad_cam-7.png",
    }
    assert np.array_equal(array(listed["panels/p1-timm_net-grad_cam-7.npy"]), values)


@pytest.mark.parametrize("panels", [(), (panel("p1", "failed"),), (panel("p1"), panel("p2", "refused", "smooth_grad"))])
def test_a_contact_sheet_of_anything(panels):
    drawn = sheet(record(*panels), parts(p1=np.zeros((1, 48, 32), np.float32)), {})
    assert drawn.width >= 224
    assert len(drawn.getcolors(1 << 20)) > 2


def test_a_contact_sheet_says_what_was_measured():
    maps = parts(p1=np.zeros((1, 48, 32), np.float32))
    measured = {"x": measurement("doubt", "note", "support"), "y": measurement("doubt")}
    plain, with_verdict = (sheet(record(panel("p1", metrics=metrics)), maps, {}) for metrics in ({}, measured))
    line = np.asarray(with_verdict)[-GAP - VERDICT : -GAP]
    assert with_verdict.height == plain.height + VERDICT
    assert line.min() < 128, "a line of text under the scale"
    assert brief_verdict(measured) == "2 against · 1 for"
    assert brief_verdict({"x": measurement("note")}) == "undecided"
    assert brief_verdict({"x": measurement().model_copy(update={"status": "refused"})}) == ""


def test_a_missing_part_is_reported():
    with pytest.raises(NotFound, match="panel p1"):
        list(files(record(panel("p1")), parts(), {}))


def test_a_zip_is_made_entry_by_entry_in_constant_memory():
    """Its headers are as those of a ZIP that was written at once: sizes and checksums stand before the data."""
    size, count = 2**20, 40
    entries = [(f"{number}.bin", bytes([number]) * size) for number in range(3)]
    whole = b"".join(zipped(iter(entries)))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        assert [(entry.filename, archive.read(entry)) for entry in archive.infolist()] == entries
        assert all(not entry.flag_bits & 8 for entry in archive.infolist())
    assert struct.unpack("<L", whole[18:22])[0] == size
    tracemalloc.start()
    total = sum(len(part) for part in zipped((f"{number}", bytes(size)) for number in range(count)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total > count * size
    assert peak < 6 * size
