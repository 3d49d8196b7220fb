"""The classifier: frozen, its normalisation its first step; and the zoo that keeps a few of them."""

from __future__ import annotations

import pytest
import torch
from gradoscope.errors import NotFound
from gradoscope.settings import Settings
from gradoscope.zoo.classifier import Classifier
from gradoscope.zoo.zoo import Zoo, choose_device
from nets import Linear, Tiny, classifier, lite0, random_picture, wrap
from torch import Tensor, nn


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


@pytest.mark.parametrize("output", [lambda y: (y, y), lambda y: y[:, :, None], lambda y: y[0]])
def test_answer_that_is_no_logits_is_an_error(output) -> None:  # type: ignore[no-untyped-def]
    class Odd(Linear):
        def forward(self, x: Tensor) -> Tensor:
            return output(super().forward(x))

    with pytest.raises(ValueError, match=r"logits of shape \(N, classes\)"):
        wrap(Odd())(random_picture()[None])


def test_labels() -> None:
    model = Classifier(Linear(), size=(8, 8), labels=["cat", "dog"])
    assert [model.label(i) for i in range(3)] == ["cat", "dog", "class 2"]


def test_double_and_back() -> None:
    model = wrap(Tiny()).double()
    assert model.dtype == torch.float64
    assert model(random_picture().double()[None]).dtype == torch.float64


def test_real_one_is_channels_last_and_described() -> None:
    zoo = Zoo(Settings(device="cpu"))
    assert zoo.describe("efficientnet_lite0")["layers"] is None
    assert not zoo.take_change()
    model = zoo.load("efficientnet_lite0")
    assert (zoo.take_change(), zoo.take_change()) == (True, False)
    assert zoo.load("efficientnet_lite0") is model
    assert model.network.conv_stem.weight.is_contiguous(memory_format=torch.channels_last)
    said = zoo.describe("efficientnet_lite0")
    assert said["parameters"] == sum(p.numel() for p in model.parameters())
    assert said["layers"][-1] == {"name": "bn2", "shape": [1280, 7, 7], "default": True}
    assert [layer["default"] for layer in said["layers"][:-1]] == [False] * (len(said["layers"]) - 1)
    assert said["availability"] == "ready"


def test_least_recently_used_goes_first() -> None:
    zoo = Zoo(Settings(device="cpu", loaded_models=2))
    first = zoo.load("efficientnet_lite0")
    zoo.load("efficientnet_lite1")
    assert zoo.load("efficientnet_lite0") is first
    zoo.load("efficientnet_lite2")
    assert zoo.load("efficientnet_lite0") is first
    assert zoo.describe("efficientnet_lite1")["layers"] is None
    with pytest.raises(NotFound, match="efficientnet_lite0"):
        zoo.load("no_such_model")


def test_channels_last_does_not_change_the_answer() -> None:
    plain = classifier("tf_efficientnet_lite0")
    x = random_picture(224)[None]
    expected = plain(x)
    assert torch.allclose(plain(x.contiguous(memory_format=torch.channels_last)), expected, atol=1e-4)
    assert lite0()(x).shape == expected.shape


def test_choose_device() -> None:
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type in ("cpu", "cuda")
    assert str(choose_device("cuda:1")) == "cuda:1"
