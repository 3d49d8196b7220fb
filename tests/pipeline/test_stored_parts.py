"""Parts are handed out alike, whichever version has stored them and in whichever store; new ones take fewer bytes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from gradoscope.contract.arrays import npy
from gradoscope.contract.packed_map import pack_map
from gradoscope.pipeline.archive import part_reader
from gradoscope.pipeline.model_input import png, scaled, scaled_png
from gradoscope.pipeline.stored_parts import as_png, is_webp, read_part, webp
from gradoscope.storage.object_store import LocalObjectStore
from gradoscope.storage.shared_store import SharedStore
from gradoscope.storage.store import Store
from PIL import Image

from tests.support.paths import sample
from tests.support.web_server import serving

RANDOM = np.random.default_rng(1)
VALUES = RANDOM.standard_normal((3, 32, 24)).astype(np.float32)
PICTURE = Image.open(io.BytesIO(sample("cat.jpg"))).convert("RGB")
ID = "0123456789abcdef0123456789abcdef"
OLD = {"image": png(PICTURE), "panel:p1": npy(VALUES), "input:m": png(PICTURE), "source": sample("cat.jpg")}
NEW = OLD | {"image": webp(PICTURE), "panel:p1": pack_map(VALUES)}


@pytest.fixture(params=["folder", "address"])
def store(tmp_path, request):
    if request.param == "folder":
        return Store(tmp_path / "store", max_bytes=10**8, max_age=3600)
    return SharedStore(LocalObjectStore(tmp_path / "shared"), max_bytes=10**8, max_age=3600, deadline=60)


def keep(store, parts):
    store.create(ID, {"id": ID, "status": "done"})
    for name, data in parts.items():
        store.put(ID, name, store.key(name), data, {})


def pixels(data):
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)


@pytest.mark.parametrize("parts", [OLD, NEW], ids=["earlier", "now"])
def test_parts_of_both_versions_are_handed_out_alike(store, parts):
    keep(store, parts)
    for read in (lambda name: read_part(store, ID, name), part_reader(store, ID)):
        assert read("panel:p1") == OLD["panel:p1"]
        assert (read("source"), read("input:m")) == (OLD["source"], OLD["input:m"])
        picture = read("image")
        assert picture.startswith(b"\x89PNG")
        assert np.array_equal(pixels(picture), np.asarray(PICTURE))
        assert read("panel:p2") is None


def test_what_is_kept_now_takes_fewer_bytes():
    assert len(NEW["image"]) < 0.8 * len(OLD["image"])
    assert len(NEW["panel:p1"]) < 0.87 * len(OLD["panel:p1"])


def test_another_explanation_uses_what_an_earlier_version_has_stored(store):
    """Its key is the same as before, so an upgrade computes nothing anew."""
    keep(store, OLD)
    store.create("other", {})
    assert store.attach("other", "panel:p1", store.key("panel:p1")) == {}
    assert read_part(store, "other", "panel:p1") == OLD["panel:p1"]
    assert store.forget(ID)
    assert read_part(store, "other", "panel:p1") == OLD["panel:p1"]


@pytest.mark.parametrize(
    ("name", "data"), [("panel:p1", b"nothing of a map"), ("image", b"RIFF\0\0\0\0WEBP and nothing more")]
)
def test_what_cannot_be_read_is_missing(store, name, data):
    keep(store, {name: data})
    assert read_part(store, ID, name) is None


def test_transparent_black_and_every_colour_come_back():
    colours = Image.fromarray(RANDOM.integers(0, 256, (61, 83, 3), dtype=np.uint8))
    assert is_webp(webp(colours))
    assert np.array_equal(pixels(as_png(webp(colours))), np.asarray(colours))
    assert Image.open(io.BytesIO(as_png(webp(colours)))).mode == "RGB"


def test_only_a_large_picture_is_scaled():
    assert scaled(PICTURE) is PICTURE
    large = Image.new("RGB", (3000, 1500), "red")
    assert scaled(large).size == (2048, 1024)
    assert large.size == (3000, 1500)
    assert scaled_png(PICTURE) == png(PICTURE)


@pytest.mark.parametrize("parts", [OLD, NEW], ids=["earlier", "now"])
def test_the_server_answers_with_the_same_pixels(tmp_path, parts):
    """As PNG to everybody, as it is stored to who accepts that."""
    with serving(tmp_path / "store") as server, server.client() as client:
        keep(server.app.state.store, parts)
        address = f"/api/v1/explanations/{ID}"
        plain = client.get(f"{address}/image.png")
        browser = client.get(f"{address}/image.png", headers={"accept": "image/avif,image/webp,*/*;q=0.8"})
        assert client.get(f"{address}/panels/p1.npy").content == OLD["panel:p1"]
    assert plain.headers["content-type"] == "image/png"
    assert browser.headers["content-type"] == ("image/png" if parts is OLD else "image/webp")
    for answer in (plain, browser):
        assert answer.status_code == 200
        assert answer.headers["vary"] == "accept"
        assert np.array_equal(pixels(answer.content), np.asarray(PICTURE))
    assert plain.headers["cache-control"] == "private, max-age=3600"
