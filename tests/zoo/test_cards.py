"""Model cards: read from TOML, checked, and a fault says file, field and what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from gradoscope.errors import NotFound
from gradoscope.settings import Settings
from gradoscope.zoo.cards import CardError, find_card, read_card, read_cards

CARD = """
title = "A net"
architecture = "resnet18"
licence = "MIT"
classes = 7
[source]
kind = "embedded"
module = "a_package"
file_class = "AFile"
[input]
size = [64, 96]
"""


def write(folder: Path, text: str, name: str = "a-net.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_card(tmp_path: Path) -> None:
    card = read_card(write(tmp_path, CARD))
    assert (card.id, card.classes, card.input.size) == ("a-net", 7, (64, 96))
    assert card.input.interpolation == "bilinear"
    assert card.input.mean == (0.485, 0.456, 0.406)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("classes = 7", "classes = 0", "classes"),
        ("classes = 7", "", "classes: Field required"),
        ("classes = 7", "classes = 7\nheads = 2", "heads"),
        ("[64, 96]", "[64, 96, 3]", "input.size"),
        ("[64, 96]", "[4, 96]", "input.size.0"),
        ("[64, 96]", "[64, 96]\ncrop_fraction = 0", "input.crop_fraction"),
        ("[64, 96]", "[64, 96]\ncrop_fraction = nan", "input.crop_fraction"),
        ("[64, 96]", "[64, 96]\ninterpolation = 'cubic'", "input.interpolation"),
        ("[64, 96]", "[64, 96]\nmean = [0.5]", "input.mean"),
        ('kind = "embedded"', 'kind = "pickle"', "source"),
        ("classes = 7", "classes =", "a-net.toml: "),
    ],
)
def test_faults_name_the_field(tmp_path: Path, old: str, new: str, fault: str) -> None:
    with pytest.raises(CardError) as caught:
        read_card(write(tmp_path, CARD.replace(old, new)))
    assert caught.value.detail.startswith("a-net.toml: ")
    assert fault in caught.value.detail


def test_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CardError, match=r"b\.toml"):
        read_card(tmp_path / "b.toml")
    with pytest.raises(CardError, match=r"gone\.toml"):
        read_card(tmp_path / "gone.toml")


def test_folder_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b.toml", "a.toml", "c.txt"):
        write(tmp_path, CARD, name)
    cards = read_cards(tmp_path)
    assert list(cards) == ["a", "b"]
    assert find_card(cards, "b").id == "b"
    with pytest.raises(NotFound, match="a, b"):
        find_card(cards, "c")


def test_shipped_cards() -> None:
    """As timm's own configuration of the same networks has it."""
    import timm

    cards = read_cards(Settings().models)
    assert {"efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"} <= set(cards)
    for name in ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"):
        card, expected = cards[name], timm.get_pretrained_cfg(cards[name].architecture)
        assert card.input.size == expected.input_size[1:]
        assert (card.input.mean, card.input.std) == (expected.mean, expected.std)
        assert card.input.interpolation == expected.interpolation
        assert card.input.crop_fraction == pytest.approx(expected.crop_pct, abs=1e-9)
