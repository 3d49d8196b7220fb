"""Methods of one pass: several pictures together, each for its own class, are what they are alone."""

from __future__ import annotations

import pytest
import torch
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.methods.base import OnePass, find_method, methods
from gradoscope.attribution.score import Score
from torch import Tensor, nn

from tests.support.nets import Tiny, classifier, explain, random_picture, relative, wrap

METHODS = [id for id, method in methods().items() if isinstance(method, OnePass)]


def together(method: str, network, pictures: Tensor, score: Score) -> tuple[Tensor, dict]:  # type: ignore[no-untyped-def]
    found = find_method(method)
    return found.maps(Engine(network, score), pictures, found.Parameters())


def test_these_are_methods_of_one_pass() -> None:
    assert list(METHODS) == [
        *("deconvolution", "vanilla_gradient", "guided_backprop", "input_x_gradient", "grad_cam"),
        *("grad_cam_plus_plus", "eigen_cam", "hires_cam", "xgrad_cam", "layer_cam", "shapley_cam"),
    ]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["logit", "probability"])
def test_pictures_of_a_pass_do_not_mix(method: str, kind: str) -> None:
    network, targets = wrap(Tiny(seed=5)).double(), (2, 0, 2, 1)
    pictures = torch.stack([random_picture(seed=seed) for seed in range(4)]).double()
    values, diagnostics = together(method, network, pictures, Score(targets, kind))  # type: ignore[arg-type]
    for picture, target, actual in zip(pictures, targets, values, strict=True):
        alone = explain(method, network, picture, score=Score(target, kind))  # type: ignore[arg-type]
        assert actual.shape == alone.values.shape
        assert torch.allclose(actual, alone.values, rtol=1e-10, atol=1e-14)
        assert alone.diagnostics == {"gradient_evaluations": 1, **diagnostics}
    assert any(map(torch.any, values))  # some may be zero: nothing speaks for the class


@pytest.mark.parametrize("method", ["vanilla_gradient", "guided_backprop", "grad_cam"])
@pytest.mark.parametrize("architecture", ["efficientnet_b0", "convnext_atto"])
def test_pictures_of_a_pass_do_not_mix_in_large_networks(method: str, architecture: str) -> None:
    """Their activations are smooth, so rounding flips no kinks."""
    network, targets = classifier(architecture, 96), (281, 0, 999)
    pictures = torch.stack([random_picture(side=96, seed=seed) for seed in range(3)])
    values, _ = together(method, network, pictures, Score(targets))
    for picture, target, actual in zip(pictures, targets, values, strict=True):
        assert relative(actual, explain(method, network, picture, score=Score(target)).values) < 1e-4


def test_in_place_activations_do_not_mix_pictures_either() -> None:
    network = wrap(Tiny(nn.ReLU(inplace=True), seed=5)).double()
    pictures = torch.stack([random_picture(seed=seed) for seed in range(2)]).double()
    values, _ = together("guided_backprop", network, pictures, Score((1, 2)))
    for picture, target, actual in zip(pictures, (1, 2), values, strict=True):
        assert relative(actual, explain("guided_backprop", network, picture, score=Score(target)).values) < 1e-12
