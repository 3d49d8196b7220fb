"""The methods against their peers: captum, PAIR saliency, and hooks written here."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import pytest
import saliency.core as pair
import torch
import torch.nn.functional as F
from captum.attr import (
    Deconvolution,
    DeepLift,
    GradientShap,
    GuidedBackprop,
    GuidedGradCam,
    InputXGradient,
    IntegratedGradients,
    LayerGradCam,
    Saliency,
)
from gradoscope.attribution.score import Score
from torch import Tensor, nn
from torch.nn.functional import interpolate

from tests.support.nets import Tiny, classifier, explain, gradient, lite0, random_picture, relative, sample_pixels, wrap
from tests.support.rule_activations import DeconvolutionActivation

MODELS = ("lite0", "resnet18")
CAT = 282
SIDE = 64
HOOKS = pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU activations:UserWarning")
LEAF = pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require gradients:UserWarning")


def model(name: str):
    return lite0() if name == "lite0" else classifier(name, SIDE)


@lru_cache
def cat(name: str) -> Tensor:
    """The cat for a model: at Lite0's own size; smaller for ResNet-18, whose weights are random at any size."""
    return sample_pixels("cat", None if name == "lite0" else SIDE)


@LEAF
@pytest.mark.parametrize("name", MODELS)
def test_vanilla_gradient_against_captum(name: str) -> None:
    x = cat(name)
    expected = Saliency(model(name)).attribute(x[None], target=CAT, abs=False)[0]
    actual = explain("vanilla_gradient", model(name), x, score=Score(CAT))
    assert relative(actual.values, expected) < 1e-4


@LEAF
@pytest.mark.parametrize(("name", "layer"), [("lite0", "bn2"), ("resnet18", "layer4")])
def test_grad_cam_against_captum(name: str, layer: str) -> None:
    x = cat(name)
    peer = LayerGradCam(model(name), model(name).network.get_submodule(layer))
    for relu in (True, False):
        small = peer.attribute(x[None], target=CAT, relu_attributions=relu)
        expected = interpolate(small, x.shape[-2:], mode="bilinear", align_corners=False)[0]
        actual = explain("grad_cam", model(name), x, score=Score(CAT), relu=relu)
        assert actual.diagnostics["layer"] == layer
        assert relative(actual.values, expected) < 1e-4


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("rule", "theirs"), [("gauss_legendre", "gausslegendre"), ("midpoint", "riemann_middle")])
def test_integrated_gradients_against_captum(name: str, rule: str, theirs: str) -> None:
    """On equal terms, in float32: another memory layout runs other kernels, whose rounding flips a ReLU's kink here
    and there, and that came to 4e-3 on this picture (methods: Float rounding)."""
    x, peer = cat(name), IntegratedGradients(model(name))
    laid_out = x[None].contiguous(memory_format=torch.channels_last)
    expected = peer.attribute(laid_out, target=CAT, n_steps=8, method=theirs, internal_batch_size=4)[0]
    actual = explain("integrated_gradients", model(name), x, score=Score(CAT), steps=8, rule=rule)
    assert relative(actual.values, expected) < 1e-3


@pytest.mark.parametrize("micro_batch", [1, 4, 8])
def test_integrated_gradients_against_captum_in_float64(micro_batch: int) -> None:
    """Without float32's rounding, which flips ReLU kinks, the two are the same, but for captum's weights in float32."""
    resnet, x = copy.deepcopy(model("resnet18")).double(), cat("resnet18").double()
    peer = IntegratedGradients(resnet)
    expected = peer.attribute(x[None], target=CAT, n_steps=8, method="gausslegendre", internal_batch_size=8)[0]
    options = {"steps": 8, "rule": "gauss_legendre", "micro_batch": micro_batch}
    actual = explain("integrated_gradients", resnet, x, score=Score(CAT), **options)
    assert relative(actual.values, expected) < 1e-7


@contextmanager
def out_of_place(network: nn.Module) -> Iterator[None]:
    """captum hooks modules, which must not work in place for that."""
    inplace = [m for m in network.modules() if isinstance(m, (nn.ReLU, nn.ReLU6)) and m.inplace]
    for module in inplace:
        module.inplace = False
    yield
    for module in inplace:
        module.inplace = True


