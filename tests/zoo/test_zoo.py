"""The zoo: what is loaded stays under a cap of bytes, what is held stays loaded, cards may come and go."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from gradoscope.attribution.backends.backend import Backend
from gradoscope.attribution.backends.selection import BackendSelector
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.gradients import take_gradients
from gradoscope.attribution.score import Score
from gradoscope.cli.check_card import check
from gradoscope.contract.problems import Forbidden, NotFound, OutOfMemory, Unprocessable
from gradoscope.pipeline.catalogue import describe_model
from gradoscope.pipeline.problems import as_problem
from gradoscope.settings import Settings
from gradoscope.zoo import memory, weights
from gradoscope.zoo.cards import CardError
from gradoscope.zoo.loader import NoDevice, choose_device
from gradoscope.zoo.weights import WeightsMissing, WrongWeights
from gradoscope.zoo.zoo import Zoo
from torch import Tensor

from tests.support.nets import Tiny

LITE0, LITE1 = "efficientnet_lite0", "efficientnet_lite1"
MIB = 2**20
CARD = """
title = "{name}"
architecture = "wide_net:build"
labels = ["a", "b", "c"]
{more}
[source]
kind = "file"
file = "{name}.pth"
[input]
size = [16, 16]
"""
NET = """
from torch import nn

def build(num_classes=3, width=300_000):
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, width),
                         nn.Linear(width, num_classes))
"""  # 13.7 MiB of parameters


def put(folder: Path, name: str, more: str = "", weights: bool = True) -> None:
    (folder / "wide_net.py").write_text(NET)
    (folder / f"{name}.toml").write_text(CARD.format(name=name, more=more))
    if weights:
        scope: dict[str, object] = {}
        exec(NET, scope)
        torch.manual_seed(sum(map(ord, name)))
        torch.save(scope["build"]().state_dict(), folder / f"{name}.pth")  # type: ignore[operator]


@pytest.fixture(scope="module")
def four_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("four")
    for name in "abcd":
        put(folder, name)
    return folder


def make_zoo(folder: Path | None = None, mib: float = 2048, **more: object) -> Zoo:
    return Zoo(Settings(device="cpu", models=folder, model_bytes=int(mib * MIB), **more))  # type: ignore[arg-type]


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


def test_least_recently_used_goes_first(four_models: Path) -> None:
    zoo = make_zoo(four_models, 30)
    for name in "ab":
        zoo.load(name)
    zoo.load("a")
    zoo.load("c")
    assert zoo.loaded == ("a", "c")
    zoo.load("b")
    assert zoo.loaded == ("c", "b")
    assert zoo.describe("a").layers  # what was found out is kept


def test_cap_is_of_bytes(four_models: Path) -> None:
    for mib, most in ((14, 1), (30, 2), (45, 3), (60, 4)):
        zoo = make_zoo(four_models, mib)
        for name in "abcd":
            zoo.load(name)
            assert len(zoo.loaded) <= most
        assert len(zoo.loaded) == most


def test_larger_than_the_cap(four_models: Path) -> None:
    zoo = make_zoo(four_models, 10)
    with pytest.raises(OutOfMemory, match=r"a takes 14 MiB .* and 10 are allowed .*GRADOSCOPE_MODEL_BYTES"):
        zoo.load("a")
    with pytest.raises(OutOfMemory):
        zoo.request_room(["a"], object())


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: tried 9 bytes."),
    ],
)
@pytest.mark.parametrize("where", ["torch.nn.Linear.forward", "gradoscope.zoo.checkpoint._check_first_bytes"])
def test_memory_that_runs_out_is_nobodys_fault(
    error: Exception, where: str, four_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the card's nor the file's: it is 507, and the model can be had when there is memory again."""

    def fail(*arguments: object) -> None:
        raise error

    models = make_zoo(four_models)
    with monkeypatch.context() as patched:
        patched.setattr(where, fail)
        with pytest.raises(type(error)) as raised:
            models.load("a")
    assert as_problem(raised.value).status == 507
    assert models.loaded == ()
    models.load("a")


def test_what_is_held_stays(four_models: Path) -> None:
    zoo = make_zoo(four_models, 30)
    with zoo.hold(["a", "b"]):
        first = zoo.load("a")
        zoo.load("b")
        asker = object()
        assert not zoo.request_room(["c"], asker)  # nor ever forced: who asks waits
        assert zoo.request_room(["a"], object())
        assert zoo.load("a") is first
    assert zoo.request_room(["c"], asker)
    zoo.load("c")
    assert zoo.loaded == ("a", "c")
    with pytest.raises(KeyError), zoo.hold(["a"]):
        raise KeyError
    assert zoo.request_room(["b"], object())  # let go after an exception too


