"""The classifier: frozen, its normalisation its first step, its answer plain logits."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable

import pytest
import torch
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.inspection import inspection_of
from torch import Tensor, nn

from tests.support.nets import Linear, Tiny, classifier, lite0, random_picture, wrap


def test_frozen_and_in_eval_mode() -> None:
    network = nn.Sequential(Tiny(), nn.Dropout(0.9), nn.BatchNorm1d(3))
    model = wrap(network)
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    x = random_picture()[None]
    assert torch.equal(model(x), model(x))


def test_normalisation_is_the_first_step() -> None:
    network, mean, std = Linear(), torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 0.25, 2.0])
    model = wrap(network, mean=mean.tolist(), std=std.tolist())
    x = random_picture()[None]
    expected = network((x - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1))
    assert torch.allclose(model(x), expected, atol=1e-5)


def test_weights_are_under_the_networks_own_names() -> None:
    """mean and std belong to the card, not to the weights."""
    assert set(wrap(Linear()).state_dict()) == {"network.weight"}


class Answering(Linear):
    """A network that wraps its logits in `output`."""

    def __init__(self, output: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.output = output

    def forward(self, x: Tensor) -> Tensor:
        return self.output(super().forward(x))  # type: ignore[return-value]


@pytest.mark.parametrize("output", [lambda y: y[:, :, None], lambda y: [], lambda y: {}, lambda y: None, lambda y: "y"])
def test_answer_that_is_no_logits_is_an_error(output: Callable[[Tensor], object]) -> None:
    with pytest.raises(ValueError, match=r"logits of shape \(N, classes\)"):
        wrap(Answering(output))(random_picture()[None])


Named = namedtuple("Named", ("aux", "logits"))


@pytest.mark.parametrize(
    "output",
    [
        lambda y: (y, -y),
        lambda y: [y, -y],
        lambda y: {"logits": y, "aux": -y},
        lambda y: {"aux": -y, "logits": y},
        lambda y: Named(-y, y),
        lambda y: {"out": y},
    ],
)
def test_auxiliary_heads_are_left_aside(output: Callable[[Tensor], object]) -> None:
    x = random_picture()[None]
    assert torch.equal(wrap(Answering(output))(x), wrap(Linear())(x))


def test_one_class() -> None:
    """A network of one class may answer with (N,); its probability is a sigmoid."""
    for output in (lambda y: y[:, 0], lambda y: y[:, :1]):
        model = wrap(Answering(output), classes=1)
        logits = model(random_picture()[None])
        assert logits.shape == (1, 1)
        assert torch.equal(model.probabilities(logits), logits.sigmoid())


def test_probabilities() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0]])
    assert torch.equal(wrap(Linear()).probabilities(logits), logits.softmax(-1))
    assert torch.equal(wrap(Linear(), multilabel=True).probabilities(logits), logits.sigmoid())


def test_at_another_size_shares_the_weights() -> None:
    model = wrap(Tiny(), side=8, mean=[0.1, 0.2, 0.3], std=[1.0, 2.0, 3.0], id="x", fingerprint="y", multilabel=True)
    other = model.at((12, 16))
    assert model.at((8, 8)) is model
    assert other.grey_pictures(2).shape == (2, 3, 12, 16)
    assert (other.id, other.fingerprint, other.multilabel) == ("x", "y", True)
    assert other.network is model.network
    x = random_picture(12, width=16)[None]
    assert torch.equal(other(x), model(x))
    assert inspection_of(other).layers[0].shape[1:] == (12, 16)
    assert inspection_of(model).layers[0].shape[1:] == (8, 8)


def test_grey_model() -> None:
    model = Classifier(nn.Conv2d(1, 2, 8), size=(8, 8), labels="ab", mean=[0.5], std=[0.5])
    assert model.channels == 1
    assert model.grey_pictures().shape == (1, 1, 8, 8)


def test_labels() -> None:
    model = Classifier(Linear(), size=(8, 8), labels=["cat", "dog"])
    assert [model.label(i) for i in range(3)] == ["cat", "dog", "class 2"]


def test_double_and_back() -> None:
    model = wrap(Tiny()).double()
    assert model.dtype == torch.float64
    assert model(random_picture().double()[None]).dtype == torch.float64


def test_channels_last_does_not_change_the_answer() -> None:
    plain = classifier("tf_efficientnet_lite0")
    x = random_picture(side=224)[None]
    expected = plain(x)
    assert torch.allclose(plain(x.contiguous(memory_format=torch.channels_last)), expected, atol=1e-4)
    assert lite0()(x).shape == expected.shape
