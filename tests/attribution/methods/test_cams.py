"""The family of class activation maps: by hand, against pytorch-grad-cam and torchcam, and in one shared pass."""

from __future__ import annotations

import copy
from functools import lru_cache

import numpy as np
import pytest
import pytorch_grad_cam as grad_cam
import torch
import torchcam.methods as torchcam
import torchvision.models as tv
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.counters import counters
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.errors import InvalidParameter
from gradoscope.attribution.inspection import inspection_of
from gradoscope.attribution.methods.base import find_method, methods
from gradoscope.attribution.methods.cams import CamMethod, enlarged
from gradoscope.attribution.score import Score
from gradoscope.attribution.shared_forward import ForwardPass, SharedEngine
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from tests.attribution.methods.test_parity import CAT, LEAF, SIDE, cat, out_of_place
from tests.support.cam_formulas import features_and_gradients, grad_cam_plus_plus
from tests.support.nets import Tiny, classifier, explain, lite0, random_picture, relative, wrap

CAMS = [id for id, method in methods().items() if isinstance(method, CamMethod)]
ONE_GRADIENT = [id for id in CAMS if id != "shapley_cam"]  # whose second gradient has a test of its own
CLOSE = 1e-4  # of maps from 0 to 1
MODELS = ("lite0", "resnet18", "vgg11_bn")
PEERS = {
    "grad_cam": grad_cam.GradCAM,
    "grad_cam_plus_plus": grad_cam.GradCAMPlusPlus,
    "xgrad_cam": grad_cam.XGradCAM,
    "hires_cam": grad_cam.HiResCAM,
    "layer_cam": grad_cam.LayerCAM,
}
TORCHCAM = {"grad_cam": torchcam.GradCAM, "xgrad_cam": torchcam.XGradCAM, "layer_cam": torchcam.LayerCAM}


@lru_cache
def model(name: str) -> Classifier:
    if name == "lite0":
        return lite0()
    if name == "resnet18":
        return classifier(name, SIDE)
    torch.manual_seed(0)  # VGG-11 with batch normalisation, and one linear layer instead of 500 MB of them
    features = tv.vgg.make_layers(tv.vgg.cfgs["A"], batch_norm=True)
    return wrap(nn.Sequential(features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)), SIDE, 1000)


class Louder(nn.Module):
    """A network with every logit times `factor`."""

    def __init__(self, network: nn.Module, factor: float) -> None:
        super().__init__()
        self.network, self.factor = network, factor

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x) * self.factor
        return logits


def normalised(map: Tensor) -> Tensor:
    """From 0 to 1, as both peers have their maps."""
    return (map - map.min()) / (map.max() - map.min())


def of_grad_cam(peer: type, network: Classifier, x: Tensor, *layers: str, target: int = CAT) -> Tensor:
    """A peer's map, (1, H, W), from 0 to 1."""
    with out_of_place(network), peer(network, [network.network.get_submodule(layer) for layer in layers]) as cam:
        found = cam(x[None].clone().requires_grad_(), [ClassifierOutputTarget(target)])
    return torch.from_numpy(np.asarray(found))


def apart(actual: Tensor, expected: Tensor) -> float:
    """The largest distance of two maps from 0 to 1; infinite where ours is the same everywhere."""
    if float(actual.max()) == float(actual.min()):
        return float("inf")
    return float((normalised(actual) - normalised(expected)).abs().max())


@LEAF
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("method", ["grad_cam", "xgrad_cam", "hires_cam", "layer_cam"])
def test_against_grad_cam(method: str, name: str) -> None:
    actual = explain(method, model(name), cat(name), score=Score(CAT))
    assert apart(actual.values, of_grad_cam(PEERS[method], model(name), cat(name), actual.diagnostics["layer"])) < CLOSE


@LEAF
@pytest.mark.parametrize("name", MODELS)
def test_grad_cam_plus_plus_against_grad_cam(name: str) -> None:
    """Of a louder network, whose gradients are so large that the peer's 1e-6 in the denominator plays no part."""
    quiet = model(name)
    louder = Classifier(Louder(quiet, 1e4), size=quiet.size, labels=quiet.labels)
    actual = explain("grad_cam_plus_plus", louder, cat(name), score=Score(CAT))
    assert (
        apart(actual.values, of_grad_cam(PEERS["grad_cam_plus_plus"], louder, cat(name), actual.diagnostics["layer"]))
        < CLOSE
    )


@pytest.mark.parametrize("name", MODELS)
def test_grad_cam_plus_plus_by_its_formula(name: str) -> None:
    """In float64, of the network as it is: where gradients are small too."""
    network, x = copy.deepcopy(model(name)).double(), cat(name).double()
    actual = explain("grad_cam_plus_plus", network, x, score=Score(CAT))
    features, gradients, score = features_and_gradients(network, x, actual.diagnostics["layer"], CAT)
    expected = grad_cam_plus_plus(features[0], gradients[0], score).relu()
    assert relative(actual.values, enlarged(expected[None, None], x[None])[0]) < 1e-9


@LEAF
@pytest.mark.parametrize("name", MODELS)
def test_eigen_cam_against_grad_cam(name: str) -> None:
    """Whose sign is that of the singular vector, which is undetermined; and which cuts at zero."""
    actual = explain("eigen_cam", model(name), cat(name), score=Score(CAT), relu=False)
    layer = actual.diagnostics["layer"]
    features, _ = Engine(model(name), Score(CAT)).features(cat(name)[None], layer)
    projection = grad_cam.EigenCAM.get_cam_image(None, None, None, None, features.numpy(), None, False)
    expected = enlarged(torch.from_numpy(projection)[None], cat(name)[None])[0]
    total = enlarged(features.sum(1, keepdim=True), cat(name)[None])[0]
    assert float(torch.corrcoef(torch.stack([actual.values.flatten(), total.flatten()]))[0, 1]) > 0
    assert apart(actual.values, expected if float((expected * actual.values).sum()) > 0 else -expected) < CLOSE


