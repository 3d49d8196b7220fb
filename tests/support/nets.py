"""Networks for the tests: closed-form ones, tiny seeded ones, well-known architectures with seeded random weights."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import timm
import torch
import torchvision.models as tv
from gradoscope.attribution.backends.backend import Backend
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.methods.base import Attribution, Progress, find_method
from gradoscope.attribution.score import Score
from gradoscope.images.decode import decode
from gradoscope.images.preprocess import PreprocessedImage, preprocess
from gradoscope.images.samples import read_sample
from gradoscope.settings import Settings
from gradoscope.zoo.zoo import Zoo
from PIL import Image
from torch import Tensor, nn

from tests.support.narrow import narrowed

LITE0 = "efficientnet_lite0"


NARROW = 4
# these have a quarter of their channels; all others have widths that are no multiple of it, or are quick as they are
NARROWED: dict[str, Callable[[], nn.Module]] = {
    "resnet18": tv.resnet18,
    "vgg11": tv.vgg11,
    "vgg11_bn": tv.vgg11_bn,
    "alexnet": tv.alexnet,
    "googlenet": lambda: tv.googlenet(init_weights=False),
    "inception_v3": lambda: tv.inception_v3(init_weights=False),
    "densenet121": tv.densenet121,
}


def narrow(name: str) -> nn.Module:
    return narrowed(NARROWED[name], NARROW)


def vgg11(*, batch_norm: bool = False) -> nn.Module:
    """torchvision's VGG-11, narrow, and with 64 values in both hidden linear layers."""
    network = narrow("vgg11_bn" if batch_norm else "vgg11")
    widths = (512 // NARROW * 7 * 7, 64, 64, 1000)
    for place, inner, outer in zip((0, 3, 6), widths, widths[1:], strict=False):
        network.classifier[place] = nn.Linear(inner, outer)
    return network


def swin_tiny() -> nn.Module:
    """torchvision's, narrow too: drawing 28 million weights takes longer than inspecting it."""
    return tv.SwinTransformer([4, 4], 24, [2, 2, 6, 2], [1, 2, 4, 8], [7, 7], stochastic_depth_prob=0.2)


# name: (how to build it, side of the square picture it is made for)
ARCHITECTURES: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "resnet18": (lambda: narrow("resnet18"), 224),
    "vgg11": (vgg11, 224),
    "alexnet": (lambda: narrow("alexnet"), 224),
    "squeezenet1_1": (tv.squeezenet1_1, 224),
    "googlenet": (lambda: narrow("googlenet"), 224),
    "inception_v3": (lambda: narrow("inception_v3"), 299),
    "densenet121": (lambda: narrow("densenet121"), 224),
    "mnasnet": (tv.mnasnet0_5, 224),
    "shufflenet_v2": (tv.shufflenet_v2_x0_5, 224),
    "regnet_y_400mf": (tv.regnet_y_400mf, 224),
    "mobilenet_v3_small": (tv.mobilenet_v3_small, 224),
    "mobilenet_v3_large": (tv.mobilenet_v3_large, 224),
    "efficientnet_b0": (tv.efficientnet_b0, 224),
    "torchvision_swin_tiny": (swin_tiny, 224),
    "mobilenetv3_small_100": (lambda: timm.create_model("mobilenetv3_small_100"), 224),
    "tf_efficientnet_lite0": (lambda: timm.create_model("tf_efficientnet_lite0"), 224),
    "convnext_atto": (lambda: timm.create_model("convnext_atto"), 224),
    "tresnet_m": (lambda: timm.create_model("tresnet_m"), 224),
    "vit_tiny": (lambda: timm.create_model("vit_tiny_patch16_224"), 224),
    "vit_64": (lambda: timm.create_model("vit_tiny_patch16_224", img_size=64, depth=3), 64),
    "swin_tiny": (
        lambda: timm.create_model("swin_tiny_patch4_window7_224", embed_dim=24, num_heads=(1, 2, 4, 8)),
        224,
    ),
}


@lru_cache(maxsize=4)
def classifier(name: str, side: int | None = None) -> Classifier:
    """A well-known architecture with seeded random weights, for pictures of `side`; shared, so leave it as it is."""
    build, usual = ARCHITECTURES[name]
    torch.manual_seed(0)
    return wrap(build(), side or usual, classes=1000)


@lru_cache(maxsize=1)
def lite0() -> Classifier:
    """The real EfficientNet-Lite0, run as it is written: quicker ways to its gradients have tests of their own."""
    return Zoo(Settings(device="cpu", acceleration="none")).load(LITE0).classifier


def wrap(network: nn.Module, side: int = 8, classes: int = 3, **options: Any) -> Classifier:
    """`network` as a classifier of square pictures."""
    return Classifier(network, size=(side, side), labels=[f"class {i}" for i in range(classes)], **options)


