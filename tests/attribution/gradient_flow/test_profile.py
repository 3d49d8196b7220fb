"""Gradient flow on tiny nets: norms by plain autograd, shares and maps by construction."""

from __future__ import annotations

import pytest
import torch
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.gradient_flow.profile import measure
from gradoscope.attribution.score import Score
from torch import nn
from torch.nn import functional as F

from tests.support.nets import Tiny, classifier, random_picture, seeded, wrap


def by_name(layers):
    return {(layer.name, layer.call): layer for layer in layers}


def names(layers):
    return [layer.name for layer in layers]


def fixed(module, weight, bias=None):
    """A convolution or linear layer with these weights."""
    module.weight.data.fill_(weight)
    module.bias.data = torch.zeros_like(module.bias) if bias is None else torch.tensor(bias)
    return module


def test_norms_are_those_of_plain_autograd():
    model, picture = wrap(Tiny(activation=nn.ReLU())), random_picture(side=12)
    layers = by_name(measure(model, picture, Score(1)))
    x, net = picture[None].requires_grad_(), model.network
    first = net.first(x)
    one = F.relu(first)
    second = net.second(one)
    two = F.relu(second)
    mean = two.mean((2, 3))
    logits = net.head(mean)
    outputs = {
        ("picture", 1): x, ("first", 1): first, ("activation", 1): one, ("second", 1): second, ("activation", 2): two,
        ("avg_pool", 1): mean, ("head", 1): logits,
    }  # fmt: skip
    for output in list(outputs.values())[1:]:
        output.retain_grad()
    logits[0, 1].backward()
    assert list(outputs) == list(layers), "in the order of computing"
    for name, output in outputs.items():
        layer, norm = layers[name], float(output.grad.double().norm())
        assert layer.shape == tuple(output.shape[1:])
        assert layer.norm == pytest.approx(norm, rel=1e-6), name
        assert layer.rms == pytest.approx(norm / output.numel() ** 0.5, rel=1e-6)
    assert layers["first", 1].kind == "Conv2d"
    assert layers["activation", 1].slopes.dead == pytest.approx(float((one == 0).float().mean()))


class FunctionalTiny(nn.Module):
    """The layers of `Tiny`, with its activations as functions, in place or not."""

    def __init__(self, tiny: Tiny, inplace: bool) -> None:
        super().__init__()
        self.first, self.second, self.head = tiny.first, tiny.second, tiny.head
        self.inplace = inplace

    def forward(self, x):
        x = F.relu(self.first(x), inplace=self.inplace)
        y = self.second(x)
        if self.inplace:
            torch.relu_(y)  # what it returns is not looked at
        else:
            y = F.relu(y)
        return self.head(y.mean((2, 3)))


@pytest.mark.parametrize("inplace", [False, True])
def test_functions_and_changes_in_place_are_seen_all_the_same(inplace):
    tiny, picture = Tiny(), random_picture(side=12)
    expected = measure(wrap(tiny), picture, Score(0))
    found = measure(wrap(FunctionalTiny(tiny, inplace)), picture, Score(0))
    assert names(found) == ["picture", "first", "relu", "second", "relu", "avg_pool", "head"]
    assert [layer.call for layer in found] == [1, 1, 1, 1, 2, 1, 1]
    for one, other in zip(found, expected, strict=True):
        assert one.norm == pytest.approx(other.norm, rel=1e-6)
        assert one.slopes == other.slopes
        assert one.into == other.into


def test_nothing_is_left_behind_in_the_model():
    model = wrap(Tiny())
    measure(model, random_picture(side=12), Score(0))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert not any(p.requires_grad or p.grad is not None for p in model.parameters())
    with pytest.raises(IndexError):
        measure(model, random_picture(side=12), Score(3))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_score_that_does_not_depend_on_the_picture_is_refused():
    class Constant(nn.Module):
        def forward(self, x):
            return torch.zeros(len(x), 3)

    with pytest.raises(Refused, match="no gradient"):
        measure(wrap(Constant()), random_picture(), Score(0))


class Through(nn.Module):
    """A 1 × 1 convolution of weight 1 of a grey picture, an activation and a mean: what goes into it is known."""

    def __init__(self, activation, offsets=(0.0,)) -> None:
        super().__init__()
        self.conv = fixed(nn.Conv2d(1, len(offsets), 1), 1.0, list(offsets))
        self.activation = activation
        self.head = nn.Linear(len(offsets), 3)

    def forward(self, x):
        return self.head(self.activation(self.conv(x)).mean((2, 3)))


def slopes_of(activation, values, offsets=(0.0,)):
    """The slopes of an activation whose input is these values plus an offset: one channel for each offset."""
    side = int(len(values) ** 0.5)
    model = wrap(Through(activation, offsets), side=side, mean=[0.0], std=[1.0])
    layers = measure(model, torch.tensor(values).view(1, side, side), Score(0))
    return layers[2].slopes


FOUR = [-1.0, 0.5, 2.0, 7.0]


