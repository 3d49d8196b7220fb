"""Weights from an installed package, renamed by position and checked shape by shape."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from gradoscope.settings import Settings
from gradoscope.zoo.cards import Card, CardError, read_cards
from gradoscope.zoo.sources import available, embedded_file, load, rename_by_position
from nets import lite0, sample_pixels

CARDS = read_cards(Settings().models)


def card(**changes: object) -> Card:
    return CARDS["efficientnet_lite0"].model_copy(update=changes)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"])
def test_shipped_weights_fit(name: str) -> None:
    loaded = load(CARDS[name])
    assert available(CARDS[name])
    assert loaded.fingerprint == hashlib.sha256(embedded_file(CARDS[name].source).read_bytes()).hexdigest()
    given = torch.load(embedded_file(CARDS[name].source), weights_only=True)
    for value, expected in zip(loaded.network.state_dict().values(), given.values(), strict=True):
        assert torch.equal(value, expected)


def test_real_weights_know_what_they_see() -> None:
    """Measured once by hand: tiger cat 0.39, Egyptian cat 0.36, tabby 0.17; espresso 0.95."""
    with torch.no_grad():
        cat, espresso = (lite0()(sample_pixels(name)[None]).softmax(1)[0] for name in ("cat", "espresso"))
    assert [round(float(cat[i]), 2) for i in (282, 285, 281)] == pytest.approx([0.39, 0.36, 0.17], abs=0.02)
    assert int(espresso.argmax()) == 967
    assert float(espresso.max()) == pytest.approx(0.95, abs=0.02)


def tensors(**shapes: tuple[int, ...]) -> dict[str, torch.Tensor]:
    return {name.replace("_", ".", 1): torch.rand(shape) for name, shape in shapes.items()}


def test_rename_by_position() -> None:
    expected = tensors(conv_weight=(4, 3), bn_running_mean=(4,))
    given = tensors(a_weight=(4, 3), b_running_mean=(4,))
    renamed = rename_by_position(expected, given, "x")
    assert list(renamed) == list(expected)
    assert renamed["conv.weight"] is given["a.weight"]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (tensors(a_weight=(4, 3)), "hold 1 tensors, the architecture has 2"),
        (tensors(a_weight=(3, 4), b_bias=(4,)), r"a.weight \(3, 4\) does not fit conv.weight \(4, 3\)"),
        (tensors(a_bias=(4,), b_weight=(4, 3)), "does not fit"),
        (tensors(a_weight=(4, 3), b_running_mean=(4,)), "does not fit"),
        (tensors(a_weight=(4, 3), b_bias=(4, 1)), "does not fit"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, torch.Tensor], fault: str) -> None:
    with pytest.raises(CardError, match=fault):
        rename_by_position(tensors(conv_weight=(4, 3), conv_bias=(4,)), given, "x")


def test_package_that_is_not_there() -> None:
    source = card().source.model_copy(update={"module": "no_such_package"})
    with pytest.raises(CardError, match="pip install no-such-package"):
        embedded_file(source)
    assert not available(card(source=source))


def test_architecture_that_does_not_exist_or_does_not_fit() -> None:
    with pytest.raises(CardError, match="no «resnet_of_dreams»"):
        load(card(architecture="resnet_of_dreams"))
    with pytest.raises(CardError, match="tensors"):
        load(card(architecture="resnet18"))
    with pytest.raises(CardError, match="does not fit"):
        load(card(classes=10))


class Payload:
    """What a malicious pickle does when it is read."""

    def __reduce__(self):  # type: ignore[no-untyped-def]
        return print, ("the pickle ran",)


def test_pickles_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"a": Payload()}, path)
    package = ModuleType("a_bad_package")
    package.File = SimpleNamespace(get_model_file_path=lambda: str(path))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_bad_package", package)
    source = card().source.model_copy(update={"module": "a_bad_package", "file_class": "File"})
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        load(card(source=source))
    assert "the pickle ran" not in capsys.readouterr().out
