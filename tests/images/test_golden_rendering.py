"""The server renders each map of golden_rendering.json with the palette entries and colours that the file has.

tests/page/test_page_rendering.py checks the same for the page.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from gradoscope.contract.arrays import reduce_channels
from gradoscope.images.render import draw, is_signed, palette_indices, scale_of
from PIL import Image

from tools.make_golden_rendering import OUT, text

CASES: list[dict[str, Any]] = json.loads(OUT.read_text("utf-8"))
IDS = ["-".join((c["name"], c["reduce"], c["palette"], f"{c['overlay'] or ''}")).replace(" ", "_") for c in CASES]


def test_the_file_is_what_the_reference_makes() -> None:
    assert text() == OUT.read_text("utf-8"), "run python -m tools.make_golden_rendering"


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_server_renders_by_the_rule(case: dict[str, Any]) -> None:
    values, signed = (
        reduce_channels(np.asarray(case["values"], np.float32).reshape(case["shape"]), case["reduce"]),
        is_signed(case["reduce"]),
    )
    scale = scale_of(values, case["palette"], case["percentile"], signed=signed)
    with np.errstate(all="raise", under="ignore"):
        assert palette_indices(values, scale).ravel().tolist() == case["indices"]
    under = None
    if case["overlay"] is not None:
        picture = np.asarray(case["picture"], np.uint8).reshape(*values.shape, 3)
        under = Image.fromarray(picture)
    drawn = draw(values, case["palette"], case["percentile"], under, case["overlay"] or 0.0, signed=signed)
    assert np.array_equal(
        np.asarray(drawn).reshape(-1, 3), np.array([list(bytes.fromhex(colour)) for colour in case["rgb"]])
    )
