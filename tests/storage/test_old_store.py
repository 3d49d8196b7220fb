"""What an earlier version has kept is read, and is rendered and exported as it was."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from gradoscope.contract.metrics import MeasurementFacts
from gradoscope.contract.records import Explanation, MapFacts
from gradoscope.pipeline.archive import files
from gradoscope.storage.records import load_record
from PIL import Image

from tests.support.web_server import serving

OLD = Path(__file__).parent / "old_store"
MEASURED, REFUSED = (json.loads((OLD / name / "stored.json").read_text())["id"] for name in ("measured", "refused"))
PARTS = {"source": "input.png", "image": "input.png", "input:efficientnet_lite0": "input.png", "panel:p1": "p1.npy"}


@pytest.fixture(scope="module")
def web_server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("old")) as web_server:
        store = web_server.app.state.store
        for name, id in (("measured", MEASURED), ("refused", REFUSED)):
            store.create(id, json.loads((OLD / name / "stored.json").read_text()))
        for part, file in PARTS.items():
            store.put(MEASURED, part, store.key(part), (OLD / "measured" / file).read_bytes(), {})
        yield web_server


@pytest.mark.parametrize(("name", "id"), [("measured", MEASURED), ("refused", REFUSED)])
def test_a_record_is_answered_as_it_was(web_server, name, id):
    with web_server.client() as client:
        assert client.get(f"/api/v1/explanations/{id}").content == (OLD / name / "answer.json").read_bytes()


@pytest.mark.parametrize("name", ["measured", "refused"])
def test_a_record_is_written_as_it_was(name):
    """In the store, and in the files of a ZIP; here without the parts."""
    stored = (OLD / name / "stored.json").read_text()
    record = Explanation.model_validate_json(stored)
    assert json.dumps(record.to_dict()) == stored
    written = dict(zip(("README.md", "explanation.json"), files(record, lambda part: None, {}), strict=False))
    assert written["explanation.json"][1] == (OLD / name / "explanation.json").read_bytes()


def test_a_map_is_drawn_and_exported_as_it_was(web_server):
    with web_server.client() as client:
        panel = f"/api/v1/explanations/{MEASURED}/panels/p1"
        assert client.get(f"{panel}.npy").content == (OLD / "measured" / "p1.npy").read_bytes()
        for query, file in (("", "p1.png"), ("?overlay=0.5", "p1-overlay.png")):
            assert np.array_equal(pixels(client.get(f"{panel}.png{query}").content), pixels_of(file))
        assert client.get(f"/api/v1/explanations/{MEASURED}.png").headers["content-type"] == "image/png"
        archive = zipfile.ZipFile(io.BytesIO(client.get(f"/api/v1/explanations/{MEASURED}.zip").content))
    name = "panels/p1-efficientnet_lite0-integrated_gradients-282"
    for entry, file in (
        ("README.md", "README.txt"),
        ("explanation.json", "explanation.json"),
        ("inputs/efficientnet_lite0.png", "input.png"),
        (f"{name}.npy", "p1.npy"),
        ("metrics.csv", "metrics.csv"),
    ):
        assert archive.read(entry) == (OLD / "measured" / file).read_bytes(), entry
    assert np.array_equal(pixels(archive.read(f"{name}.png")), pixels_of("p1.png"))
    assert "contact_sheet.png" in archive.namelist()


def test_what_is_kept_beside_arrays_is_read_and_written_as_it_was():
    for kind, name in ((MapFacts, "p1"), (MeasurementFacts, "class_sensitivity")):
        kept = (OLD / "measured" / f"{name}.meta.json").read_text()
        assert json.dumps(kind.model_validate_json(kept).to_dict()) == kept


def test_what_is_no_record_is_not_found_and_not_deleted(web_server):
    store = web_server.app.state.store
    store.create("odd", {"id": "odd", "status": "done"})
    assert load_record(store, "odd") is None
    assert store.load("odd") == {"id": "odd", "status": "done"}


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def pixels_of(file: str) -> np.ndarray:
    return pixels((OLD / "measured" / file).read_bytes())
