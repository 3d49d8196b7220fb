"""Every registered method on every form of network: what an independent reference gives, or refused.

The references are written a second time here: gradients by central differences in float64, guided and rescaled backward
passes by activations that have the rule as their backward pass, everything else by loops. No method is left out: one
without a reference fails here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.methods import xrai
from gradoscope.attribution.methods.base import methods
from gradoscope.attribution.methods.baselines import make_baseline
from gradoscope.attribution.methods.rise import RiseParameters, random_masks
from gradoscope.attribution.methods.smooth_grad import mirrored
from gradoscope.attribution.methods.superpixels import superpixels
from gradoscope.attribution.noise import generator
from gradoscope.attribution.noise import noise as noise_of
from gradoscope.attribution.score import Score
from saliency.core import XRAI
from scipy import ndimage
from torch import Tensor, nn

from tests.support.cheap_options import CAMS
from tests.support.nets import Tiny, explain, random_picture, relative, seeded, wrap
from tests.support.pair_guided import pair_guided
from tests.support.relevance import relevance_of_tiny
from tests.support.rule_activations import (
    Activation,
    ActivationWithRule,
    DeconvolutionActivation,
    GuidedActivation,
    RescaleActivation,
)

SEED = 3
ON_CNNS = [id for id, method in methods().items() if not method.transformers_only]
ONE_CHANNEL = (*CAMS, "occlusion", "rise", "full_grad", "lime", "kernel_shap", "xrai")
LOGITS_ONLY = ("deep_lift", "lrp")
OPTIONS: dict[str, dict[str, Any]] = {
    "smooth_grad": {"samples": 3, "noise": 0.1},
    "integrated_gradients": {"steps": 3, "rule": "midpoint"},
    "blur_integrated_gradients": {"steps": 2, "max_sigma": 2.0, "schedule": "linear"},
    "gradient_shap": {"samples": 3, "baseline": "black"},
    **{id: {"relu": False} for id in CAMS},
    "occlusion": {"window": 4, "stride": 4, "fill": "black"},
    # from noise: on a picture of one colour many slopes are the same but for rounding, which then decides where it goes
    "guided_integrated_gradients": {"steps": 3, "max_dist": 0.2, "baseline": "noise"},
    "idgi": {"steps": 3},
    "xrai": {"steps": 2},
    **{id: {"samples": 20, "segments": 6, "fill": "black"} for id in ("lime", "kernel_shap")},
    "rise": {"masks": 4, "cells": 2, "fill": "black"},
}

# form: (a fresh activation, the methods that are not defined for it)
FORMS: dict[str, tuple[Callable[[], Activation], set[str]]] = {
    "functional relu": (lambda: F.relu, {"deep_lift"}),
    "relu in place": (lambda: nn.ReLU(inplace=True), set()),
    "relu6": (nn.ReLU6, set()),
    "silu": (nn.SiLU, {"deconvolution", "deep_lift"}),
    "gelu": (nn.GELU, {"deconvolution", "deep_lift"}),
    "hardswish": (nn.Hardswish, {"deconvolution", "deep_lift"}),
    "prelu": (nn.PReLU, {"deconvolution", "deep_lift"}),
    "leaky relu": (nn.LeakyReLU, {"deconvolution"}),
    "elu": (nn.ELU, {"deconvolution"}),
}


class Net(Tiny):
    """Tiny, in two parts: up to the last feature map, and the `top` above it."""

    def forward(self, x: Tensor) -> Any:
        return self.top(self.activation(self.second(self.activation(self.first(x)))))

    def top(self, features: Tensor) -> Tensor:
        return self.head(features.mean((2, 3)))


class Named(NamedTuple):
    auxiliary: Tensor
    logits: Tensor


class Auxiliary(Net):
    """With a second head on the first feature map, by the same activation."""

    def __init__(self, activation: Activation, answer: Callable[[Tensor, Tensor], object]) -> None:
        super().__init__(activation, seed=SEED)
        self.side = nn.Conv2d(6, 3, 1)
        self.answer = answer

    def forward(self, x: Tensor) -> object:
        x = self.activation(self.first(x))
        auxiliary = self.activation(self.side(x)).mean((2, 3))
        return self.answer(self.top(self.activation(self.second(x))), auxiliary)


class Flat(Net):
    """One class, answered as (N,)."""

    def top(self, features: Tensor) -> Tensor:
        return super().top(features)[:, 0]


class Adaptive(Net):
    """Pools whatever is left to 2 × 2 places."""

    def __init__(self, activation: Activation) -> None:
        super().__init__(activation, seed=SEED)
        self.pool, self.head = nn.AdaptiveAvgPool2d(2), nn.Linear(32, 3)
        self.head.weight.data.copy_(seeded((3, 32)))
        self.head.bias.data.copy_(seeded((3,)))

    def top(self, features: Tensor) -> Tensor:
        return self.head(self.pool(features).flatten(1))


class Model(NamedTuple):
    """How to build a classifier with an activation, and what of it is explained."""

    build: Callable[[Activation], Classifier]
    score: Score = Score(1)
    size: tuple[int, int] = (8, 8)


def _auxiliary(answer: Callable[[Tensor, Tensor], object]) -> Model:
    return Model(lambda activation: wrap(Auxiliary(activation, answer)))


PLAIN = Model(lambda activation: wrap(Net(activation, seed=SEED)))
MODELS: dict[str, Model] = {
    "channels last": Model(lambda a: wrap(Net(a, seed=SEED).to(memory_format=torch.channels_last))),
    "tuple": _auxiliary(lambda logits, auxiliary: (logits, auxiliary)),
    "dict": _auxiliary(lambda logits, auxiliary: {"aside": auxiliary, "logits": logits}),
    "named tuple": _auxiliary(lambda logits, auxiliary: Named(auxiliary, logits)),
    "another size": Model(lambda a: wrap(Adaptive(a)).at((96, 64)), size=(96, 64)),
    "grey": Model(lambda a: wrap(Net(a, seed=SEED, channels=1), mean=(0.4,), std=(0.3,)), Score(0)),
    "one class": Model(lambda a: wrap(Net(a, 1, seed=SEED), classes=1), Score(0, "probability", multilabel=True)),
    "one class, flat": Model(lambda a: wrap(Flat(a, 1, seed=SEED), classes=1), Score(0)),
}


class Reference:
    """What each method should give, for one model with one activation and one picture."""

    def __init__(self, model: Model, activation: Activation) -> None:
        self.model, self.activation = model, activation
        self.classifier = model.build(activation).double()
        self.x = random_picture(model.size[0], seed=SEED, width=model.size[1]).double()[: self.classifier.channels]

    def scores(self, pictures: Tensor) -> Tensor:
        return self.formula(self.classifier(pictures))

    def formula(self, logits: Tensor) -> Tensor:
        value = logits.reshape(len(logits), -1)[:, self.model.score.target]
        return 1 / (1 + (-value).exp()) if self.model.score.kind == "probability" else value

    def slope(self, at: Tensor) -> Tensor:
        return slope(self.scores, at)

    def with_rule(self, rule: type[ActivationWithRule]) -> Classifier:
        return self.model.build(lambda value: rule.apply(value, self.activation)).double()

    def gradient_with_rule(self, rule: type[ActivationWithRule], pictures: Tensor) -> Tensor:
        at = pictures.clone().requires_grad_()
        return torch.autograd.grad(self.formula(self.with_rule(rule)(at)).sum(), at)[0]

    def vanilla_gradient(self) -> Tensor:
        return self.slope(self.x)

    def input_x_gradient(self) -> Tensor:
        return self.x * self.slope(self.x)

    def guided_backprop(self) -> Tensor:
        return self.gradient_with_rule(GuidedActivation, self.x[None])[0]

    def deconvolution(self) -> Tensor:
        return self.gradient_with_rule(DeconvolutionActivation, self.x[None])[0]

    def deep_lift(self) -> Tensor:
        return self.x * self.gradient_with_rule(RescaleActivation, torch.stack((self.x, torch.zeros_like(self.x))))[0]

    def smooth_grad(self) -> Tensor:
        deviation = 0.1 * (self.x.max() - self.x.min())
        return mean(
            self.slope(self.x + deviation * noise) for noise in mirrored(lambda k: noise_of(SEED, k, self.x.shape), 3)
        )

    def integrated_gradients(self) -> Tensor:
        return self.x * mean(self.slope(self.x * (i + 0.5) / 3) for i in range(3))

    def gradient_shap(self) -> Tensor:
        places = [float(torch.rand((), generator=generator(SEED, k, "alpha"))) for k in range(3)]
        return self.x * mean(self.slope(self.x * place) for place in places)

    def blur_integrated_gradients(self) -> Tensor:
        at = {
            sigma: torch.from_numpy(ndimage.gaussian_filter(self.x.numpy(), (0, sigma, sigma), mode="constant"))
            for sigma in (0.0, 0.5, 1.0, 1.5, 2.0)
        }
        return self.slope(at[0.5]) * (at[0.0] - at[1.0]) + self.slope(at[1.5]) * (at[1.0] - at[2.0])

    def grad_cam(self) -> Tensor:
        return self.cam(mean_gradient, relu=False)

    def grad_cam_plus_plus(self) -> Tensor:
        def weigh(features: Tensor, slopes: Tensor) -> Tensor:
            alpha = slopes**2 / (2 * slopes**2 + features.sum((1, 2), keepdim=True) * slopes**3)
            return (alpha.nan_to_num(0) * slopes.clamp(min=0)).sum((1, 2), keepdim=True) * features

        return self.cam(weigh, relu=False)

    def xgrad_cam(self) -> Tensor:
        def weigh(features: Tensor, slopes: Tensor) -> Tensor:
            shares = features / features.sum((1, 2), keepdim=True)
            return (shares.nan_to_num(0) * slopes).sum((1, 2), keepdim=True) * features

        return self.cam(weigh, relu=False)

    def hires_cam(self) -> Tensor:
        return self.cam(lambda features, slopes: features * slopes, relu=False)

    def layer_cam(self) -> Tensor:
        return self.cam(lambda features, slopes: features * slopes.clamp(min=0), relu=False)

    def eigen_cam(self) -> Tensor:
        def weigh(features: Tensor, slopes: Tensor) -> Tensor:
            centred = (features - features.mean((1, 2), keepdim=True)).flatten(1)
            direction = torch.linalg.eigh(centred @ centred.T).eigenvectors[:, -1]
            sign = torch.sign((direction @ centred) @ centred.sum(0))
            return (sign * direction[:, None] * centred).view_as(features)

        return self.cam(weigh, relu=False)

    def score_cam(self) -> Tensor:
        def weigh(features: Tensor, slopes: Tensor) -> Tensor:
            scores = []
            for channel in features:
                mask = F.interpolate(channel[None, None], self.model.size, mode="bilinear", align_corners=False)[0]
                mask = (mask - mask.min()) / (mask.max() - mask.min()) if mask.max() > mask.min() else None
                scores.append(-torch.inf if mask is None else self.scores((self.x * mask)[None]).item())
            return torch.tensor(scores, dtype=torch.float64).softmax(0)[:, None, None] * features

        return self.cam(weigh, relu=False)

    def ablation_cam(self) -> Tensor:
        def weigh(features: Tensor, slopes: Tensor) -> Tensor:
            without = torch.stack([features * (torch.arange(len(features)) != k)[:, None, None] for k in range(8)])
            score, *scores = self.formula(self.above(torch.cat((features[None], without))))
            return (score - torch.stack(scores))[:, None, None] / score.abs() * features

        return self.cam(weigh, relu=False)

    def shapley_cam(self) -> Tensor:
        def weigh(features: Tensor, slopes: Tensor) -> Tensor:
            def at(factor: float) -> Tensor:
                leaf = (factor * features[None]).requires_grad_()
                return torch.autograd.grad(self.formula(self.above(leaf * 1)).sum(), leaf)[0][0]

            curved = (at(1 + 1e-5) - at(1 - 1e-5)) / 2e-5
            return (slopes - curved / 2).mean((1, 2), keepdim=True) * features

        return self.cam(weigh, relu=False)

    def full_grad(self) -> Tensor:
        """The input, the normalisation of pixels, and each layer below the last feature map: ψ of each, enlarged."""
        net: Any = self.classifier.network
        function = net.activation

        def fresh(values: Tensor) -> Tensor:
            return function(values.clone())  # it may work in place

        stages = [lambda x: (x - self.classifier.mean) / self.classifier.std, net.first, fresh, net.second, fresh]
        parts, values = [self.x * self.slope(self.x)], self.x[None]
        for place, stage in enumerate(stages):
            before, values = values, stage(values).detach()

            def after(values: Tensor, rest: Any = stages[place + 1 :]) -> Tensor:
                for stage in rest:
                    values = stage(values)
                return self.formula(net.top(values))

            with torch.no_grad():
                step = (stage(before * (1 + 1e-6)) - stage(before * (1 - 1e-6))) / 2e-6
            bias = values - step
            if float(bias.abs().max()) > 1e-6 * float(values.abs().max()):
                leaf = values.clone().requires_grad_()
                parts.append((torch.autograd.grad(after(leaf * 1).sum(), leaf)[0] * bias)[0].detach())
        total = 0
        for part in parts:
            sizes = part.abs() - part.abs().min()
            map = (sizes / sizes.max()).sum(0)[None, None]
            total = total + F.interpolate(map, self.model.size, mode="bilinear", align_corners=False)[0]
        return total  # type: ignore[return-value]

    def lime(self) -> Tensor:
        """By the normal equations of the samples, with the intercept as a further column."""
        labels, z, scores = self.hidden("lime")
        near = torch.exp(-(((1 - z.mean(1) ** 0.5) / 0.25) ** 2)).diag()
        columns = torch.cat((z, torch.ones(len(z), 1, dtype=z.dtype)), 1)
        penalty = torch.eye(columns.shape[1], dtype=z.dtype)
        penalty[-1, -1] = 0
        found = torch.linalg.solve(columns.T @ near @ columns + penalty, columns.T @ near @ scores)
        return found[labels][None]

    def kernel_shap(self) -> Tensor:
        """By elimination of the last superpixel, whose weight is what the others leave."""
        labels, z, scores = self.hidden("kernel_shap")
        whole, empty = self.scores(torch.stack((self.x, torch.zeros_like(self.x))))
        others = z[:, :-1] - z[:, -1:]
        found = torch.linalg.lstsq(others, (scores - empty - z[:, -1] * (whole - empty))[:, None]).solution[:, 0]
        return torch.cat((found, (whole - empty - found.sum())[None]))[labels][None].detach()

    def hidden(self, method: str) -> tuple[Tensor, Tensor, Tensor]:
        """The superpixel of each pixel, which are visible in each sample, and its score."""
        labels = superpixels(self.x, OPTIONS[method]["segments"], 10)
        samples = methods()[method].draw(OPTIONS[method]["samples"], int(labels.max()) + 1, SEED)  # type: ignore[attr-defined]
        z = torch.stack(list(samples))
        return labels, z, torch.cat([self.scores((self.x * visible[labels])[None]) for visible in z]).detach()

    def above(self, maps: Tensor) -> Tensor:
        """What lies above the last activation where that is a module, above the convolution before it else."""
        net: Any = self.classifier.network
        return net.top(maps if isinstance(self.activation, nn.Module) else net.activation(maps))

    def cam(self, weigh: Callable[[Tensor, Tensor], Tensor], relu: bool) -> Tensor:
        """Of the last activation where that is a module, of the convolution before it where it is none."""
        net: Any = self.classifier.network
        normalised = (self.x[None] - self.classifier.mean) / self.classifier.std
        features = net.second(net.activation(net.first(normalised)))[0]
        if isinstance(self.activation, nn.Module):
            features = net.activation(features)
        slopes = slope(lambda maps: self.formula(self.above(maps)), features.detach())
        cam = weigh(features.detach(), slopes).sum(0)
        cam = cam.relu() if relu else cam
        return F.interpolate(cam[None, None], self.model.size, mode="bilinear", align_corners=False)[0].detach()

    def guided_grad_cam(self) -> Tensor:
        return self.guided_backprop() * self.cam(mean_gradient, relu=True)

    def occlusion(self) -> Tensor:
        values = torch.zeros(1, *self.model.size, dtype=torch.float64)
        for top in range(0, self.model.size[0], 4):
            for left in range(0, self.model.size[1], 4):
                square = slice(None), slice(top, top + 4), slice(left, left + 4)
                covered = self.x.clone()
                covered[square] = 0
                values[square] = (self.scores(self.x[None]) - self.scores(covered[None])).item()
        return values

    def guided_integrated_gradients(self) -> Tensor:
        def gradient(at: np.ndarray) -> np.ndarray:  # by autograd: the smaller of two decides where the path goes
            leaf = torch.from_numpy(at)[None].requires_grad_()
            return torch.autograd.grad(self.scores(leaf).sum(), leaf)[0][0].numpy()

        return pair_guided(self.x, gradient, baseline=make_baseline("noise", self.x, SEED), steps=3, max_dist=0.2)

    def idgi(self) -> Tensor:
        edges, points = ([(11 ** (i / 6) - 1) / 10 for i in range(first, 7, 2)] for first in (0, 1))
        scores = [self.scores((self.x * edge)[None]).item() for edge in edges]
        squares = [self.slope(self.x * point) ** 2 for point in points]
        return sum(s / s.sum() * (b - a) for s, a, b in zip(squares, scores, scores[1:], strict=False))  # type: ignore[return-value]

    def xrai(self) -> Tensor:
        edges, points = ([(11 ** (i / 4) - 1) / 10 for i in range(first, 5, 2)] for first in (0, 1))
        total = torch.zeros_like(self.x)
        for start in (torch.zeros_like(self.x), torch.ones_like(self.x)):
            for point, width in zip(points, (edges[1] - edges[0], edges[2] - edges[1]), strict=True):
                total += self.slope(start + point * (self.x - start)) * (self.x - start) * width / 2
        segments = list(xrai.segments_of(self.x.permute(1, 2, 0).numpy(), 5))
        return torch.from_numpy(XRAI._xrai(total.sum(0).numpy(), segments, integer_segments=False)[0])[None]

    def lrp(self) -> Tensor:
        net: Any = self.classifier.network
        x = (self.x[None] - self.classifier.mean) / self.classifier.std
        return relevance_of_tiny(net, x, getattr(net, "pool", nn.AdaptiveAvgPool2d(1)), self.model.score.target)

    def rise(self) -> Tensor:
        masks = random_masks(RiseParameters(**OPTIONS["rise"]), self.model.size, SEED)
        return mean(self.scores((self.x * mask)[None]).item() * mask.double() / 0.5 for mask in masks)


def mean_gradient(features: Tensor, slopes: Tensor) -> Tensor:
    return slopes.mean((1, 2), keepdim=True) * features


def slope(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """The gradient of a batched function by central differences; by autograd where there are too many values for it."""
    if at.numel() > 1000:
        leaf = at[None].clone().requires_grad_()
        return torch.autograd.grad(function(leaf).sum(), leaf)[0][0]
    steps = 1e-6 * torch.eye(at.numel(), dtype=at.dtype).view(-1, *at.shape)
    with torch.no_grad():
        return ((function(at + steps) - function(at - steps)) / 2e-6).view(at.shape)


def mean(values: Any) -> Tensor:
    return torch.stack(list(values)).mean(0)


def check(method: str, model: Model, activation: Activation, refused: bool) -> None:
    reference = Reference(model, activation)

    def given() -> Tensor:
        options = OPTIONS.get(method, {})
        return explain(method, reference.classifier, reference.x, score=model.score, seed=SEED, **options).values

    if refused:
        with pytest.raises(Refused):
            given()
        return
    values, expected = given(), getattr(reference, method)()
    assert values.shape == expected.shape
    assert values.shape[0] == (1 if method in ONE_CHANNEL else reference.classifier.channels)
    assert float(expected.abs().max()) > 0
    assert relative(values, expected) < 1e-6


@pytest.mark.parametrize("method", ON_CNNS)
@pytest.mark.parametrize("form", FORMS)
def test_forms_of_activation(form: str, method: str) -> None:
    activation, undefined = FORMS[form]
    check(method, PLAIN, activation(), refused=method in undefined)


@pytest.mark.parametrize("method", ON_CNNS)
@pytest.mark.parametrize("name", MODELS)
def test_forms_of_network(name: str, method: str) -> None:
    model = MODELS[name]
    check(method, model, nn.ReLU(inplace=True), refused=method in LOGITS_ONLY and model.score.kind != "logit")


@pytest.mark.parametrize("method", ["guided_backprop", "deconvolution", "deep_lift"])
def test_activations_of_an_auxiliary_head_do_not_count(method: str) -> None:
    model = MODELS["tuple"].build(nn.ReLU(inplace=True))
    found = explain(method, model, random_picture()).diagnostics
    assert found.get("guided_activations", found.get("rescaled")) == 2
