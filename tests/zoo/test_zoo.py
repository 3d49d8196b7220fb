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
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("four")
    for name in "abcd":
        put(folder, name)
    return folder


def zoo(folder: Path | None = None, mib: float = 2048, **more: object) -> Zoo:
    return Zoo(Settings(device="cpu", models=folder, model_bytes=int(mib * MIB), **more))  # type: ignore[arg-type]


def test_real_one_is_channels_last_and_described() -> None:
    here = zoo()
    assert here.describe(LITE0).layers is None
    here.take_change()
    assert not here.take_change()
    model = here.load(LITE0)
    assert (here.take_change(), here.take_change()) == (True, False)
    assert here.load(LITE0) is model
    assert model.classifier.network.conv_stem.weight.is_contiguous(memory_format=torch.channels_last)
    said = here.describe(LITE0).to_dict()
    assert said["parameters"] == sum(p.numel() for p in model.classifier.parameters())
    assert said["layers"][-1] == {"name": "bn2", "shape": [1280, 7, 7], "default": True}
    assert [layer["default"] for layer in said["layers"][:-1]] == [False] * (len(said["layers"]) - 1)
    assert (said["availability"], said["accuracy"], said["channels"], said["fit"]) == ("ready", 75.1, 3, "crop")
    assert said["paper"]["url"] == "https://arxiv.org/abs/1905.11946"


def test_least_recently_used_goes_first(four: Path) -> None:
    here = zoo(four, 30)
    for name in "ab":
        here.load(name)
    here.load("a")
    here.load("c")
    assert here.loaded == ("a", "c")
    here.load("b")
    assert here.loaded == ("c", "b")
    assert here.describe("a").layers  # what was found out is kept


def test_cap_is_of_bytes(four: Path) -> None:
    for mib, most in ((14, 1), (30, 2), (45, 3), (60, 4)):
        here = zoo(four, mib)
        for name in "abcd":
            here.load(name)
            assert len(here.loaded) <= most
        assert len(here.loaded) == most


