"""Paths in messages: clients of a server do not learn where its folders are."""

from __future__ import annotations

from pathlib import Path

import pytest
from gradoscope.settings import Settings
from gradoscope.zoo import paths
from gradoscope.zoo.cards import read_cards
from gradoscope.zoo.weights import WeightFile, Weights


@pytest.fixture
def hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = Settings(weights=tmp_path / "w", models=tmp_path / "cards", store=tmp_path / "w" / "store")
    monkeypatch.setattr(paths, "_names", {})
    paths.hide_paths(settings)
    return settings


def test_folders_of_settings_are_named_by_them(hidden: Settings, tmp_path: Path) -> None:
    assert paths.short_path(tmp_path / "w" / "hub" / "a") == "GRADOSCOPE_WEIGHTS/hub/a"
    assert paths.short_path(tmp_path / "w" / "store" / "b") == "GRADOSCOPE_STORE/b"
    assert paths.short_path(tmp_path / "cards") == "GRADOSCOPE_MODELS"
    assert paths.short_path(tmp_path / "weights.pth") == "weights.pth"


@pytest.mark.parametrize("local", [False, True])
def test_what_to_do_names_no_folder_of_the_machine(hidden: Settings, tmp_path: Path, local: bool) -> None:
    name = str(tmp_path / "cards" / "net.pth") if local else "checkpoints/net.pth"
    remedy = Weights(hidden).remedy(WeightFile(name, "https://host.example/net.pth", local=local), "net")
    assert str(tmp_path) not in remedy
    assert ("GRADOSCOPE_MODELS" if local else "GRADOSCOPE_WEIGHTS/checkpoints") in remedy
    _, faults = read_cards(tmp_path / "cards")
    assert "GRADOSCOPE_MODELS" in faults[0].detail
    assert str(tmp_path) not in faults[0].detail


def test_a_folder_that_may_not_be_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: object) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("gradoscope.zoo.cards.os.listdir", denied)
    _, faults = read_cards(tmp_path)
    assert "cannot be read (Permission denied)" in faults[0].detail
