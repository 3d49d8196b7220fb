"""Model cards: read from TOML and checked; a fault names the file, the field and what is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from gradoscope.settings import Settings, shipped
from gradoscope.zoo.cards import CardError, Embedded, File, read_card, read_cards

CARD = """
title = "A net"
architecture = "resnet18"
licence = "MIT"
classes = 7
[source]
kind = "embedded"
module = "a_package"
file_class = "AFile"  # has get_model_file_path()
[input]
size = [64, 96]
"""


def write(folder: Path, text: str, name: str = "a-net.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_card(tmp_path: Path) -> None:
    card = read_card(write(tmp_path, CARD))
    assert (card.id, card.classes, card.folder) == ("a-net", 7, tmp_path)
    assert isinstance(card.source, Embedded)
    assert card.input is not None
    assert (card.input.size, card.input.interpolation, card.input.fit) == ((64, 96), "bilinear", "crop")
    assert card.input.mean == (0.485, 0.456, 0.406)


def test_shortest_card(tmp_path: Path) -> None:
    text = 'title = "Mine"\narchitecture = "resnet18"\nlabels = ["a", "b"]\nsource = {kind = "file", file = "m.pth"}'
    card = read_card(write(tmp_path, text))
    assert card.labels == ("a", "b")
    assert isinstance(card.source, File)
    assert card.source.key is None
    assert card.licence == "not stated"


def test_one_number_stands_for_all(tmp_path: Path) -> None:
    input = read_card(write(tmp_path, CARD.replace("[64, 96]", "64\nmean = 0.5\nstd = 0.25"))).input
    assert input is not None
    assert (input.size, input.mean, input.std) == ((64, 64), (0.5,) * 3, (0.25,) * 3)


def test_one_channel(tmp_path: Path) -> None:
    grey = CARD + "channels = 1\n"
    card = read_card(write(tmp_path, grey))
    assert card.input is not None
    assert (card.input.mean, card.input.std) == ((0.5,), (0.5,))
    assert read_card(write(tmp_path, grey + "mean = [0.13]\nstd = [0.3]\n")).input.mean == (0.13,)  # type: ignore[union-attr]
    with pytest.raises(CardError, match="input: mean has 3 values, the input has 1 channels"):
        read_card(write(tmp_path, grey + "mean = [0.1, 0.1, 0.1]\n"))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("classes = 7", "classes = 0", "classes"),
        ("classes = 7", "classes = 100001", "classes"),
        ("classes = 7", "classes = 7\nheads = 2", "heads"),
        ("[64, 96]", "[64, 96, 3]", "input.size"),
        ("[64, 96]", "[4, 96]", "input.size.0"),
        ("[64, 96]", "[64, 96]\ncrop_fraction = 0", "input.crop_fraction"),
        ("[64, 96]", "[64, 96]\ncrop_fraction = nan", "input.crop_fraction"),
        ("[64, 96]", "[64, 96]\ninterpolation = 'cubic'", "input.interpolation"),
        ("[64, 96]", "[64, 96]\nfit = 'stretch'", "input.fit"),
        ("[64, 96]", "[64, 96]\nchannels = 4", "input.channels"),
        ("[64, 96]", "[64, 96]\nmean = [0.5]", "mean has 1 values, the input has 3 channels"),
        ("[64, 96]", "[64, 96]\nstd = [1, 1, 0]", "input.std.2"),
        ("[64, 96]", "[64, 96]\nmean = [123.7, 116.3, 103.5]", "mean is of pixel values in [0, 1]"),
        ("[64, 96]", "[64, 96]\nstd = 58", "std is of pixel values in [0, 1]"),
        ('licence = "MIT"', 'url = "javascript:alert(1)"', "url: must be an address that begins with http"),
        (
            'kind = "embedded"',
            'kind = "embedded"\n[paper]\ntitle = "x"\nurl = "data:text/html,x"',
            "paper.url: must be an address that begins with http:// or https://",
        ),
        ('kind = "embedded"', 'kind = "pickle"', "source.kind: must be one of embedded, torchvision, timm, file"),
        ('kind = "embedded"', 'kind = "embedded"\nlicence = "MIT"', "source.licence: belongs to the top of the card"),
        (
            'kind = "embedded"',
            'kind = "embedded"\nmodul = "x"',
            "source.modul: there is no such field; did you mean `module`",
        ),
        ('licence = "MIT"', 'licens = "MIT"', "licens: there is no such field; did you mean `licence`?"),
        ('title = "A net"', "", "title: is missing"),
        ('kind = "embedded"', 'kind = "timm"\nrevision = "main"', "revision"),
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


def test_folders(tmp_path: Path) -> None:
    """In the order of names; a later folder's card wins; a broken card is reported and the others are read."""
    shipped_folder, own = tmp_path / "shipped", tmp_path / "own"
    for folder in (shipped_folder, own):
        folder.mkdir()
    for name in ("b.toml", "a.toml", "c.txt"):
        write(shipped_folder, CARD, name)
    write(own, CARD.replace("A net", "My net"), "a.toml")
    write(own, "title = 3", "broken.toml")
    cards, faults = read_cards(shipped_folder, own)
    assert list(cards) == ["a", "b"]
    assert cards["a"].title == "My net"
    assert [fault.card for fault in faults] == ["broken.toml"]
    assert "broken.toml: title" in faults[0].detail
    assert "There is no folder" in read_cards(tmp_path / "there_is_none")[1][0].detail
    write(own, "", "b.toml")
    assert list(read_cards(shipped_folder, own)[0]) == ["a"]  # and not the shipped one in its place


