"""The compiled gradient against autograd: every score, every operation, every architecture that has one."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import timm
import torch
import torchvision.models as tv
from gradoscope.attribution.backends.compiled import CompiledBackend, direction_of, gradient_of
from gradoscope.attribution.backends.folding import fold_batch_norm
from gradoscope.attribution.backends.tape import Unsupported, record
from gradoscope.attribution.gradients import take_gradients
from gradoscope.attribution.score import Score
from torch import Tensor, nn

from tests.attribution.backends.test_folding import smooth
from tests.support.nets import Tiny, narrow, random_picture, relative, vgg11, wrap

pytest.importorskip("gradoscope.attribution.backends.runtime")

PICTURES = torch.stack([random_picture(seed=seed) for seed in range(3)])
SCORES = [
    Score(2),
    Score(0, against=1),
    Score(1, "log_probability"),
    Score(1, "probability"),
    Score(1, "log_probability", multilabel=True),
    Score(1, "probability", multilabel=True),
]


@pytest.mark.parametrize("score", SCORES, ids=str)
def test_scores(score: Score) -> None:
    network = wrap(Tiny())
    actual = CompiledBackend(network, batch=3).gradients(PICTURES, score)
    assert relative(actual, take_gradients(network, PICTURES, score)) < 1e-5


def test_direction_of_a_class_that_does_not_exist() -> None:
    with pytest.raises(IndexError):
        direction_of(Score(3), 3)


@pytest.mark.parametrize("count", [1, 3, 4, 7])
def test_any_number_of_pictures(count: int) -> None:
    network = wrap(Tiny())
    pictures = torch.stack([random_picture(seed=seed) for seed in range(count)])
    actual = CompiledBackend(network, batch=3).gradients(pictures, Score(1))
    assert relative(actual, take_gradients(network, pictures, Score(1))) < 1e-5


def test_results_are_the_callers_own() -> None:
    """The next call does not change them."""
    compiled = CompiledBackend(wrap(Tiny()), batch=3)
    first = compiled.gradients(PICTURES, Score(1))
    kept = first.clone()
    compiled.gradients(PICTURES.flip(0), Score(0))
    assert torch.equal(first, kept)


class Of(nn.Module):
    """A network around one operation on (N, 6, 9, 9)."""

    def __init__(self, operation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.operation = nn.Conv2d(3, 6, 3, padding=2, stride=1), operation

    def forward(self, x: Tensor) -> Tensor:
        y = self.operation(self.first(x)[:, :, :9, :9])
        return torch.cat([(y * y).flatten(1).mean(1, keepdim=True) * k for k in (1, 2, 3)], 1)


def conv(*arguments: int, **options: int) -> nn.Module:
    torch.manual_seed(1)
    return nn.Conv2d(*arguments, **options)


OPERATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "convolution with stride": conv(6, 4, 3, stride=2),
    "convolution with stride that leaves a rest": conv(6, 4, 2, stride=3),
    "convolution with stride and padding": conv(6, 4, 5, stride=2, padding=2),
    "convolution to few channels": nn.Sequential(conv(6, 3, 1), conv(3, 5, 3, padding=1)),
    "convolution to few channels, with stride": nn.Sequential(conv(6, 3, 1), conv(3, 40, 7, stride=2, padding=3)),
    "convolution of patches": nn.Sequential(conv(6, 3, 1), conv(3, 8, 4, stride=4)),
    "convolution with a stride wider than its kernel": nn.Sequential(conv(6, 3, 1), conv(3, 4, 2, stride=3)),
    "convolution 1 × 1 with stride": conv(6, 4, 1, stride=2, bias=False),
    "convolution 1 × 1 with padding": conv(6, 4, 1, padding=1),
    "dilated convolution": conv(6, 4, 3, dilation=2, padding=1),
    "grouped convolution": conv(6, 12, 3, groups=3, padding=1),
    "depthwise convolution": conv(6, 6, 3, groups=6, padding=1),
    "depthwise convolution with stride": conv(6, 6, 5, groups=6, padding=2, stride=2),
    "depthwise convolution with a multiplier": conv(6, 12, 3, groups=6),
    "batch normalisation": nn.BatchNorm2d(6).eval(),
    "layer normalisation": lambda x: x * nn.functional.layer_norm(x, (9,)),
    "max pooling": nn.MaxPool2d(2),
    "max pooling with overlap": nn.MaxPool2d(3, 2, 1),
    "max pooling of the smallest": lambda x: nn.functional.max_pool2d(x[:, :, :2, :2], 3, 1, 1),
    "max pooling with dilation": nn.MaxPool2d(2, 2, 1, dilation=3),
    "max pooling, ceiling": nn.MaxPool2d(3, 2, ceil_mode=True),
    "adaptive pooling": nn.AdaptiveAvgPool2d((4, 2)),
    "adaptive pooling to more": nn.AdaptiveAvgPool2d(12),
    "average pooling": nn.AvgPool2d(3),
    "average pooling with overlap": nn.AvgPool2d(3, 2, 1),
    "average pooling, ceiling without a rest": nn.AvgPool2d(3, 2, ceil_mode=True),
    "pooling to one value": nn.AdaptiveAvgPool2d(1),
    "ReLU": nn.ReLU(),
    "ReLU in place": lambda x: nn.functional.relu_(x * 1),
    "ReLU6": nn.ReLU6(),
    "ReLU6 in place": lambda x: nn.functional.relu6(x * 9, inplace=True),
    "SiLU": nn.SiLU(),
    "SiLU in place": lambda x: nn.functional.silu(x * 2, inplace=True),
    "hardswish": lambda x: nn.functional.hardswish(x * 4),
    "hardsigmoid": lambda x: nn.functional.hardsigmoid(x * 4),
    "GELU": nn.GELU(),
    "sigmoid": lambda x: x * x.sigmoid(),
    "squeeze and excitation": lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(),
    "concatenation": lambda x: torch.cat([x.relu(), x * 2], 1),
    "residual in place": lambda x: nn.functional.relu_(x.clone().add_(x * 2)),
    "split": lambda x: torch.cat([part.relu() * k for k, part in enumerate(x.chunk(2, 1), 1)], 1),
    "shuffle": lambda x: x.view(-1, 2, 3, 9, 9).transpose(1, 2).flatten(1, 2) * x,
    "scale and shift": lambda x: (1 - x) / 3 - x * 0.5 + 2,
    "padding": lambda x: nn.functional.pad(x, (1, 2, 0, 1)).relu(),
    "leaky ReLU": nn.LeakyReLU(0.2),
    "leaky ReLU in place": lambda x: nn.functional.leaky_relu(x * 2, 0.1, inplace=True),
    "tanh": nn.Tanh(),
    "reflection padding": lambda x: nn.functional.pad(x, (1, 2, 3, 0), mode="reflect").relu(),
    "attention": lambda x: nn.functional.scaled_dot_product_attention(x, x * 2, x.tanh()),
    "softmax": lambda x: x.softmax(-1) * x,
    "unbind and stack": lambda x: torch.stack([p.relu() * k for k, p in enumerate(x.unbind(2), 1)], -1) * 2,
    "one position": lambda x: x[:, :, -2] * x[:, :, 3],
    "rolled": lambda x: torch.roll(x, (1, -2), (2, 3)).relu(),
    "permuted": lambda x: x.permute(0, 2, 3, 1).relu().permute(0, 3, 1, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(name: str) -> None:
    """Alone between a convolution and a mean; squared, so that its own gradient varies."""
    network = wrap(Of(OPERATIONS[name]))
    actual = CompiledBackend(network, batch=3).gradients(PICTURES, Score(1))
    expected = take_gradients(network, PICTURES, Score(1))
    assert float(expected.norm()) > 0
    assert relative(actual, expected) < 1e-5


def averaging(network: nn.Module) -> nn.Module:
    """The network without max pooling: in five of them one after the other, rounding alone changes which value is the
    largest."""
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.MaxPool2d):
            network.set_submodule(name, nn.AvgPool2d(2))
    return network


NETS = {
    "resnet18": lambda: narrow("resnet18"),
    "resnext": lambda: tv.ResNet(tv.resnet.Bottleneck, [1, 1, 1, 1], groups=32, width_per_group=4),
    "vgg11": lambda: averaging(vgg11()),
    "densenet": lambda: tv.DenseNet(8, (2, 2, 2, 2), 16),  # 8 of densenet121's 58 layers, which are all alike
    "mobilenet_v3_small": tv.mobilenet_v3_small,
    "googlenet": lambda: narrow("googlenet"),
    "squeezenet1_1": tv.squeezenet1_1,
    "shufflenet_v2": tv.shufflenet_v2_x0_5,
    "regnet_y_400mf": tv.regnet_y_400mf,
    "efficientnet_b0": tv.efficientnet_b0,
    "tf_efficientnet_lite0": lambda: timm.create_model("tf_efficientnet_lite0"),
    "convnext_atto": lambda: timm.create_model("convnext_atto"),
    "vit": lambda: timm.create_model("vit_tiny_patch16_224", img_size=64, depth=3),
    "swin": lambda: timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=64, window_size=2, depths=(2, 2), embed_dim=24, num_heads=(1, 2)
    ),
    "tresnet_m": lambda: timm.create_model("tresnet_m"),
}


@pytest.mark.parametrize("name", NETS)
def test_folded_and_compiled_without_kinks(name: str) -> None:
    """To 1e-4 of the gradient by autograd, with smooth activations: a ReLU could switch by rounding."""
    torch.manual_seed(0)
    network = wrap(smooth(NETS[name]()), 64, 1000)
    x = torch.stack([random_picture(side=64, seed=seed) for seed in range(2)])
    actual = CompiledBackend(fold_batch_norm(network), batch=2).gradients(x, Score(3))
    assert relative(actual, take_gradients(network, x, Score(3))) < 1e-4


class Viewed(Tiny):
    """Changes a tensor in place after a view of it was taken, and goes on with the view."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        seen = y[:, :3]
        y.relu_()
        return super().forward(seen)


