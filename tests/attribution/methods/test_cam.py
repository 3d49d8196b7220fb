"""Grad-CAM against the formula, written a second time here."""

from __future__ import annotations

import pytest
import torch
from gradoscope.attribution.errors import InvalidParameter, Refused
from gradoscope.attribution.score import Score
from gradoscope.pipeline.problems import as_problem
from torch import Tensor, nn
from torch.nn.functional import interpolate

from tests.support.nets import Tiny, classifier, explain, random_picture, relative, wrap

SEED = 5


def naive(network: Tiny, x: Tensor, target: int, relu: bool) -> Tensor:
    """For `Tiny`, whose last feature map is that of its second activation."""
    features = network.activation(network.second(network.activation(network.first(x[None])))).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(network.head(features.mean((2, 3)))[0, target], features)
    cam = (gradient.mean((2, 3), keepdim=True) * features).sum(1, keepdim=True)
    return interpolate(cam.relu() if relu else cam, x.shape[-2:], mode="bilinear", align_corners=False)[0].detach()


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("target", [0, 1, 2])
def test_formula(relu: bool, target: int) -> None:
    network, x = wrap(Tiny(seed=SEED)), random_picture(side=16)
    actual = explain("grad_cam", network, x, score=Score(target), relu=relu, layer="auto")
    assert actual.values.shape == (1, 16, 16)
    assert actual.diagnostics == {"gradient_evaluations": 1, "layer": "activation"}
    expected = naive(network.network, x, target, relu)
    assert torch.allclose(actual.values, expected, atol=1e-6)
    assert relu or float(expected.abs().max()) > 0


def test_weights_are_means_over_space() -> None:
    """Not sums: the map does not grow with the feature map."""
    network = wrap(Tiny(seed=SEED))
    small, large = (explain("grad_cam", network, torch.full((3, s, s), 0.5), relu=False).values for s in (8, 16))
    assert small.shape[-1] * 2 == large.shape[-1]
    middle = slice(3, 5), slice(6, 10)
    assert 0.1 < float(large[0][middle[1], middle[1]].mean() / small[0][middle[0], middle[0]].mean()) < 0.5


def test_without_relu_is_signed_and_relu_cuts_it() -> None:
    network, x = classifier("resnet18", 64), random_picture(side=64)
    signed = explain("grad_cam", network, x, relu=False).values
    assert float(signed.min()) < 0 < float(signed.max())
    assert float(explain("grad_cam", network, x).values.min()) >= 0


def test_layer_by_name_and_by_alias() -> None:
    network, x = classifier("resnet18", 64), random_picture(side=64)
    assert explain("grad_cam", network, x, layer="layer3").diagnostics["layer"] == "layer3"
    by_name, by_alias = (explain("grad_cam", network, x, layer=name).values for name in ("layer4", "layer4.1"))
    assert torch.equal(by_name, by_alias)
    assert relative(explain("grad_cam", network, x, layer="layer3").values, by_name) > 0.1


def test_guided_grad_cam_is_the_product() -> None:
    network, x = classifier("resnet18", 64), random_picture(side=64)
    for layer in ("auto", "layer3"):
        guided = explain("guided_backprop", network, x, score=Score(3)).values
        cam = explain("grad_cam", network, x, score=Score(3), layer=layer, relu=True).values
        actual = explain("guided_grad_cam", network, x, score=Score(3), layer=layer)
        assert actual.values.shape == (3, 64, 64)
        assert torch.allclose(actual.values, guided * cam, rtol=1e-5, atol=1e-9)
        assert float(actual.values.abs().max()) > 0


def test_guided_grad_cam_names_its_own_field() -> None:
    with pytest.raises(InvalidParameter, match=r"guided_grad_cam\.layer") as caught:
        explain("guided_grad_cam", classifier("resnet18", 64), random_picture(side=64), layer="layer9")
    assert as_problem(caught.value).errors[0]["field"] == "options.guided_grad_cam.layer"


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (Tiny(lambda x: x * x.sigmoid()), "Guided backprop does not know how to guide"),
        (nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.ReLU(), nn.Linear(4, 3)), "spatial feature map"),
    ],
)
def test_guided_grad_cam_is_refused_where_either_is(network: nn.Module, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        explain("guided_grad_cam", wrap(network), random_picture())