@LEAF
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("method", sorted(TORCHCAM))
def test_against_torchcam(method: str, name: str) -> None:
    """But Grad-CAM++, whose division has no effect in torchcam: see the docstring of ours."""
    network, x = model(name), cat(name)
    actual = explain(method, network, x, score=Score(CAT))
    layer = network.network.get_submodule(actual.diagnostics["layer"])
    with out_of_place(network), TORCHCAM[method](network, layer) as extractor:
        (small,) = extractor(CAT, network(x[None].clone().requires_grad_()))
    assert apart(actual.values, enlarged(small[None], x[None])[0]) < CLOSE


def by_hand() -> tuple[Tensor, Tensor]:
    """A and G of two channels of 1 × 2 places."""
    return torch.tensor([[[[1.0, 3.0]], [[2.0, -2.0]]]]), torch.tensor([[[[0.5, -1.0]], [[0.25, 1.0]]]])


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("grad_cam", [-0.25 * 1 + 0.625 * 2, -0.25 * 3 - 0.625 * 2]),
        # channel 0: ΣA = 4, α = 1 / (2 + 4 · 0.5), w = 0.25 · 0.5; channel 1: ΣA = 0, α = ½, w = ½ (0.25 + 1)
        ("grad_cam_plus_plus", [0.125 * 1 + 0.625 * 2, 0.125 * 3 - 0.625 * 2]),
        # channel 0: (0.5 − 3) / 4; channel 1: its sum is 0
        ("xgrad_cam", [-0.625, -1.875]),
        ("hires_cam", [0.5 + 0.5, -3.0 - 2.0]),
        ("layer_cam", [0.5 + 0.5, 0.0 - 2.0]),
        # centred: (−1, 2), (1, −2), of which the first component is ±(√5, −√5); ΣA = (3, 1)
        ("eigen_cam", [5**0.5, -(5**0.5)]),
    ],
)
def test_by_hand(method: str, expected: list[float]) -> None:
    found = find_method(method)
    assert isinstance(found, CamMethod)
    assert torch.allclose(found.weigh(*by_hand()), torch.tensor(expected).reshape(1, 1, 1, 2), atol=1e-6)


def test_grad_cam_plus_plus_where_the_denominator_is_zero() -> None:
    """2 + ΣA · G = 2 − 2 · 1: such a place has no weight, instead of an infinite one."""
    found = find_method("grad_cam_plus_plus")
    assert isinstance(found, CamMethod)
    features, gradients = torch.tensor([[[[-1.0, -1.0]]]]), torch.tensor([[[[1.0, 0.5]]]])
    assert found.weigh(features, gradients).flatten().tolist() == [-0.5, -0.5]  # w = 0.5 / (2 − 1)


def test_eigen_cam_knows_no_class() -> None:
    network, x = classifier("resnet18", SIDE), random_picture(SIDE)
    one, other = (explain("eigen_cam", network, x, score=Score(target)).values for target in (3, 7))
    assert torch.equal(one, other)


@pytest.mark.parametrize("method", ONE_GRADIENT)
def test_several_layers_are_the_mean_of_their_scaled_maps(method: str) -> None:
    network, x = classifier("resnet18", SIDE), random_picture(SIDE)
    for relu in (True, False):
        single = [explain(method, network, x, layer=name, relu=relu).values for name in ("layer3", "layer4")]
        expected = torch.stack([map / map.abs().max() for map in single]).mean(0)
        actual = explain(method, network, x, layer="layer3, layer4", relu=relu)
        assert relative(actual.values, expected) < 1e-4
        assert actual.diagnostics == {"gradient_evaluations": 1, "layer": "layer3, layer4"}
    assert explain(method, network, x, layer="layer4,auto").diagnostics["layer"] == "layer4"  # each once


@pytest.mark.parametrize("method", CAMS)
@pytest.mark.parametrize("layer", ["layer9", "layer4,layer9", "layer4,"])
def test_a_wrong_name_is_refused(method: str, layer: str) -> None:
    with pytest.raises(InvalidParameter, match=rf"{method}\.layer: «.*» is no layer with a spatial feature map"):
        explain(method, classifier("resnet18", SIDE), random_picture(SIDE), layer=layer)


def test_all_maps_of_a_pass_cost_one_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether of one layer or of several: features and gradients are held by layer, with the pass."""
    network, x = wrap(Tiny(nn.ReLU(), seed=5)), torch.stack([random_picture(seed=seed) for seed in (1, 2)])
    names = [layer.name for layer in inspection_of(network).layers]
    forwards, backwards, taken = [], [], torch.autograd.grad
    monkeypatch.setattr(network.network, "forward", lambda x: forwards.append(1) or Tiny.forward(network.network, x))
    monkeypatch.setattr(torch.autograd, "grad", lambda *args, **more: backwards.append(1) or taken(*args, **more))
    shared, before = ForwardPass(network, x, names), counters.gradient_evaluations
    score = Score((0, 2))
    for method in map(find_method, ONE_GRADIENT):
        for layer in (*names, ",".join(names)):
            method.maps(SharedEngine(shared, score), x, method.Parameters(layer=layer))  # type: ignore[attr-defined]
    assert (len(forwards), len(backwards)) == (1, 1)
    assert counters.gradient_evaluations - before == len(x)
    SharedEngine(shared, Score((1, 1))).features(x, names[-1])  # another score has gradients of its own
    assert (len(forwards), len(backwards)) == (1, 2)
