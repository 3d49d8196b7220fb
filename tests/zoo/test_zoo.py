"""The zoo: cards may come and go, what is loaded is described, and what cannot be loaded is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from gradoscope.cli.check_card import check
from gradoscope.contract.problems import Forbidden, NotFound, Unprocessable
from gradoscope.pipeline.catalogue import describe_model
from gradoscope.settings import Settings
from gradoscope.zoo import weights
from gradoscope.zoo.cards import CardError
from gradoscope.zoo.loader import NoDevice, choose_device
from gradoscope.zoo.weights import WeightsMissing, WrongWeights
from gradoscope.zoo.zoo import Zoo

from tests.support.nets import Tiny
from tests.support.wide_models import CARD, make_zoo, put

LITE0 = "efficientnet_lite0"


def test_real_one_is_channels_last_and_described() -> None:
    zoo = make_zoo()
    assert zoo.describe(LITE0).layers is None
    zoo.pop_changed()
    assert not zoo.pop_changed()
    model = zoo.load(LITE0)
    assert (zoo.pop_changed(), zoo.pop_changed()) == (True, False)
    assert zoo.load(LITE0) is model
    assert model.classifier.network.conv_stem.weight.is_contiguous(memory_format=torch.channels_last)
    said = zoo.describe(LITE0).to_dict()
    assert said["parameters"] == sum(p.numel() for p in model.classifier.parameters())
    assert said["layers"][-1] == {"name": "bn2", "shape": [1280, 7, 7], "default": True}
    assert [layer["default"] for layer in said["layers"][:-1]] == [False] * (len(said["layers"]) - 1)
    assert (said["availability"], said["accuracy"], said["channels"], said["fit"]) == ("ready", 75.1, 3, "crop")
    assert said["paper"]["url"] == "https://arxiv.org/abs/1905.11946"


def test_file_written_anew_is_another_model(tmp_path: Path) -> None:
    put(tmp_path, "a")
    zoo = make_zoo(tmp_path)
    before = zoo.load("a")
    state = torch.load(tmp_path / "a.pth", weights_only=True)
    state["5.bias"] += 1
    torch.save(state, tmp_path / "a.pth")
    os.utime(tmp_path / "a.pth", (10, 10))
    after = zoo.load("a")
    assert after.classifier.fingerprint != before.classifier.fingerprint
    assert torch.equal(after.classifier.network[5].bias, before.classifier.network[5].bias + 1)  # type: ignore[index]
    assert zoo.load("a") is after


def test_cards_come_and_go(tmp_path: Path) -> None:
    zoo = make_zoo(tmp_path)
    put(tmp_path, "a")
    with pytest.raises(NotFound, match="There is no model «a»"):
        zoo.load("a")
    zoo.refresh()
    assert zoo.load("a").classifier.label(2) == "c"
    put(tmp_path, "a", more='licence = "MIT"')
    zoo.refresh()
    assert zoo.loaded == ()
    assert zoo.describe("a").licence == "MIT"
    (tmp_path / "a.toml").write_text("title = 3")
    zoo.refresh()
    with pytest.raises(CardError, match=r"a.toml: title"):
        zoo.load("a")
    assert [fault.card for fault in zoo.faulty_cards] == ["a.toml"]
    (tmp_path / "a.toml").unlink()
    zoo.refresh()
    assert not zoo.faulty_cards
    assert LITE0 in zoo.specs


def test_labels_file_that_was_mended_is_read_again(tmp_path: Path) -> None:
    put(tmp_path, "a")
    card = (tmp_path / "a.toml").read_text().replace('["a", "b", "c"]', '"names.txt"')
    (tmp_path / "a.toml").write_text(card)
    (tmp_path / "names.txt").write_text("x\ny\n")
    zoo = make_zoo(tmp_path)
    with pytest.raises(CardError, match=r"does not fit the architecture|2 labels|has 2"):
        zoo.load("a")
    (tmp_path / "names.txt").write_text("x\ny\nz\n")
    zoo.refresh()
    assert zoo.load("a").classifier.labels == ("x", "y", "z")
    (tmp_path / "names.txt").write_text("x\ny\nzebra\n")
    zoo.refresh()
    assert zoo.load("a").classifier.label(2) == "zebra"


def test_faults_of_a_card_that_can_be_read(tmp_path: Path) -> None:
    put(tmp_path, "gone", weights=False)
    put(tmp_path, "hash", more="")
    card = (
        (tmp_path / "hash.toml").read_text().replace('file = "hash.pth"', f'file = "hash.pth"\nsha256 = "{"0" * 64}"')
    )
    (tmp_path / "hash.toml").write_text(card)
    put(tmp_path, "size")
    tiny = Tiny().state_dict()
    torch.save(tiny, tmp_path / "size.pth")
    (tmp_path / "size.toml").write_text(
        CARD.format(name="size", more="").replace("wide_net:build", "fixed_net:build").replace("[16, 16]", "[48, 48]")
    )
    (tmp_path / "fixed_net.py").write_text(
        "from torch import nn\ndef build(): return nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 3))"
    )
    scope: dict[str, object] = {}
    exec((tmp_path / "fixed_net.py").read_text(), scope)
    torch.save(scope["build"]().state_dict(), tmp_path / "size.pth")  # type: ignore[operator]
    zoo = make_zoo(tmp_path)
    with pytest.raises(WeightsMissing, match=r"gone: the weight file gone.pth is not in"):
        zoo.load("gone")
    with pytest.raises(WrongWeights, match=r"hash: hash.pth is not what it should be"):
        zoo.load("hash")
    with pytest.raises(CardError, match=r"size.toml: the network does not take a picture of 3×48×48.*Correct `input`"):
        zoo.load("size")
    assert zoo.loaded == ()


def test_logits_and_labels_must_be_as_many(tmp_path: Path) -> None:
    put(tmp_path, "a", more="arguments = {num_classes = 3}")
    card = (tmp_path / "a.toml").read_text().replace('["a", "b", "c"]', '["a", "b"]')
    (tmp_path / "a.toml").write_text(card)
    with pytest.raises(CardError, match="the network answers with 3 logits, the card has 2 labels"):
        make_zoo(tmp_path).load("a")


def test_other_sizes(tmp_path: Path, four_models: Path) -> None:
    zoo = make_zoo(four_models)
    view = zoo.load("a", (24, 32))
    assert view.size == (24, 32)
    assert zoo.load("a", (24, 32)) is view
    assert zoo.load("a", (16, 16)) is zoo.load("a")
    assert view.classifier.network is zoo.load("a").classifier.network
    with pytest.raises(Unprocessable, match=r"size: a cannot take pictures of 2×2 .* Its own size is 16×16"):
        zoo.load("a", (2, 2))


def test_ids_without_a_card() -> None:
    with pytest.raises(Forbidden, match="GRADOSCOPE_DOWNLOADS=any"):
        make_zoo().spec("torchvision:resnet34")
    zoo = make_zoo(downloads="any")
    assert zoo.spec("torchvision:resnet34").labels[0] == "tench"
    assert zoo.pop_changed()
    assert "torchvision:resnet34" in zoo.specs  # listed from then on
    zoo.refresh()
    assert "torchvision:resnet34" in zoo.specs
    with pytest.raises(NotFound, match="no model «torchvision:resnet_of_dreams»"):
        zoo.spec("torchvision:resnet_of_dreams")


def test_weights_that_are_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsMissing, match="Run «gradoscope models pull resnet50»"):
        make_zoo(weights=tmp_path).load("resnet50")


def test_choose_device() -> None:
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type in ("cpu", "cuda")
    assert str(choose_device("cuda:1")) == "cuda:1"


def test_weights_that_cannot_be_used_are_told_until_the_file_changes(tmp_path: Path, caplog) -> None:
    put(tmp_path, "a")
    zoo = make_zoo(tmp_path)
    assert zoo.describe("a").availability == "ready"
    assert zoo.all_faulty_cards() == []
    good = (tmp_path / "a.pth").read_bytes()
    (tmp_path / "a.pth").write_bytes(good[: len(good) // 2])
    for _ in range(2):
        with pytest.raises(CardError):
            zoo.load("a")
    entry = zoo.describe("a")
    assert entry.availability == "missing"
    assert entry.remedy is not None
    assert "a.pth" in entry.remedy
    assert [fault.card for fault in zoo.all_faulty_cards()] == ["a.toml"]
    assert zoo.pop_changed()
    assert caplog.text.count("the weights of a cannot be used") == 1
    (tmp_path / "a.pth").write_bytes(good)
    assert zoo.describe("a").availability == "ready"
    assert zoo.all_faulty_cards() == []
    zoo.load("a")
    assert zoo.describe("a").availability == "ready"


def test_weights_that_may_not_be_read_are_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a")
    zoo = make_zoo(tmp_path)
    monkeypatch.setattr(weights.os, "access", lambda path, mode: "a.pth" not in str(path))
    entry = zoo.describe("a")
    assert entry.availability == "missing"
    assert entry.remedy is not None
    assert "chmod a+r a.pth" in entry.remedy


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(NoDevice, match="GRADOSCOPE_DEVICE=cuda:77"):
        Zoo(Settings(device="cuda:77"))


HEADS = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.box, self.cls = nn.Linear(3, 4), nn.Linear(3, 3)

    def forward(self, x):
        x = x.mean((2, 3))
        return {"box": self.box(x), "cls": self.cls(x)}

def build():
    return Net()

def logits_of(answer):
    return 2 * answer["cls"]

def shares_of(answer):
    return answer["cls"].softmax(1)
"""