@LEAF
@HOOKS
def test_guided_backprop_against_captum() -> None:
    resnet, x = model("resnet18"), cat("resnet18")
    actual = explain("guided_backprop", resnet, x, score=Score(CAT))
    with out_of_place(resnet):
        expected = GuidedBackprop(resnet).attribute(x[None], target=CAT)[0]
    assert actual.diagnostics == {"gradient_evaluations": 1, "guided_activations": 17, "gates": 0}
    assert relative(actual.values, expected) < 1e-5
    assert relative(explain("vanilla_gradient", resnet, x, score=Score(CAT)).values, expected) > 0.1


@LEAF
@HOOKS
@pytest.mark.parametrize(("name", "activations"), [("resnet18", 17), ("vgg11", 10)])
def test_deconvolution_against_captum(name: str, activations: int) -> None:
    network, x = classifier(name, 64), sample_pixels("cat", 64)
    actual = explain("deconvolution", network, x, score=Score(CAT))
    with out_of_place(network):
        peer = Deconvolution(network)
        expected = peer.attribute(x[None].contiguous(memory_format=torch.channels_last), target=CAT)[0]
    assert actual.diagnostics == {"gradient_evaluations": 1, "guided_activations": activations, "gates": 0}
    assert relative(actual.values, expected) < 1e-6
    assert relative(explain("guided_backprop", network, x, score=Score(CAT)).values, expected) > 0.1


@LEAF
@HOOKS
@pytest.mark.parametrize("activation", [F.relu, nn.ReLU6()])
def test_deconvolution_where_captum_is_the_plain_gradient(activation: nn.Module) -> None:
    """captum sees nn.ReLU modules only, and says nothing where there is none."""
    network, x = wrap(Tiny(activation)).double(), random_picture().double()
    theirs = Deconvolution(network).attribute(x[None], target=0)[0]
    assert relative(theirs, explain("vanilla_gradient", network, x).values) < 1e-12
    with_rule = wrap(Tiny(lambda value: DeconvolutionActivation.apply(value, activation))).double()
    actual = explain("deconvolution", network, x).values
    assert relative(actual, gradient(with_rule, x, lambda y: y[:, 0])) < 1e-12
    assert relative(actual, theirs) > 0.1


@LEAF
def test_input_x_gradient_against_captum() -> None:
    x = cat("lite0")
    expected = InputXGradient(lite0()).attribute(x[None], target=CAT)[0]
    assert relative(explain("input_x_gradient", lite0(), x, score=Score(CAT)).values, expected.detach()) < 1e-4


@LEAF
@HOOKS
def test_guided_grad_cam_against_captum() -> None:
    resnet, x = model("resnet18"), cat("resnet18")
    actual = explain("guided_grad_cam", resnet, x, score=Score(CAT))
    with out_of_place(resnet):
        peer = GuidedGradCam(resnet, resnet.network.layer4)
        expected = peer.attribute(x[None], target=CAT, interpolate_mode="bilinear")[0]
    assert actual.diagnostics == {
        "gradient_evaluations": 2,
        "layer": "layer4",
        "guided_activations": 17,
        "gates": 0,
    }
    assert relative(actual.values, expected) < 1e-4


def test_gradient_shap_against_captum() -> None:
    """captum draws other numbers, so the two meet as samples grow; one baseline, no noise on the picture."""
    network, x = wrap(Tiny()).double(), random_picture().double()
    torch.manual_seed(0)
    peer = GradientShap(network)
    expected = peer.attribute(x[None], x.new_zeros(1, 3, 8, 8), n_samples=2000, stdevs=0.0, target=0)[0]
    actual = explain("gradient_shap", network, x, samples=2000, baseline="black", micro_batch=64)
    assert relative(actual.values, expected) < 0.05
    assert relative(actual.values, explain("input_x_gradient", network, x).values) > 0.1


