"""The inspection: what one probing pass finds, and who made it."""

from __future__ import annotations

from collections import Counter

import torch
import torch.nn.functional as F
from gradoscope.attribution.inspection import NonlinearOperation, inspection_of
from torch import Tensor, nn

from tests.support.nets import Linear, Tiny, classifier, wrap


def test_operations_are_told_by_the_innermost_module_that_puts_them_out() -> None:
    """Not by the containers that hand its output on; and a function within a module goes by that module."""

    class Block(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.silu(x)

    network = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.ReLU(inplace=True))),
        *(nn.MaxPool2d(2), Block(), nn.Flatten(), nn.Linear(36, 3)),
    )
    found = inspection_of(wrap(network)).nonlinear
    assert found == {
        NonlinearOperation("Relu", nn.ReLU): 1,
        NonlinearOperation("MaxPool2DWithIndices", nn.MaxPool2d): 1,
        NonlinearOperation("Silu", Block): 1,
    }
    assert [str(operation) for operation in sorted(found, key=str)] == [
        "maxpool2dwithindices (MaxPool2d)",
        "relu (ReLU)",
        "silu (Block)",
    ]


def test_operation_after_a_module_is_not_the_modules() -> None:
    inspection = inspection_of(wrap(Tiny(lambda x: F.relu(x))))
    assert inspection.nonlinear == {NonlinearOperation("Relu", None): 2}
    assert str(NonlinearOperation("Relu", None)) == "relu (no module)"


def test_batch_normalisation_by_stored_statistics_is_linear() -> None:
    assert inspection_of(classifier("resnet18", 64)).nonlinear == {
        NonlinearOperation("Relu", nn.ReLU): 17,
        NonlinearOperation("MaxPool2DWithIndices", nn.MaxPool2d): 1,
    }


def test_linear_network_has_a_way_and_nothing_on_it() -> None:
    inspection = inspection_of(wrap(Linear()))
    assert inspection.differentiable
    assert not inspection.nonlinear
    assert not inspection.guided


def test_network_without_a_way() -> None:
    class Detached(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.detach())

    inspection = inspection_of(wrap(Detached()))
    assert not inspection.differentiable
    assert (inspection.guided, inspection.nonlinear) == (Counter(), Counter())
    assert [layer.name for layer in inspection.layers] == ["first", "second", "activation"]


def test_rectifiers_are_told_from_other_activations() -> None:
    class Mixed(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            x = F.hardtanh(F.relu6(self.first(x)))
            return self.head(F.leaky_relu(self.second(x).clamp(min=0)).mean((2, 3)))

    inspection = inspection_of(wrap(Mixed()))
    assert inspection.guided == {"Hardtanh": 2, "Clamp": 1, "LeakyRelu": 1}
    assert inspection.unrectified == {"hardtanh": 1, "leakyrelu": 1}


def test_probe_is_as_the_classifier_says() -> None:
    shown: list[tuple[int, ...]] = []

    class Keeping(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            shown.append(tuple(x.shape))
            return super().forward(x)

    model = wrap(Keeping(channels=1), mean=(0.0,), std=(1.0,)).at((6, 10))
    assert [layer.shape for layer in inspection_of(model).layers] == [(6, 6, 10), (8, 3, 5), (8, 3, 5)]
    assert set(shown) == {(1, 1, 6, 10)}
    assert not torch.is_inference_mode_enabled()