@pytest.mark.parametrize(
    ("activation", "values", "dead", "saturated"),
    [
        (nn.ReLU(), FOUR, 0.25, None),
        (nn.ReLU(inplace=True), FOUR, 0.25, None),
        (nn.ReLU6(), FOUR, 0.25, 0.25),
        (nn.ReLU6(inplace=True), FOUR, 0.25, 0.25),
        (nn.Hardtanh(), FOUR, None, 0.75),
        (lambda x: x.clamp(min=0), FOUR, 0.25, None),
        (lambda x: x.clamp(0, 1), FOUR, 0.25, 0.5),
        (lambda x: x.clamp(max=1), FOUR, None, 0.5),
        (nn.Threshold(0.6, 0.0), FOUR, 0.5, None),
        (nn.Hardswish(), [-4.0, -3.0, 0.0, 5.0], 0.5, None),
        (nn.Hardsigmoid(), [-4.0, -3.0, 0.0, 5.0], None, 0.75),
        (nn.Sigmoid(), [-10.0, 0.0, 1.0, 10.0], None, 0.5),
        (nn.Tanh(), [-10.0, 0.0, 1.0, 2.0], None, 0.25),
        (nn.SiLU(), [-30.0, -1.278, 0.0, 10.0], None, 0.25),  # where its slope is 0 at −1.278 it is not flat
        (nn.GELU(), [-9.0, -0.7518, 0.0, 10.0], None, 0.25),
        (nn.ELU(), [-9.0, -1.0, 0.0, 10.0], None, 0.25),
        (nn.Softplus(), [-9.0, -1.0, 0.0, 10.0], None, 0.25),
        (nn.LeakyReLU(), FOUR, None, None),
    ],
)
def test_dead_and_saturated_activations(activation, values, dead, saturated):
    found = slopes_of(activation if isinstance(activation, nn.Module) else Functional(activation), values)
    assert (found.dead, found.saturated) == (dead, saturated)


class Functional(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_channels_that_are_dead_everywhere():
    found = slopes_of(nn.ReLU(), FOUR, offsets=(0.0, -8.0, 1.0, -1.0))
    assert found.dead == pytest.approx((1 + 4 + 1 + 2) / 16)
    assert found.dead_units == 0.25


class Pooled(nn.Module):
    def __init__(self, pool, conv=True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 1)
        self.conv.weight.data = seeded((4, 1, 1, 1), seed=3)
        self.pool = pool

    def forward(self, x):
        y = self.pool(self.conv(x))
        return torch.stack([(y * y).sum((1, 2, 3)), y.sum((1, 2, 3))], 1)


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1), nn.AdaptiveMaxPool2d(2)])
def test_a_maximum_passes_the_gradient_to_one_of_its_window(pool):
    model, picture = wrap(Pooled(pool), side=9, classes=2, mean=[0.0], std=[1.0]), seeded((1, 9, 9))
    pooling = measure(model, picture, Score(1))[2].pooling
    values = model.network.conv(picture[None])[0]
    received = torch.zeros_like(values)
    for channel, plane in enumerate(values):  # the naive way: each window's largest value gets it
        for rows, columns in windows(pool, 9):
            inside = plane[rows, columns]
            place = int(inside.argmax())
            row, column = divmod(place, inside.shape[1])
            received[channel, rows.start + row, columns.start + column] = 1
    assert pooling.kind == "maximum"
    assert pooling.received == pytest.approx(float(received.mean()))
    assert torch.allclose(torch.tensor(pooling.map), received.mean(0), atol=1e-4)


def windows(pool, side):
    if isinstance(pool, nn.AdaptiveMaxPool2d):
        count = pool.output_size
        spans = [slice(i * side // count, -(-(i + 1) * side // count)) for i in range(count)]
    else:
        count = (side + 2 * pool.padding - pool.kernel_size) // pool.stride + 1
        starts = [i * pool.stride - pool.padding for i in range(count)]
        spans = [slice(max(0, start), start + pool.kernel_size) for start in starts]
    return [(rows, columns) for rows in spans for columns in spans]


@pytest.mark.parametrize("pool", [nn.AvgPool2d(3), nn.AdaptiveAvgPool2d(3), nn.AdaptiveAvgPool2d(1)])
def test_an_average_passes_it_to_all(pool):
    model = wrap(Pooled(pool), side=9, classes=2, mean=[0.0], std=[1.0])
    pooling = measure(model, seeded((1, 9, 9)), Score(1))[2].pooling
    assert (pooling.kind, pooling.received) == ("average", 1.0)
    assert pooling.map == [[1.0] * 9] * 9


def test_a_map_is_coarse_where_the_input_is_large():
    model = wrap(Pooled(nn.MaxPool2d(2)), side=64, classes=2, mean=[0.0], std=[1.0])
    pooling = measure(model, seeded((1, 64, 64)), Score(1))[2].pooling
    assert torch.tensor(pooling.map).shape == (28, 28)
    assert pooling.received == 0.25
    assert float(torch.tensor(pooling.map).mean()) == pytest.approx(0.25, abs=0.02)


def test_layers_know_which_layers_read_their_output():
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.branch, self.head = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Linear(4, 3)

        def forward(self, x):
            x = self.stem(x)
            return self.head((x + self.branch(x).relu()).mean((2, 3)))

    layers = measure(wrap(Branching()), random_picture(), Score(0))
    assert names(layers) == ["picture", "stem", "branch", "relu", "avg_pool", "head"]
    assert [layer.into for layer in layers] == [(1,), (2, 4), (3,), (4,), (5,), ()]


@pytest.mark.parametrize("name", ["densenet121", "googlenet", "mobilenet_v3_small", "vit_tiny"])
def test_architectures(name):
    """In-place activations behind views, functional ones, gates, tokens: every layer has a norm and a name."""
    model = classifier(name, 64 if name != "vit_tiny" else None)
    layers = measure(model, model.noise_pictures(1)[0], Score(0))
    assert len(layers) > 50
    assert all(layer.norm and layer.rms for layer in layers)
    modules = dict(model.network.named_modules())
    assert all(layer.name.partition(":")[0] in modules or ":" not in layer.name for layer in layers)
    assert layers[-1].kind == "Linear"
    assert all(layer.into for layer in layers[:-1])