@pytest.mark.filterwarnings("ignore:Setting forward, backward hooks and attributes:UserWarning")
@pytest.mark.parametrize("baseline", [0.0, 1.0])
def test_deep_lift_against_captum(baseline: float) -> None:
    """On modules that are called once, work out of place, pool without overlap and do not follow on one another."""
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.MaxPool2d(2), nn.Conv2d(6, 6, 3), nn.ELU()),
        *(nn.Conv2d(6, 6, 3), nn.LeakyReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5), nn.Tanh()),
        *(nn.Linear(5, 5), nn.Sigmoid(), nn.Linear(5, 5), nn.Softplus(), nn.Linear(5, 3)),
    )
    model, x = wrap(network, side=16).double(), random_picture(side=16).double()
    leaf = x[None].clone().requires_grad_()
    expected = DeepLift(model).attribute(leaf, torch.full_like(leaf, baseline), target=1)[0]
    actual = explain("deep_lift", model, x, score=Score(1), baseline="white" if baseline else "black")
    assert actual.diagnostics["rescaled"] == 7
    assert relative(actual.values, expected.detach()) < 1e-12


def test_guided_backprop_against_hooks_on_every_relu6() -> None:
    """captum guides nothing on Lite0, whose activations are ReLU6; full backward hooks on each say what is right."""
    network, x = lite0(), cat("lite0")
    activations = [m for m in network.modules() if isinstance(m, nn.ReLU6)]
    actual = explain("guided_backprop", network, x, score=Score(CAT))
    assert len(activations) == actual.diagnostics["guided_activations"] == 33

    def guide(module: nn.Module, grad_input: tuple[Tensor], grad_output: tuple[Tensor]) -> tuple[Tensor]:
        # the derivative is 0 or 1, so clamping grad_input is the same as clamping grad_output
        return (grad_input[0].clamp(min=0),)

    leaf = x[None].clone().requires_grad_()
    with out_of_place(network):
        handles = [module.register_full_backward_hook(guide) for module in activations]
        (expected,) = torch.autograd.grad(network(leaf)[0, CAT], leaf)
    for handle in handles:
        handle.remove()
    assert relative(actual.values, expected[0]) < 1e-4


def pair_gradients(network):
    """What PAIR saliency asks of a model: gradients of (N, H, W, 3) arrays."""

    def call(batch: np.ndarray, call_model_args: object = None, expected_keys: object = None) -> dict[str, np.ndarray]:
        x = torch.from_numpy(np.asarray(batch)).float().permute(0, 3, 1, 2).requires_grad_()
        (gradient,) = torch.autograd.grad(network(x)[:, CAT].sum(), x)
        return {pair.INPUT_OUTPUT_GRADIENTS: gradient.permute(0, 2, 3, 1).double().numpy()}

    return call


def test_integrated_gradients_against_pair_saliency() -> None:
    """Both sum over the same path; PAIR takes the left ends of the steps, so the two meet only as steps grow."""
    resnet, x = model("resnet18"), sample_pixels("cat", 32)
    peer = pair.IntegratedGradients()
    array = x.permute(1, 2, 0).double().numpy()
    black = np.zeros_like(array)
    expected = peer.GetMask(array, pair_gradients(resnet), None, x_baseline=black, x_steps=100, batch_size=20)
    actual = explain("integrated_gradients", resnet, x, score=Score(CAT), steps=100)
    assert relative(actual.values, torch.from_numpy(expected).permute(2, 0, 1)) < 5e-2


@pytest.fixture
def _one_thread() -> Iterator[None]:
    """Several threads wait for each other on a busy machine, which made the long test below five times slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("_one_thread")
def test_blur_integrated_gradients_against_pair_saliency() -> None:
    """Two approximations of one integral: ours of increments, PAIR's of a finite difference at each step's left end."""
    network, x = lite0(), cat("lite0")
    array = x.permute(1, 2, 0).double().numpy()
    expected = pair.BlurIG().GetMask(array, pair_gradients(network), max_sigma=50, steps=400, batch_size=8)
    actual = explain("blur_integrated_gradients", network, x, score=Score(CAT), steps=400, micro_batch=8)
    assert relative(actual.values, torch.from_numpy(expected).permute(2, 0, 1)) < 8e-2
    assert abs(actual.diagnostics["completeness"]["relative_error"]) < 0.05


@pytest.mark.parametrize("name", MODELS)
def test_smooth_grad_without_noise_is_the_gradient(name: str) -> None:
    x = cat(name)
    expected = explain("vanilla_gradient", model(name), x, score=Score(CAT)).values
    for micro_batch in (1, 3):
        actual = explain("smooth_grad", model(name), x, score=Score(CAT), samples=4, noise=0.0, micro_batch=micro_batch)
        assert relative(actual.values, expected) < 1e-2  # float32 kernels round by batch size, and that flips kinks