def test_who_waits_long_is_not_overtaken_for_ever(four_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(memory.time, "monotonic", lambda: now[0])
    zoo = make_zoo(four_models, 30)
    first, later = object(), object()
    with zoo.hold(["a", "b"]):
        assert not zoo.request_room(["c"], first)
        assert zoo.request_room(["a"], later)
        now[0] = memory.MAX_OVERTAKE_SECONDS + 1
        assert not zoo.request_room(["a"], later)  # now `first` has its turn next
    assert zoo.request_room(["c"], first)
    assert zoo.request_room(["a"], later)
    with zoo.hold(["a", "b"]):
        assert not zoo.request_room(["c"], first)
        now[0] *= 3
        zoo.withdraw_request(first)
        assert zoo.request_room(["b"], later)


def test_groups(four_models: Path) -> None:
    zoo = make_zoo(four_models, 30)
    assert zoo.groups("abcd") == [["a", "b"], ["c", "d"]]
    for name in "abcd":
        zoo.load(name)
    assert zoo.groups("abc") == [["a", "b"], ["c"]]
    assert make_zoo(four_models, 100).groups("abcd") == [list("abcd")]
    assert zoo.groups(()) == []


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


class Quick(Backend):
    """Stands for a compiled backend: it is quick because it knows its answers."""

    name, sizes = "compiled", (4,)

    def __init__(self, classifier: Classifier, batch: int) -> None:
        self.classifier, self.known = classifier, {}

    def gradients(self, pictures: Tensor, score: Score) -> Tensor:
        key = pictures.numpy().tobytes()
        if key not in self.known:
            self.known[key] = take_gradients(self.classifier, pictures, score)
        return self.known[key]


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradoscope.attribution.backends.selection.CompiledBackend", Quick)
    monkeypatch.setattr("gradoscope.attribution.backends.selection.available", lambda classifier: True)


def prepare(zoo: Zoo, name: str) -> BackendSelector:
    backend = zoo.load(name).backend
    backend.prepare()
    return backend


@pytest.mark.usefixtures("compiler")
def test_what_makes_models_quicker_is_counted_and_goes_first(four_models: Path) -> None:
    zoo = make_zoo(four_models, 60)
    bare = zoo.load("a") and zoo.bytes
    quick = prepare(zoo, "a")
    assert quick.bytes > 40 * MIB
    assert zoo.bytes == bare + quick.bytes
    zoo.load("b")
    assert zoo.loaded == ("a", "b")
    assert (quick.bytes, quick.backend.name) == (0, "plain")
    assert zoo.bytes == 2 * bare
    assert prepare(zoo, "b").bytes < MIB, "beside two models there is no room for a compiled one"
    assert zoo.bytes <= zoo.settings.model_bytes


@pytest.mark.usefixtures("compiler")
def test_a_backend_goes_with_its_model(four_models: Path) -> None:
    zoo = make_zoo(four_models, 60)
    quick = prepare(zoo, "a")
    assert quick.bytes > 40 * MIB
    (four_models / "a.pth").touch()  # another model, as far as the zoo can tell
    assert zoo.load("a").backend is not quick
    assert quick.bytes == 0
    assert zoo.bytes < 15 * MIB


def test_views_have_backends_of_their_own(four_models: Path) -> None:
    zoo = make_zoo(four_models, acceleration="pytorch")
    model, view = zoo.load("a"), zoo.load("a", (24, 32))
    assert model.backend is not view.backend
    before = zoo.bytes
    view.backend.prepare()
    assert zoo.bytes == before + view.backend.bytes > before


def test_trials_go_on_in_idle_moments(four_models: Path) -> None:
    """Nothing is begun unasked."""
    zoo = make_zoo(four_models)
    assert not zoo.advance_backends()
    zoo.load("a")
    assert not zoo.advance_backends()


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
    told = zoo.describe("a")
    assert told.availability == "missing"
    assert told.remedy is not None
    assert "a.pth" in told.remedy
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
    told = zoo.describe("a")
    assert told.availability == "missing"
    assert told.remedy is not None
    assert "chmod a+r a.pth" in told.remedy


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
