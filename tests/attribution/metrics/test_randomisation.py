"""Weights drawn at random from the top down, on a copy."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.metrics.networks import layers_with_weights, private_copy, randomise
from gradoscope.attribution.metrics.randomisation import randomised_counts
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from tests.support.explained_maps import explained_map, measure, run
from tests.support.nets import Tiny, classifier, explain, random_picture, wrap


class Normed(nn.Module):
    """Written in another order than it runs; with a norm behind a convolution, and a head that is never entered."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 3)
        self.auxiliary = nn.Linear(4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.convolution = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.convolution(x)).relu().mean((2, 3)))


def names(layer: list[tuple[str, nn.Module]]) -> list[str]:
    return [name for name, _ in layer]


def test_layers_from_the_top_down() -> None:
    found = [names(layer) for layer in layers_with_weights(wrap(Normed()))]
    assert found == [["head"], ["convolution", "norm"], ["auxiliary"]]
    assert [names(layer)[0] for layer in layers_with_weights(classifier("resnet18", 64))][:2] == [
        "fc",
        "layer4.1.conv2",
    ]


def test_a_signal_keeps_its_size_through_many_random_layers() -> None:
    """Else the differences of scores drown in the rounding of float32."""
    deep = nn.Sequential(*(nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()) for _ in range(40)))
    model = wrap(nn.Sequential(nn.Conv2d(3, 16, 3), deep, nn.Flatten(), nn.Linear(16 * 36, 3)))
    for layer in layers_with_weights(model):
        randomise(layer, seed=0)
    assert 1e-2 < float(model(random_picture(side=8)[None]).std()) < 1e2


def test_every_weight_is_drawn_and_comes_from_the_seed() -> None:
    torch.manual_seed(0)
    network = Normed()
    network.norm.running_mean.fill_(7)
    before, drawn = deepcopy(network.state_dict()), []
    for seed in (1, 1, 2):
        copy = private_copy(wrap(network))
        for layer in layers_with_weights(copy):
            randomise(layer, seed)
        drawn.append(copy.network.state_dict())
    for key, value in drawn[0].items():
        assert torch.equal(value, drawn[1][key])
        if "norm" not in key:
            assert not torch.equal(value, before[key])
            assert not torch.equal(value, drawn[2][key])
            assert float(value.abs().max()) <= (1 if key.endswith("bias") else (6 / value[0].numel()) ** 0.5)
    assert float(drawn[0]["norm.running_mean"].abs().max()) == 0
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_slopes_of_a_prelu_are_initialised_again() -> None:
    """With slopes of 1, which a norm's scale is initialised to, the network would be linear: f(x) + f(−x) = 2 f(0)."""
    model = private_copy(
        wrap(nn.Sequential(nn.Conv2d(3, 4, 3), nn.PReLU(4, init=0.1), nn.Flatten(), nn.Linear(144, 3)))
    )
    model.network[1].weight.data.fill_(0.9)
    for layer in layers_with_weights(model):
        randomise(layer, seed=0)
    assert model.network[1].weight.tolist() == pytest.approx([0.1] * 4)
    x = random_picture(side=8)[None]
    bent = model(x) + model(-x) - 2 * model(torch.zeros_like(x))
    assert float(bent.abs().max()) > 0.05