def test_output_of_a_card(tmp_path: Path) -> None:
    (tmp_path / "heads.py").write_text(HEADS)
    scope: dict[str, object] = {}
    exec(HEADS, scope)
    network = scope["build"]()  # type: ignore[operator]
    torch.save(network.state_dict(), tmp_path / "one.pth")
    for name, more in {
        "by_name": 'output = "cls"', "by_place": "output = 1", "by_function": 'output = "heads:logits_of"',
        "shares": 'output = "heads:shares_of"',
        "not_said": "", "not_there": 'output = "clas"', "no_function": 'output = "heads:logit"',
    }.items():  # fmt: skip
        card = CARD.format(name="one", more=more).replace("wide_net:build", "heads:build")
        (tmp_path / f"{name}.toml").write_text(card)
    zoo, x = make_zoo(tmp_path), torch.rand(2, 3, 16, 16)
    for name, factor in {"by_name": 1, "by_place": 1, "by_function": 2}.items():
        mean, std = zoo.load(name).classifier.mean, zoo.load(name).classifier.std
        expected = factor * network.cls(((x - mean) / std).mean((2, 3)))
        assert torch.allclose(zoo.load(name).logits(x), expected, atol=1e-5)
        assert describe_model(zoo, name).notes == []
    prints = {zoo.load(name).classifier.fingerprint for name in ("by_name", "by_place", "by_function")}
    assert len(prints) == 3  # stored maps of another output are not taken for these
    zoo.load("shares")
    assert [note.code for note in describe_model(zoo, "shares").notes] == ["probabilities"]
    said = [(one.what, one.verdict) for one in check(tmp_path / "shares.toml", zoo.settings)]
    assert ("network", "note") in said
    assert "wrong" not in dict(said).values()
    for name, words in {
        "not_said": r"4 logits, the card has 3 labels.*it has box \(4\), cls \(3\), and «box» was taken",
        "not_there": r"no output «clas»; it has box: \(1, 4\), cls: \(1, 3\)\. Correct `output`",
        "no_function": "output: the module heads has no «logit»",
    }.items():
        with pytest.raises(CardError, match=words):
            zoo.load(name)
