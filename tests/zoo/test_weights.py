"""Weight files: where they lie, whether they are here, and what to do if they are not."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from gradoscope.settings import Settings
from gradoscope.zoo.paths import short_path
from gradoscope.zoo.weights import Hub, WeightFile, Weights, WeightsMissing, WrongWeights

DATA = b"weights"
HASH = hashlib.sha256(DATA).hexdigest()
FILE = WeightFile("checkpoints/a-12345678.pth", "https://host/models/a-12345678.pth", HASH[:8])


def weights(folder: Path, **more: object) -> Weights:
    return Weights(Settings(weights=folder, **more))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _no_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)


def put(path: Path, data: bytes = DATA) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_availability(tmp_path: Path) -> None:
    files = weights(tmp_path / "w")
    local = WeightFile(str(tmp_path / "mine.pth"), local=True)
    assert files.availability(FILE) == "downloadable"
    assert weights(tmp_path / "w", offline=True).availability(FILE) == "missing"
    assert files.availability(local) == "missing"
    path = put(tmp_path / "w" / FILE.name)
    put(tmp_path / "mine.pth")
    assert (files.availability(FILE), files.availability(local)) == ("ready", "ready")
    assert files.require(FILE, "a") == path


def test_files_in_the_caches_of_torch_and_the_hub_are_found(tmp_path: Path) -> None:
    files = weights(tmp_path / "w")
    path = put(tmp_path / "torch/hub/checkpoints/a-12345678.pth")
    assert files.find(FILE) == path
    hub = WeightFile("x", hub=Hub("timm/a.b")).pinned("c" * 40, HASH, None)
    assert files.find(hub) is None
    path = put(tmp_path / "hf/hub/models--timm--a.b/snapshots" / ("c" * 40) / "model.safetensors")
    assert files.find(hub) == path
    assert files.find(WeightFile("x", hub=Hub("timm/a.b"))) is None  # without a commit it cannot be looked up


def test_wrong_file_is_refused_by_name(tmp_path: Path) -> None:
    files = weights(tmp_path)
    path = put(tmp_path / FILE.name)
    assert files.verified(FILE, path, "a") == HASH
    put(path, b"other bytes")
    os.utime(path, (1, 1))
    with pytest.raises(WrongWeights, match=rf"a: a-12345678.pth is not what it should be.*expected {HASH[:8]}"):
        files.verified(FILE, path, "a")


def test_hash_is_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, path = weights(tmp_path), put(tmp_path / "a")
    files.sha256(path)
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert files.sha256(path) == HASH


def test_remedies(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsMissing, match=r"Run «gradoscope models pull a», or put a-12345678.pth from https://host"
    ):
        weights(tmp_path).require(FILE, "a")
    with pytest.raises(WeightsMissing, match=r"GRADOSCOPE_OFFLINE\): put a-12345678.pth from .* into .*/checkpoints/"):
        weights(tmp_path, offline=True).require(FILE, "a")
    with pytest.raises(WeightsMissing, match=r"mine.pth is not in .*correct `file` in the card"):
        weights(tmp_path).require(WeightFile(str(tmp_path / "mine.pth"), local=True), "a")
    with pytest.raises(WeightsMissing, match=r"copy .*/hub/ from there"):
        weights(tmp_path, offline=True).require(WeightFile("x", hub=Hub("timm/a.b")), "a")


def test_home_is_shown_as_people_write_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert short_path(Path("/home/ada/w/a")) == "~/w/a"
    assert short_path(Path("/home/adam/w")) == "/home/adam/w"
