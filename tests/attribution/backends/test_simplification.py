"""What the compiled gradient of a network's first layers is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
import torch
from gradoscope.attribution.backends.compiled import CompiledBackend, gradient_of
from gradoscope.attribution.backends.simplification import BACKWARD, simplified
from gradoscope.attribution.backends.tape import Tape, record
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.gradients import take_gradients
from gradoscope.attribution.score import Score
from torch import Tensor, nn

from tests.support.nets import random_picture, relative, wrap

pytest.importorskip("gradoscope.attribution.backends.runtime")
from gradoscope.attribution.backends.graph import graph_of
from gradoscope.attribution.backends.translated_convolutions import block_side

BOUND = 1e-5
NORMALISED = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.5]}


class Stem(nn.Module):
    """Padding, a convolution with stride, a mean: as «same» padding makes it. `before` is done to the picture."""

    def __init__(self, before: Callable[[Tensor], Tensor] = lambda x: x, stride: int = 2) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.before, self.convolution = before, nn.Conv2d(3, 20, 3, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolution(nn.functional.pad(self.before(x), (0, 1, 1, 2))).relu()
        return y.mean((2, 3))[:, :3]


def tape_of(classifier: Classifier) -> Tape:
    return record(classifier, ((2, 3, *classifier.size), (2, 3), (2, 1)), gradient_of)


def names(tape: Tape) -> Counter[str]:
    return Counter(operation.name for operation in tape.operations)


def error_of(classifier: Classifier) -> float:
    """Of the compiled gradient, relative to autograd's."""
    pictures = torch.stack([random_picture(side=classifier.size[0], seed=seed) for seed in range(2)])
    actual = CompiledBackend(classifier, batch=2).gradients(pictures, Score(1))
    return relative(actual, take_gradients(classifier, pictures, Score(1)))


def test_crops_and_scales_go_into_the_convolution() -> None:
    classifier = wrap(Stem(), **NORMALISED)
    before, after = names(tape_of(classifier)), names(simplified(tape_of(classifier)))
    assert before["aten.constant_pad_nd.default"] - after["aten.constant_pad_nd.default"] == 1
    assert before["aten.div.Tensor"] - after["aten.div.Tensor"] == 1
    (gradient,) = [o for o in simplified(tape_of(classifier)).operations if o.name == BACKWARD]
    assert gradient.kwargs["margins"] == (0, 1, 1, 2)
    assert error_of(classifier) < BOUND


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_several_crops_add_up(stride: int) -> None:
    padded_twice = Stem(lambda x: nn.functional.pad(x, (2, 0, 0, 1)), stride)
    assert error_of(wrap(padded_twice, **NORMALISED)) < BOUND


def test_a_gradient_that_others_read_too_is_left_alone() -> None:
    """x and its padded copy both reach the logits: their gradients are added."""

    class Twice(Stem):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + self.convolution(x).mean((2, 3))[:, :3]

    tape = tape_of(wrap(Twice(), **NORMALISED))
    scales = [o for o in simplified(tape).operations if o.name == "aten.div.Tensor" and isinstance(o.args[1], Tensor)]
    assert scales, "the sum of both gradients is divided, neither of them alone"
    assert error_of(wrap(Twice(), **NORMALISED)) < BOUND


def test_a_factor_that_varies_over_the_picture_is_left_alone() -> None:
    class Masked(nn.Module):
        def __init__(self, mask: Tensor) -> None:
            super().__init__()
            self.register_buffer("mask", mask)

        def forward(self, x: Tensor) -> Tensor:
            return x * self.mask

    torch.manual_seed(0)
    for shape in ((1, 3, 8, 8), (1, 3, 8, 1), (8,), (3, 1, 1), (1, 1, 1)):
        assert error_of(wrap(Stem(Masked(torch.rand(shape))))) < BOUND


@pytest.mark.parametrize(
    ("channels", "kernel", "stride", "side"),
    [
        (3, 3, 2, 2),  # a stem: 4 · 3 channels of 16 instead of 3
        (3, 7, 2, 2),
        (3, 11, 4, 4),
        (3, 16, 16, 16),  # patches: each is a matrix product
        (3, 3, 1, 2),
        (64, 3, 2, None),  # enough channels: blocks would multiply by zeros
        (64, 3, 1, None),
        (512, 1, 2, None),
    ],
)
def test_block(channels: int, kernel: int, stride: int, side: int | None) -> None:
    assert block_side(channels, [kernel] * 2, [stride] * 2) == side


@pytest.mark.parametrize("padding", [0, 1, 3])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (7, 2), (5, 3), (4, 4), (2, 3), (11, 4)])
def test_blocks_are_the_gradient(kernel: int, stride: int, padding: int) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 6, kernel, stride, min(padding, kernel // 2)), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    assert error_of(wrap(network, 17, 6)) < BOUND


def test_nothing_is_repeated_in_memory() -> None:
    """The gradient of a mean is the same at each position: the activation's derivative repeats it."""
    graph, _ = graph_of(tape_of(wrap(Stem())))
    assert "Broadcast" not in [node.get_type_name() for node in graph.get_ops()]