def test_shipped_cards() -> None:
    """At least 24, each with licence and paper; the embedded ones as timm's own configuration has them."""
    import timm

    cards, faults = read_cards(*Settings().card_folders)
    assert not faults
    assert len(cards) == len(list(shipped("models").glob("*.toml"))) >= 24
    assert all(card.paper and card.licence != "not stated" for card in cards.values())
    for name in ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"):
        card, expected = cards[name], timm.get_pretrained_cfg(cards[name].architecture)
        assert card.input is not None
        assert card.input.size == expected.input_size[1:]
        assert (card.input.mean, card.input.std) == (expected.mean, expected.std)
        assert card.input.interpolation == expected.interpolation
        assert card.input.crop_fraction == pytest.approx(expected.crop_pct, abs=1e-9)


@pytest.mark.parametrize("levels", [40, 600, 5000])
def test_a_card_that_is_nested_deep_is_refused_by_name(tmp_path: Path, levels: int) -> None:
    """By brackets and by dots; the other cards are read."""
    write(tmp_path, CARD, "good.toml")
    write(
        tmp_path,
        CARD.replace("[source]", f"arguments = {{ a = {'[' * levels}{']' * levels} }}\n[source]"),
        "brackets.toml",
    )
    write(tmp_path, CARD.replace("[source]", f"arguments.{'.'.join(['a'] * levels)} = 1\n[source]"), "dots.toml")
    cards, faults = read_cards(tmp_path)
    assert list(cards) == ["good"]
    assert [fault.card for fault in faults] == ["brackets.toml", "dots.toml"]
    assert all("more than 32 levels" in fault.detail for fault in faults)


def test_a_card_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xef\xbb\xbf" + CARD.replace("\n", "\r\n").encode())
    assert read_card(tmp_path / "mine.toml").title


def test_an_unreadable_card_is_reported_without_the_path_of_its_folder(tmp_path: Path) -> None:
    """A folder, a link that leads nowhere, and a name that is no UTF-8."""
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "gone.toml").symlink_to(tmp_path / "nowhere")
    with open(os.fsencode(tmp_path) + b"/\xff.toml", "w") as file:
        file.write(CARD)
    cards, faults = read_cards(tmp_path)
    assert cards == {}
    assert [fault.card for fault in faults] == ["folder.toml", "gone.toml", "?.toml"]
    for fault, said in zip(faults, ("Is a directory", "No such file", "no UTF-8"), strict=True):
        assert said in fault.detail
        assert str(tmp_path) not in fault.detail
