"""Folding: the same function and the same gradients, on a copy that shares what it can."""

from __future__ import annotations

import pytest
import timm
import torch
import torchvision.models as tv
from gradoscope.attribution.backends.activations import ClippedActivation
from gradoscope.attribution.backends.backend import agree
from gradoscope.attribution.backends.folding import find_pairs, fold_batch_norm, folded_bytes
from gradoscope.attribution.gradients import take_gradients
from gradoscope.attribution.score import Score
from torch import Tensor, nn

from tests.support.nets import Tiny, lite0, random_picture, relative, seeded, vgg11, wrap

NETS = {
    "resnet18": (tv.resnet18, 20),
    "densenet121": (tv.densenet121, 59),  # the first, and the second in each of 58 layers; the others read a concat
    "mobilenet_v3_small": (tv.mobilenet_v3_small, 34),
    "googlenet": (lambda: tv.googlenet(init_weights=False), 57),
    "tf_efficientnet_lite0": (lambda: timm.create_model("tf_efficientnet_lite0"), 49),
    "vgg11": (vgg11, 0),
}


class Smooth(nn.Module):
    """A rectifier without a kink."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.softplus(x)


def smooth(network: nn.Module) -> nn.Module:
    """The network with each rectifier module replaced, and statistics that are no longer 0 and 1."""
    for name, module in list(network.named_modules(remove_duplicate=False)):
        if isinstance(module, (nn.ReLU, nn.ReLU6)):
            network.set_submodule(name, Smooth())
        elif isinstance(module, nn.BatchNorm2d):
            size = module.running_mean.shape
            module.running_mean.copy_(0.1 * seeded(size, seed=1))
            module.running_var.copy_(1 + 0.3 * seeded(size, seed=2).abs())
            module.weight.data.copy_(1 + 0.1 * seeded(size, seed=3))
            module.bias.data.copy_(0.1 * seeded(size, seed=4))
    return network


@pytest.mark.parametrize("name", NETS)
def test_folded_copy(name: str) -> None:
    """To 1e-4 where no kink can flip by rounding; and the classifier is left as it was."""
    build, pairs = NETS[name]
    torch.manual_seed(0)
    classifier = wrap(smooth(build()), 64, 1000)
    before = {key: value.clone() for key, value in classifier.state_dict().items()}
    x = torch.stack([random_picture(side=64, seed=seed) for seed in range(2)])
    found = find_pairs(classifier)
    assert len(found) == pairs
    folded = fold_batch_norm(classifier)
    expected = take_gradients(classifier, x, Score(3))
    assert relative(take_gradients(folded, x, Score(3)), expected) < 1e-4
    with torch.no_grad():
        assert relative(folded(x), classifier(x)) < 1e-4
    assert all(torch.equal(value, before[key]) for key, value in classifier.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in classifier.modules())
    own = {tensor.data_ptr() for tensor in (*classifier.parameters(), *classifier.buffers())}
    new = sum(t.numel() * t.element_size() for t in folded.parameters() if t.data_ptr() not in own)
    assert new <= folded_bytes(classifier) * 1.05
    assert bool(new) == bool(pairs)


class Shared(nn.Module):
    """Convolutions that must not be folded: one whose output goes elsewhere too, one that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.seen, self.first = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
        self.twice, self.second = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
        self.alone, self.third = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.seen(x)
        x = self.first(y) + y
        x = self.second(self.twice(self.twice(x)))
        return self.third(self.alone(x)).mean((2, 3))


def test_only_pairs_are_folded() -> None:
    found = find_pairs(wrap(smooth(Shared())))
    assert [(pair.convolution, pair.normalisation) for pair in found] == [("alone", "third")]


def test_normalisation_by_the_batch_is_left_alone() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False), nn.Flatten())
    assert find_pairs(wrap(network)) == []


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("module", [nn.ReLU6, nn.Hardtanh])
def test_clipped(module: type[nn.Module], inplace: bool) -> None:
    """Values and derivative as PyTorch's to the last bit, at the bounds too."""
    values = torch.cat([10 * seeded((100,)), torch.tensor([-1.0, 0.0, 1.0, 6.0])])
    own = module(inplace=inplace)
    actual, expected = ClippedActivation(own), module()
    for x in (values, values.view(2, -1)):
        leaf, other_leaf = x.clone().requires_grad_(), x.clone().requires_grad_()
        y, z = actual(leaf * 1), expected(other_leaf * 1)
        assert torch.equal(y, z)
        assert torch.equal(
            *(torch.autograd.grad((v * v.detach().cos()).sum(), u)[0] for v, u in ((y, leaf), (z, other_leaf)))
        )
    with torch.no_grad():
        assert torch.equal(actual(values.clone()), expected(values))


def test_network_without_a_graph_has_no_pairs() -> None:
    class Detached(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.detach())

    assert find_pairs(wrap(Detached())) == []


@pytest.mark.parametrize("side", [224, 320])
def test_correct_backends_agree_on_noise_pictures(side: int) -> None:
    """Also at sizes that the network was not trained for; on smooth pictures they differ too much there."""
    plain = lite0().view((side, side))
    x, score = plain.noise_pictures(4), Score(0)
    assert float(x.min()) >= 0
    assert float(x.max()) <= 1
    assert float(x.std()) > 0.1
    assert agree(take_gradients(fold_batch_norm(plain), x, score), take_gradients(plain, x, score))
