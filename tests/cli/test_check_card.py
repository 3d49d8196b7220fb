"""`gradoscope models check`: the picture is read as a server reads it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from gradoscope.cli import check_card
from gradoscope.settings import Settings
from PIL import Image

from tests.zoo.test_own_model import add_small


def test_a_picture_is_decoded_as_a_server_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turned by its EXIF orientation, and its 16 bits scaled."""
    values = np.random.default_rng(0).integers(0, 2**16, (40, 56), dtype=np.uint16)
    exif = Image.Exif()
    exif[0x0112] = 3
    out = io.BytesIO()
    Image.fromarray(values[::-1, ::-1].copy()).save(out, "PNG", exif=exif)
    given, preprocess = [], check_card.preprocess
    monkeypatch.setattr(
        check_card, "preprocess", lambda picture, spec: given.append(picture) or preprocess(picture, spec)
    )
    results = check_card.check(add_small(tmp_path, "odd_size"), Settings(device="cpu"), out.getvalue())
    assert next(result.verdict for result in results if result.what == "answer") == "ok"
    expected = np.round(values / 257).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(given[0]), np.repeat(expected[:, :, None], 3, axis=2))


def test_a_map_of_zeros_says_what_it_means(tmp_path: Path) -> None:
    """All weights of the head are negative, so ReLU leaves nothing of Grad-CAM."""
    card = add_small(tmp_path, "odd_size")
    weights = torch.load(card.with_suffix(".pt"))
    weights["7.weight"] = -weights["7.weight"].abs()
    torch.save(weights, card.with_suffix(".pt"))
    (cam,) = (result for result in check_card.check(card, Settings(device="cpu"), None) if result.what == "grad_cam")
    assert cam.verdict == "note"
    assert "relu = false" in cam.detail
