"""Records: the addresses in them, which become file names when they are written to a folder."""

from __future__ import annotations

import pytest
from gradoscope.contract.jobs import Explain
from gradoscope.images.input_spec import Input
from gradoscope.images.preprocess import preprocess
from gradoscope.pipeline.archive import with_file_names
from gradoscope.pipeline.model_input import ModelInput
from gradoscope.pipeline.records import input_record
from PIL import Image
from torch import zeros

from tests.support import contract
from tests.support.contract import explanation, panel_record


@pytest.mark.parametrize(
    ("model", "segment"),
    [("lite0", "lite0"), ("timm:resnet18.a1_in1k", "timm:resnet18.a1_in1k"), ("50 % #1?", "50%20%25%20%231%3F")],
)
def test_a_models_id_is_encoded_in_an_address(model, segment):
    """An id is the name of a card's file, so it may hold nearly anything; a colon stays as it was."""
    spec = Input(size=(8, 8))
    shown = ModelInput(model, spec, preprocess(Image.new("RGB", (8, 8)), spec), zeros(3, 8, 8), [], [])
    assert input_record(Explain("x", b""), shown).url == f"/api/v1/explanations/x/inputs/{segment}.png"


def test_a_record_in_a_folder_names_the_files_beside_it():
    record = explanation(
        "x", panel_record("p1", model="timm:a", method="f"), panel_record("p2", status="refused"),
        inputs=[contract.input_record("timm:a", url="/api/v1/explanations/x/inputs/timm:a.png")],
    )  # fmt: skip
    local = with_file_names(record)
    assert local.inputs[0].url == "inputs/timm_a.png"
    assert local.panels[0].urls.npy == "panels/p1-timm_a-f-0.npy"
    assert local.panels[0].urls.png == "panels/p1-timm_a-f-0.png"
    assert local.panels[1].urls.npy is None
    assert record.inputs[0].url.startswith("/api/v1")  # the record itself stays