def test_larger_than_the_cap(four: Path) -> None:
    here = zoo(four, 10)
    with pytest.raises(OutOfMemory, match=r"a takes 14 MiB .* and 10 are allowed .*GRADOSCOPE_MODEL_BYTES"):
        here.load("a")
    with pytest.raises(OutOfMemory):
        here.request_room(["a"], object())


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
    error: Exception, where: str, four: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the card's nor the file's: it is 507, and the model can be had when there is memory again."""

    def fail(*arguments: object) -> None:
        raise error

    models = zoo(four)
    with monkeypatch.context() as patched:
        patched.setattr(where, fail)
        with pytest.raises(type(error)) as raised:
            models.load("a")
    assert as_problem(raised.value).status == 507
    assert models.loaded == ()
    models.load("a")


def test_what_is_held_stays(four: Path) -> None:
    here = zoo(four, 30)
    with here.hold(["a", "b"]):
        first = here.load("a")
        here.load("b")
        asker = object()
        assert not here.request_room(["c"], asker)  # nor ever forced: who asks waits
        assert here.request_room(["a"], object())
        assert here.load("a") is first
    assert here.request_room(["c"], asker)
    here.load("c")
    assert here.loaded == ("a", "c")
    with pytest.raises(KeyError), here.hold(["a"]):
        raise KeyError
    assert here.request_room(["b"], object())  # let go after an exception too


def test_who_waits_long_is_not_overtaken_for_ever(four: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(memory.time, "monotonic", lambda: now[0])
    here = zoo(four, 30)
    first, later = object(), object()
    with here.hold(["a", "b"]):
        assert not here.request_room(["c"], first)
        assert here.request_room(["a"], later)
        now[0] = memory.MAX_OVERTAKE_SECONDS + 1
        assert not here.request_room(["a"], later)  # now `first` has its turn next
    assert here.request_room(["c"], first)
    assert here.request_room(["a"], later)
    with here.hold(["a", "b"]):
        assert not here.request_room(["c"], first)
        now[0] *= 3
        here.withdraw_request(first)
        assert here.request_room(["b"], later)


def test_groups(four: Path) -> None:
    here = zoo(four, 30)
    assert here.groups("abcd") == [["a", "b"], ["c", "d"]]
    for name in "abcd":
        here.load(name)
    assert here.groups("abc") == [["a", "b"], ["c"]]
    assert zoo(four, 100).groups("abcd") == [list("abcd")]
    assert here.groups(()) == []


def test_file_written_anew_is_another_model(tmp_path: Path) -> None:
    put(tmp_path, "a")
    here = zoo(tmp_path)
    before = here.load("a")
    state = torch.load(tmp_path / "a.pth", weights_only=True)
    state["5.bias"] += 1
    torch.save(state, tmp_path / "a.pth")
    os.utime(tmp_path / "a.pth", (10, 10))
    after = here.load("a")
    assert after.classifier.fingerprint != before.classifier.fingerprint
    assert torch.equal(after.classifier.network[5].bias, before.classifier.network[5].bias + 1)  # type: ignore[index]
    assert here.load("a") is after


def test_cards_come_and_go(tmp_path: Path) -> None:
    here = zoo(tmp_path)
    put(tmp_path, "a")
    with pytest.raises(NotFound, match="There is no model «a»"):
        here.load("a")
    here.refresh()
    assert here.load("a").classifier.label(2) == "c"
    put(tmp_path, "a", more='licence = "MIT"')
    here.refresh()
    assert here.loaded == ()
    assert here.describe("a").licence == "MIT"
    (tmp_path / "a.toml").write_text("title = 3")
    here.refresh()
    with pytest.raises(CardError, match=r"a.toml: title"):
        here.load("a")
    assert [fault.card for fault in here.faulty_cards] == ["a.toml"]
    (tmp_path / "a.toml").unlink()
    here.refresh()
    assert not here.faulty_cards
    assert LITE0 in here.specs


def test_labels_file_that_was_mended_is_read_again(tmp_path: Path) -> None:
    put(tmp_path, "a")
    card = (tmp_path / "a.toml").read_text().replace('["a", "b", "c"]', '"names.txt"')
    (tmp_path / "a.toml").write_text(card)
    (tmp_path / "names.txt").write_text("x\ny\n")
    here = zoo(tmp_path)
    with pytest.raises(CardError, match=r"does not fit the architecture|2 labels|has 2"):
        here.load("a")
    (tmp_path / "names.txt").write_text("x\ny\nz\n")
    here.refresh()
    assert here.load("a").classifier.labels == ("x", "y", "z")
    (tmp_path / "names.txt").write_text("x\ny\nzebra\n")
    here.refresh()
    assert here.load("a").classifier.label(2) == "zebra"


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
    here = zoo(tmp_path)
    with pytest.raises(WeightsMissing, match=r"gone: the weight file gone.pth is not in"):
        here.load("gone")
    with pytest.raises(WrongWeights, match=r"hash: hash.pth is not what it should be"):
        here.load("hash")
    with pytest.raises(CardError, match=r"size.toml: the network does not take a picture of 3×48×48.*Correct `input`"):
        here.load("size")
    assert here.loaded == ()


def test_logits_and_labels_must_be_as_many(tmp_path: Path) -> None:
    put(tmp_path, "a", more="arguments = {num_classes = 3}")
    card = (tmp_path / "a.toml").read_text().replace('["a", "b", "c"]', '["a", "b"]')
    (tmp_path / "a.toml").write_text(card)
    with pytest.raises(CardError, match="the network answers with 3 logits, the card has 2 labels"):
        zoo(tmp_path).load("a")


def test_other_sizes(tmp_path: Path, four: Path) -> None:
    here = zoo(four)
    view = here.load("a", (24, 32))
    assert view.size == (24, 32)
    assert here.load("a", (24, 32)) is view
    assert here.load("a", (16, 16)) is here.load("a")
    assert view.classifier.network is here.load("a").classifier.network
    with pytest.raises(Unprocessable, match=r"size: a cannot take pictures of 2×2 .* Its own size is 16×16"):
        here.load("a", (2, 2))


def test_ids_without_a_card() -> None:
    with pytest.raises(Forbidden, match="GRADOSCOPE_DOWNLOADS=any"):
        zoo().spec("torchvision:resnet34")
    here = zoo(downloads="any")
    assert here.spec("torchvision:resnet34").labels[0] == "tench"
    assert here.take_change()
    assert "torchvision:resnet34" in here.specs  # listed from then on
    here.refresh()
    assert "torchvision:resnet34" in here.specs
    with pytest.raises(NotFound, match="no model «torchvision:resnet_of_dreams»"):
        here.spec("torchvision:resnet_of_dreams")


def test_weights_that_are_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsMissing, match="Run «gradoscope models pull resnet50»"):
        zoo(weights=tmp_path).load("resnet50")


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


def prepare(here: Zoo, name: str) -> BackendSelector:
    backend = here.load(name).backend
    backend.prepare()
    return backend


@pytest.mark.usefixtures("compiler")
def test_what_makes_models_quicker_is_counted_and_goes_first(four: Path) -> None:
    here = zoo(four, 60)
    bare = here.load("a") and here.bytes
    quick = prepare(here, "a")
    assert quick.bytes > 40 * MIB
    assert here.bytes == bare + quick.bytes
    here.load("b")
    assert here.loaded == ("a", "b")
    assert (quick.bytes, quick.backend.name) == (0, "plain")
    assert here.bytes == 2 * bare
    assert prepare(here, "b").bytes < MIB, "beside two models there is no room for a compiled one"
    assert here.bytes <= here.settings.model_bytes


@pytest.mark.usefixtures("compiler")
def test_a_backend_goes_with_its_model(four: Path) -> None:
    here = zoo(four, 60)
    quick = prepare(here, "a")
    assert quick.bytes > 40 * MIB
    (four / "a.pth").touch()  # another model, as far as the zoo can tell
    assert here.load("a").backend is not quick
    assert quick.bytes == 0
    assert here.bytes < 15 * MIB


def test_views_have_backends_of_their_own(four: Path) -> None:
    here = zoo(four, acceleration="pytorch")
    model, view = here.load("a"), here.load("a", (24, 32))
    assert model.backend is not view.backend
    before = here.bytes
    view.backend.prepare()
    assert here.bytes == before + view.backend.bytes > before


def test_trials_go_on_in_idle_moments(four: Path) -> None:
    """Nothing is begun unasked."""
    here = zoo(four)
    assert not here.advance_backends()
    here.load("a")
    assert not here.advance_backends()


def test_weights_that_cannot_be_used_are_told_until_the_file_changes(tmp_path: Path, caplog) -> None:
    put(tmp_path, "a")
    here = zoo(tmp_path)
    assert here.describe("a").availability == "ready"
    assert here.all_faulty_cards() == []
    good = (tmp_path / "a.pth").read_bytes()
    (tmp_path / "a.pth").write_bytes(good[: len(good) // 2])
    for _ in range(2):
        with pytest.raises(CardError):
            here.load("a")
    told = here.describe("a")
    assert told.availability == "missing"
    assert told.remedy is not None
    assert "a.pth" in told.remedy
    assert [fault.card for fault in here.all_faulty_cards()] == ["a.toml"]
    assert here.take_change()
    assert caplog.text.count("the weights of a cannot be used") == 1
    (tmp_path / "a.pth").write_bytes(good)
    assert here.describe("a").availability == "ready"
    assert here.all_faulty_cards() == []
    here.load("a")
    assert here.describe("a").availability == "ready"


def test_weights_that_may_not_be_read_are_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a")
    here = zoo(tmp_path)
    monkeypatch.setattr(weights.os, "access", lambda path, mode: "a.pth" not in str(path))
    told = here.describe("a")
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
    here, x = zoo(tmp_path), torch.rand(2, 3, 16, 16)
    for name, factor in {"by_name": 1, "by_place": 1, "by_function": 2}.items():
        mean, std = here.load(name).classifier.mean, here.load(name).classifier.std
        expected = factor * network.cls(((x - mean) / std).mean((2, 3)))
        assert torch.allclose(here.load(name).logits(x), expected, atol=1e-5)
        assert describe_model(here, name).notes == []
    prints = {here.load(name).classifier.fingerprint for name in ("by_name", "by_place", "by_function")}
    assert len(prints) == 3  # stored maps of another output are not taken for these
    here.load("shares")
    assert [note.code for note in describe_model(here, "shares").notes] == ["probabilities"]
    said = [(one.what, one.verdict) for one in check(tmp_path / "shares.toml", here.settings)]
    assert ("network", "note") in said
    assert "wrong" not in dict(said).values()
    for name, words in {
        "not_said": r"4 logits, the card has 3 labels.*it has box \(4\), cls \(3\), and «box» was taken",
        "not_there": r"no output «clas»; it has box: \(1, 4\), cls: \(1, 3\)\. Correct `output`",
        "no_function": "output: the module heads has no «logit»",
    }.items():
        with pytest.raises(CardError, match=words):
            here.load(name)