class Linear(nn.Module):
    """y = W·x, with a weight for each pixel value: the gradient is W everywhere."""

    def __init__(self, side: int = 8, classes: int = 3, seed: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(seeded((classes, 3, side, side), seed))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("nchw,kchw->nk", x, self.weight)


class Quadratic(Linear):
    """y = Σ (a x² + b x), pixel by pixel: the gradient is 2 a x + b."""

    def __init__(self, side: int = 8, classes: int = 3, seed: int = 0) -> None:
        super().__init__(side, classes, seed)
        self.square = nn.Parameter(seeded((classes, 3, side, side), seed + 1))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.einsum("nchw,kchw->nk", x * x, self.square)


class Sine(Linear):
    """y = Σ sin(a x), pixel by pixel: the gradient is a cos(a x). As PAIR saliency's own tests have it."""

    def forward(self, x: Tensor) -> Tensor:
        return (x[:, None] * self.weight * 3).sin().sum((2, 3, 4))


class Product(nn.Module):
    """y_k = (u_k · x)(v_k · x): quadratic, with every pixel coupled to every other."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = Linear(seed=1), Linear(seed=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.one(x) * self.other(x)


class Keeping(Linear):
    """A linear score that remembers in `shown` the pictures at which its gradient was taken."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad:
            self.shown.extend(x.detach())
        return super().forward(x)


class Tiny(nn.Module):
    """Two convolutions, each with an activation, and a linear layer: a CNN of the smallest kind."""

    def __init__(
        self,
        activation: Callable[[Tensor], Tensor] | None = None,
        classes: int = 3,
        seed: int = 0,
        channels: int = 3,
    ) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.first = nn.Conv2d(channels, 6, 3, padding=1)
            self.second = nn.Conv2d(6, 8, 3, stride=2, padding=1)
            self.head = nn.Linear(8, classes)
        self.activation = activation or nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.activation(self.first(x))
        x = self.activation(self.second(x))
        return self.head(x.mean((2, 3)))


def seeded(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def random_picture(side: int = 8, seed: int = 0, width: int | None = None) -> Tensor:
    return torch.rand((3, side, width or side), generator=torch.Generator().manual_seed(seed))


def sample_picture(name: str, model: str = LITE0) -> Image.Image:
    """A sample as the model sees it."""
    spec = Zoo(Settings(device="cpu")).spec(model)
    return preprocess(decode(read_sample(name), max_pixels=10**8), spec.input).picture


def sample_pixels(name: str, side: int | None = None) -> Tensor:
    """A sample as Lite0 sees it, scaled to `side` where one is given: (3, H, W) in [0, 1]."""
    picture = sample_picture(name)
    if side:
        picture = picture.resize((side, side))
    return torch.from_numpy(PreprocessedImage(picture, (0, 0, *picture.size)).pixels)


def steps_of(
    method: str,
    classifier: Classifier,
    picture: Tensor,
    *,
    score: Score | None = None,
    seed: int = 0,
    micro_batch: int = 4,
    backend: Backend | None = None,
    **options: Any,
):
    """The generator of a method, as the pipeline makes it."""
    found = find_method(method)
    parameters = found.Parameters.model_validate(options)
    found.check(classifier, parameters)
    engine = Engine(classifier, score or Score(0), backend, micro_batch=micro_batch)
    return found.attribute(engine, picture, parameters, seed)


def finish(steps: Any) -> tuple[list[Progress], Attribution]:
    """All that a method yields, and what it returns."""
    yielded = []
    while True:
        try:
            yielded.append(next(steps))
        except StopIteration as end:
            return yielded, end.value


def explain(method: str, classifier: Classifier, picture: Tensor, **options: Any) -> Attribution:
    """Run a method to its end."""
    return finish(steps_of(method, classifier, picture, **options))[1]


def gradient(classifier: Classifier, picture: Tensor, score: Callable[[Tensor], Tensor]) -> Tensor:
    """The gradient of `score(logits)` by plain autograd, one picture at a time: what the engine is checked against."""
    x = picture[None].clone().requires_grad_()
    return torch.autograd.grad(score(classifier(x)).sum(), x)[0][0]


def relative(actual: Tensor, expected: Tensor) -> float:
    """Relative L2 distance; of two maps of zeros, as ReLU makes some CAMs, 0."""
    actual, expected = (torch.as_tensor(values).detach().double() for values in (actual, expected))
    distance, size = float((actual - expected).norm()), float(expected.norm())
    return distance / size if size else distance and float("inf")


def complete(completeness: dict[str, Any], below: float = 1e-3) -> bool:
    """Whether a map sums to what it should, within the relative error `below`; by its diagnostics."""
    expected = completeness["expected"]
    return abs(completeness["attributed"] - expected) <= below * max(abs(expected), 1e-6)


def png(picture: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", **options)
    return out.getvalue()
