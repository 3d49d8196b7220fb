"""Pieces of what goes into a pooling: their windows are the pooling's own, by pooling the piece and the whole map."""

from __future__ import annotations

import pytest
import torch
from gradoscope.attribution.gradient_flow.profile import measure
from gradoscope.attribution.score import Score
from torch import nn
from torch.nn import functional as F

from tests.support.nets import lite0, seeded, wrap


class Pooled(nn.Module):
    """Four channels, pooled; the first score depends on each output by its square."""

    def __init__(self, pool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 1)
        self.conv.weight.data = seeded((4, 1, 1, 1), seed=3)
        self.pool = pool

    def forward(self, x):
        y = self.pool(self.conv(x))
        return torch.stack([(y * y).flatten(1).sum(1), y.flatten(1).sum(1)], 1)


def found(pool, height, width=None):
    model = wrap(Pooled(pool), side=height, classes=2, mean=[0.0], std=[1.0])
    picture = seeded((1, height, width or height), seed=5)
    layers = measure(model, picture, Score(0))
    return layers[2].pooling.excerpt, model.network.conv(picture[None])[0].detach()


SIZES = [(9, 9), (16, 16), (17, 40), (64, 64), (14, 50)]
POOLS = [
    nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(3, 1, 1), nn.MaxPool2d(2, 3),
    nn.MaxPool2d(3, 2, ceil_mode=True),
    nn.AvgPool2d(3), nn.AvgPool2d(3, 2, 1), nn.AvgPool2d(3, 2, 1, count_include_pad=False),
]  # fmt: skip


@pytest.mark.parametrize("sides", SIZES)
@pytest.mark.parametrize("pool", POOLS, ids=str)
def test_windows_of_the_piece_are_windows_of_the_map(pool, sides):
    piece, maps = found(pool, *sides)
    window, values = piece.window, torch.tensor(piece.values)
    rows, columns = values.shape
    assert max(rows, columns) <= 16
    plane = maps[piece.channel, piece.row : piece.row + rows, piece.column : piece.column + columns]
    torch.testing.assert_close(values, plane, rtol=1e-3, atol=0)
    function = F.max_pool2d if isinstance(pool, nn.MaxPool2d) else F.avg_pool2d
    small = function(plane[None], window.size, window.stride, window.padding)[0]
    whole = pool(maps[None])[0, piece.channel]
    edge = pool.padding - window.padding  # where a map begins in its padding, a piece without begins later
    top, left = ((start + edge) // pool.stride for start in (piece.row, piece.column))
    assert (piece.row + edge) % pool.stride == (piece.column + edge) % pool.stride == 0
    torch.testing.assert_close(small, whole[top : top + small.shape[0], left : left + small.shape[1]])
    assert small.numel() >= 4


def test_the_piece_holds_the_place_that_brings_most():
    model = wrap(Pooled(nn.MaxPool2d(2)), side=64, classes=2, mean=[0.0], std=[1.0])
    picture = 0.01 * seeded((1, 64, 64), seed=5)
    picture[0, 47, 12] = 100.0
    piece = measure(model, picture, Score(0))[2].pooling.excerpt
    assert piece.channel == int(model.network.conv.weight.abs().flatten().argmax())
    assert piece.row <= 47 < piece.row + 16
    assert piece.column <= 12 < piece.column + 16


def test_a_channel_that_is_zero_is_not_shown_however_large_its_gradient():
    model = wrap(nn.Sequential(nn.Conv2d(1, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2)),
                 side=8, classes=2, mean=[0.0], std=[1.0])  # fmt: skip
    model.network[0].weight.data = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    model.network[0].bias.data.zero_()
    model.network[3].weight.data = torch.tensor([[9.0, 1.0], [9.0, 1.0]])
    assert measure(model, seeded((1, 8, 8)), Score(1))[2].pooling.excerpt.channel == 1


@pytest.mark.parametrize("pool", [nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1)])
def test_one_window_over_the_whole_map(pool):
    piece, maps = found(pool, 7)
    assert (piece.window.size, piece.row, piece.column) == (None, 0, 0)
    torch.testing.assert_close(torch.tensor(piece.values), maps[piece.channel], rtol=1e-3, atol=0)
    assert found(pool, 17)[0] is None  # a part of it would have another mean


def test_adaptive_windows_of_one_size():
    piece, _ = found(nn.AdaptiveAvgPool2d(3), 9)
    assert (piece.window.size, piece.window.stride, piece.window.padding) == (3, 3, 0)


class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


@pytest.mark.parametrize(
    "pool", [nn.MaxPool2d((2, 3)), nn.MaxPool2d(3, 1, 0, 2), nn.AdaptiveAvgPool2d(4), nn.MaxPool2d(17), Mean()], ids=str
)
def test_there_is_none_where_no_grid_can_say_it(pool):
    assert found(pool, 18)[0] is None


def test_an_input_that_is_not_finite_has_none():
    model = wrap(Pooled(nn.MaxPool2d(2)), side=8, classes=2, mean=[0.0], std=[1.0])
    model.network.conv.bias.data[:] = float("inf")
    assert measure(model, seeded((1, 8, 8)), Score(1))[2].pooling.excerpt is None


def test_the_mean_that_ends_the_default_model_has_one():
    """Of a mean autograd keeps the sizes only; its values are those that went into its module."""
    layers = measure(lite0(), torch.rand(3, 224, 224), Score(1))
    pooling = next(layer.pooling for layer in layers if layer.pooling is not None)
    assert pooling.excerpt.window.size is None
    assert torch.tensor(pooling.excerpt.values).shape == (7, 7)


def test_a_sum_of_layers_is_known():
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.branch, self.head = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Linear(4, 3)
            self.place = nn.Parameter(torch.ones(4, 1, 1))

        def forward(self, x):
            y = torch.relu(self.stem(x) + self.place)
            y = torch.relu(y + self.branch(y))
            return self.head(y.mean((2, 3)))

    layers = measure(wrap(Residual()), torch.rand(3, 8, 8), Score(1))
    assert [layer.sum for layer in layers] == [False, False, False, False, True, False, False]