class Scaled(nn.Module):
    """A block as of ConvNeXt, with its layer scale: a vector, however it is shaped."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.stem, self.block, self.head = nn.Conv2d(3, 8, 4, 4), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, 3)
        self.gamma = nn.Parameter(1e-6 * torch.arange(1.0, 9).view(shape))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head((x + self.gamma.view(-1, 1, 1) * self.block(x)).mean((2, 3)))


@pytest.mark.parametrize("shape", [(8,), (8, 1, 1), (1, 8, 1, 1)])
def test_a_layer_scale_is_no_layer_and_keeps_its_size(shape: tuple[int, ...]) -> None:
    network = Scaled(shape)
    copy = private_copy(wrap(network))
    assert [names(layer) for layer in layers_with_weights(copy)] == [["head"], ["block"], ["", "stem"]]
    for layer in layers_with_weights(copy):
        randomise(layer, seed=0)
    drawn = copy.network.gamma
    assert sorted(drawn.flatten().tolist()) == pytest.approx(network.gamma.flatten().tolist(), rel=1e-6)
    assert not torch.equal(drawn, network.gamma)


def test_layers_of_convnext() -> None:
    """Torchvision's layer scale has the shape (C, 1, 1): none of the layers is one."""
    import torchvision

    torch.manual_seed(0)
    block = torchvision.models.convnext.CNBlockConfig
    network = torchvision.models.ConvNeXt([block(8, 16, 1), block(16, None, 1)], num_classes=3)
    held = [names(layer)[0] for layer in layers_with_weights(wrap(network, side=32))]
    kernels = [name for name, m in network.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert sorted(held) == sorted(kernels)
    copy = private_copy(wrap(network, side=32))
    for layer in layers_with_weights(copy):
        randomise(layer, seed=0)
    scales = [p for name, p in copy.network.named_parameters() if name.endswith("layer_scale")]
    assert len(scales) == 2
    assert all(float(scale.abs().max()) == pytest.approx(1e-6) for scale in scales)


def test_norms_of_whole_maps_are_initialised_again() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LayerNorm([4, 6, 6]), nn.Flatten(), nn.Linear(144, 3))
    network[1].weight.data.normal_()
    copy = private_copy(wrap(network))
    assert len(layers_with_weights(copy)) == 2
    for layer in layers_with_weights(copy):
        randomise(layer, seed=0)
    assert float((copy.network[1].weight - 1).abs().max()) == 0


def test_stages_against_maps_of_networks_made_by_hand() -> None:
    subject = explained_map(picture=random_picture(side=12))
    actual = measure("randomisation", subject)
    assert actual.figures["layers"] == 3
    assert [stage["layer"] for stage in actual.figures["stages"]] == ["head", "second", "first"]
    network = deepcopy(subject.classifier.network)
    for stage, layer in zip(actual.figures["stages"], layers_with_weights(wrap(network, side=12)), strict=True):
        randomise(layer, seed=0)
        values = explain("vanilla_gradient", wrap(network, side=12), subject.picture).values
        assert torch.equal(values, actual.maps[str(stage["count"])])
        one, other = (v.double().abs().sum(0).numpy() for v in (subject.values, values))
        assert stage["rank_correlation"] == pytest.approx(spearmanr(one.ravel(), other.ravel()).statistic)
        one, other = ((v - v.min()) / (v.max() - v.min()) for v in (one, other))
        assert stage["ssim"] == pytest.approx(structural_similarity(one, other, data_range=1))


def test_a_map_that_is_not_finite_has_no_similarity() -> None:
    class Dying(Tiny):
        """Its answer is NaN once the head's weights are random."""

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * float("nan") if self.head.weight[0, 0].item() != mark else super().forward(x)

    network = Dying()
    mark = network.head.weight[0, 0].item()
    yielded, actual = run("randomisation", explained_map(model=wrap(network, side=12)))
    assert actual.figures["stages"][0]["rank_correlation"] is None
    assert "not finite" in actual.figures["stages"][0]["reason"]
    assert yielded[-1].done == yielded[-1].total


def test_a_network_without_weights_is_refused() -> None:
    class Means(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((2, 3))

    with pytest.raises(Refused, match="no weights"):
        measure("randomisation", explained_map(model=wrap(Means(), side=12)))


def test_counts() -> None:
    assert randomised_counts(3, 10) == [1, 2, 3]
    assert randomised_counts(52, 4) == [1, 18, 35, 52]
    assert randomised_counts(5, 1) == [5]