class Branching(Tiny):
    """Branches on the values of a tensor."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if float(x.sum()) > 0 else -x)


class Foreign(Tiny):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.erfinv(x * 0.5))


@pytest.mark.parametrize(
    ("network", "error"),
    [
        (Viewed(), Unsupported),
        (Branching(), RuntimeError),
        (Foreign(), Unsupported),
        (Of(nn.Softplus(threshold=5)), Unsupported),
        (Of(nn.AvgPool2d(2, 2, ceil_mode=True)), Unsupported),
    ],
)
def test_networks_that_have_no_graph(network: nn.Module, error: type[Exception]) -> None:
    with pytest.raises(error):
        CompiledBackend(wrap(network), batch=2)


def test_recording_leaves_the_network_as_it_was() -> None:
    network = wrap(Tiny())
    before = {key: value.clone() for key, value in network.state_dict().items()}
    record(network, ((2, 3, 8, 8),), lambda net, x: (net(x),))
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


class Linears(nn.Module):
    """Two linear layers; the second has a square weight, whose transpose has the same shape."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(3 * 8 * 8, side), nn.Linear(side, side), nn.Linear(side, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.second(self.first(x.flatten(1)).sigmoid()).sigmoid())


@pytest.mark.parametrize("side", [48, 1024])  # of a constant, and of a weight that is read in place
@pytest.mark.parametrize("count", [1, 3])
def test_square_weights_forward_and_backward(side: int, count: int) -> None:
    torch.manual_seed(0)
    network = wrap(Linears(side))
    actual = CompiledBackend(network, batch=count).gradients(PICTURES[:count], Score(1))
    assert relative(actual, take_gradients(network, PICTURES[:count], Score(1))) < 1e-5


def test_large_linear_weights_are_not_copied() -> None:
    """They are inputs of the graph, at PyTorch's own addresses, once for each direction; no constant is as large."""
    from gradoscope.attribution.backends.graph import graph_of

    network = wrap(Linears(1024))
    graph, weights = graph_of(record(network, ((1, 3, 8, 8), (1, 3), (1, 1)), gradient_of))
    second = network.network.second.weight
    assert [values.ctypes.data for values in weights] == [second.data_ptr()] * 2
    constants = [one for one in graph.get_ops() if one.get_type_name() == "Constant"]
    assert max(math.prod(one.get_output_shape(0)) for one in constants) < second.numel()


def test_an_address_stands_for_one_constant() -> None:
    from gradoscope.attribution.backends.translation import collected_weights, node

    weight = torch.rand(4, 4)
    with collected_weights():
        first, second = node(weight), node(weight)
    assert first.data.ctypes.data == weight.data_ptr() != second.data.ctypes.data
