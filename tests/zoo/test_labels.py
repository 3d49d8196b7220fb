"""Labels, the names of classes, and the search in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gradoscope.zoo.cards import Card, CardError
from gradoscope.zoo.labels import classes_named, imagenet, read_labels, search, similar_classes

IMAGENET = imagenet(1000)
assert IMAGENET is not None


def card(folder: Path = Path(), **given: object) -> Card:
    source = {"kind": "file", "file": "weights.pth"}
    return Card.model_validate(
        {"id": "x", "title": "x", "architecture": "x", "source": source, "folder": folder, **given}
    )


def test_imagenet() -> None:
    assert len(IMAGENET) == 1000
    assert "tench" in IMAGENET[0]
    assert "tabby" in IMAGENET[281]
    assert "Egyptian cat" in IMAGENET[285]
    assert "espresso" in IMAGENET[967]
    assert "toilet" in IMAGENET[999]
    assert read_labels(card(labels="imagenet-1k")) == IMAGENET
    assert len(imagenet(21841) or ()) == 21841
    assert imagenet(17) is None


def test_numbers_where_there_are_no_names() -> None:
    assert read_labels(card(classes=3)) == ("class 0", "class 1", "class 2")
    with pytest.raises(CardError, match="say `labels`"):
        read_labels(card())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "cat\nbig dog\n\n"),
        ("a.txt", "\ufeffcat\r\nbig dog\r\n"),
        ("a.json", '["cat", "big dog"]'),
        ("a.json", '{"1": "big dog", "0": "cat"}'),
        ("a.json", '{"cat": 0, "big dog": 1}'),
        ("a.json", '{"0": ["n01", "cat"], "1": ["n02", "big dog"]}'),
        ("config.json", '{"model_type": "resnet", "id2label": {"0": "cat", "1": "big dog"}, "label2id": {"cat": 0}}'),
        ("config.json", '{"num_labels": 2, "label2id": {"big dog": 1, "cat": 0}}'),
        ("config.json", '{"label_names": ["n1", "n2"], "label_descriptions": {"n1": "cat", "n2": "big dog"}}'),
    ],
)
def test_files(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode())
    assert read_labels(card(tmp_path, labels=name)) == ("cat", "big dog")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16"])
@pytest.mark.parametrize("name", ["a.txt", "a.json"])
def test_encodings(tmp_path: Path, name: str, encoding: str) -> None:
    labels = ("Füchsin", "éléphant")
    text = "\n".join(labels) if name == "a.txt" else json.dumps(labels, ensure_ascii=False)
    (tmp_path / name).write_bytes(text.encode(encoding))
    assert read_labels(card(tmp_path, labels=name)) == labels


def test_a_class_may_be_called_as_a_key_of_a_config(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"id2label": 1, "label_names": 0}')
    assert read_labels(card(tmp_path, labels="a.json")) == ("label_names", "id2label")


def test_a_class_by_its_label() -> None:
    assert classes_named(IMAGENET, "tiger cat") == [282]
    assert classes_named(IMAGENET, "Egyptian Cat") == [285]
    assert classes_named(IMAGENET, "Tinca tinca") == [0]  # one of the names of «tench, Tinca tinca»
    assert len(classes_named(IMAGENET, "crane")) == 2
    assert classes_named(IMAGENET, "cat") == []
    assert classes_named(("Ring", "ring"), "ring") == [1]
    assert classes_named(("big  dog", "e\u0301le\u0301phant"), "Éléphant") == [1]  # as macOS writes names of folders
    assert [label for _, label in similar_classes(IMAGENET, "tabby")][:1] == [IMAGENET[281]]
    assert similar_classes(IMAGENET, "expresso")[0] == (967, IMAGENET[967])
    assert similar_classes(tuple(map(str, range(10_000))), "9999") == []  # not searched: it would take long


@pytest.mark.parametrize(
    ("text", "given", "fault"),
    [
        ('{"0": "cat", "2": "dog"}', {}, "neither a JSON list nor an object by index"),
        ('"cat"', {}, "there is none|neither"),
        ("{", {}, "neither a JSON list"),
        ("[]", {}, "there is none"),
        ('["cat", "dog"]', {"classes": 3}, "2 labels for 3 classes"),
        ('["cat", "\\ud800"]', {}, "half of a surrogate pair"),
    ],
)
def test_faults(tmp_path: Path, text: str, given: dict[str, object], fault: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(CardError, match=fault):
        read_labels(card(tmp_path, labels="a.json", **given))


def test_file_that_is_not_there_or_has_a_hole(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"gone\.txt cannot be read \(No such file"):
        read_labels(card(tmp_path, labels="gone.txt"))
    (tmp_path / "a.txt").write_text("cat\n\ndog\n")
    with pytest.raises(CardError, match=r"line 2 of a.txt is empty"):
        read_labels(card(tmp_path, labels="a.txt"))


def test_a_hundred_thousand(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([f"species {i}" for i in range(100_000)]))
    labels = read_labels(card(tmp_path, labels="a.json"))
    assert search(labels, "99999", limit=1) == [(99_999, "species 99999")]


@pytest.mark.parametrize(
    ("query", "best"),
    [("tabby", 281), ("Egyptian  CAT", 285), ("espresso", 967), ("0", 0), ("281", 281), ("goldfish", 1), ("tench", 0)],
)
def test_best_match_comes_first(query: str, best: int) -> None:
    assert search(IMAGENET, query, limit=5)[0] == (best, IMAGENET[best])


def test_search() -> None:
    labels = ("cattle", "big cat", "cat", "scatter", "dog", "cat, house")
    assert [index for index, _ in search(labels, "cat", limit=9)] == [2, 5, 1, 0, 3]
    assert search(labels, "cat", limit=2) == [(2, "cat"), (5, "cat, house")]
    assert search(labels, " ", limit=2) == [(0, "cattle"), (1, "big cat")]
    assert search(labels, "zebra", limit=5) == []
    assert [index for index, _ in search(labels, "4", limit=5)] == [4]
