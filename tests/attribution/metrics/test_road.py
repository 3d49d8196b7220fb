"""ROAD: the imputation and the numbers of pytorch-grad-cam, and what can be written down."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.metrics import imputation
from gradoscope.attribution.metrics.base import find_metric
from gradoscope.attribution.metrics.imputation import imputed
from gradoscope.attribution.metrics.road import remove
from gradoscope.attribution.noise import generator
from pytorch_grad_cam.metrics.road import NoisyLinearImputer, ROADCombined
from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget

from tests.support.explained_maps import explained_map, measure
from tests.support.nets import Linear, Tiny, random_picture, wrap

# grad-cam calls NumPy's functions with tensors
pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context:DeprecationWarning")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("place", ["scattered", "in one hole"])
def test_the_imputation_is_that_of_grad_cam(share, place, monkeypatch):
    picture = random_picture(20, seed=3, width=17)
    strength = torch.rand(20, 17, generator=torch.Generator().manual_seed(1))
    if place == "in one hole":
        strength = -((torch.arange(20)[:, None] - 8.0) ** 2) - (torch.arange(17)[None] - 5.0) ** 2 + 1e-3 * strength
    kept = strength < strength.flatten().quantile(1 - share)
    noise = torch.randn(3, int((~kept).sum()), generator=torch.Generator().manual_seed(2))
    monkeypatch.setattr(torch, "randn_like", lambda like: noise)
    expected = NoisyLinearImputer(noise=0.01)(picture, kept.float())
    assert (imputed(picture, kept, 0.01 * noise) - expected).abs().max() < 1e-5


def test_the_gap_is_twice_what_grad_cam_combines(monkeypatch):
    """Its score is half of least − most, of the same pictures: the pixels of equal shares, the same noise."""
    network = Tiny().eval()
    picture = random_picture(10)
    subject = explained_map("occlusion", wrap(network), picture, window=3, stride=1)
    subject = explained_map(
        "occlusion", wrap(network), picture, subject.values - subject.values.min() + 1e-3, window=3, stride=1
    )
    ours = measure("road", subject, noise=0.01).figures

    def same_noise(like):
        return torch.randn(
            like.shape, generator=generator(subject.seed, "imputation", like.shape[1]), dtype=torch.float64
        ).float()

    monkeypatch.setattr(torch, "randn_like", same_noise)
    (theirs,) = ROADCombined()(picture[None], subject.values.numpy(), [ClassifierOutputSoftmaxTarget(0)], network)
    assert ours["gap"] / 2 == pytest.approx(float(theirs), abs=1e-5)


def test_a_ramp_is_filled_in_exactly():
    """Weighted means of the neighbours leave a linear picture as it is, away from the border."""
    ramp = (torch.arange(12.0)[:, None] * 0.03 + torch.arange(12.0)[None] * 0.05).expand(3, 12, 12)
    kept = torch.ones(12, 12, dtype=torch.bool)
    kept[3:8, 4:10] = False
    assert (imputed(ramp, kept) - ramp).abs().max() < 1e-6
    assert torch.equal(imputed(ramp, torch.ones(12, 12, dtype=torch.bool)), ramp)
    constant = torch.full((1, 9, 9), 0.4)
    kept = torch.zeros(9, 9, dtype=torch.bool)
    kept[0, 0] = True  # one pixel is enough
    assert (imputed(constant, kept) - 0.4).abs().max() < 1e-6


def test_each_pixel_is_the_mean_of_its_neighbours():
    picture = random_picture(9)
    kept = torch.rand(9, 9, generator=torch.Generator().manual_seed(0)) < 0.4
    filled = imputed(picture, kept)
    assert torch.equal(filled[:, kept], picture[:, kept])
    for row, column in torch.nonzero(~kept).tolist():
        near = [
            (weight, filled[:, row + down, column + right])
            for (down, right), weight in imputation.NEIGHBOURS.items()
            if 0 <= row + down < 9 and 0 <= column + right < 9
        ]
        mean = sum(weight * value for weight, value in near) / sum(weight for weight, _ in near)
        assert (filled[:, row, column] - mean).abs().max() < 1e-5


def test_the_order_of_the_gradient_is_better_than_its_reverse():
    """A linear network on one bright spot: without it the class is lost, without the rest it stays."""
    picture = torch.full((3, 8, 8), 0.2)
    picture[:, 3, 4] = 1.0
    network = Linear()
    with torch.no_grad():
        weight = next(network.parameters())
        weight.zero_()
        weight.view(3, 3, 8, 8)[0, :, 3, 4] = 1.0
    values = torch.zeros(1, 8, 8)
    values[0, 3, 4] = 1.0
    subject = explained_map("occlusion", wrap(network, side=8), picture, values, window=2, stride=1)
    figures = measure("road", subject, steps=4, noise=0.0).figures
    assert figures["fractions"] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert min(figures["least"]) == pytest.approx(figures["whole"], abs=1e-6)
    assert max(figures["most"]) < figures["whole"] - 0.1
    assert figures["gap"] == pytest.approx(np.subtract(figures["least"], figures["most"]).mean())
    found = measure(
        "road", explained_map("occlusion", wrap(network, side=8), picture, -values, window=2, stride=1), steps=4
    )
    assert found.figures["gap"] < 0


def test_the_noise_is_that_of_the_seed_and_of_the_pixels_removed():
    subject = explained_map()
    order = torch.arange(144)
    once, again = (remove(subject, order, 0.5, 0.1) for _ in range(2))
    assert torch.equal(once, again)
    assert not torch.equal(once, remove(explained_map(seed=1), order, 0.5, 0.1))
    assert torch.equal(once[:, 6:], subject.picture[:, 6:])


def test_large_inputs_are_refused():
    subject = explained_map(picture=torch.zeros(3, 513, 512), values=torch.zeros(3, 513, 512))
    with pytest.raises(Refused, match="512 × 513 are too many"):
        find_metric("road").check(subject, find_metric("road").Parameters())


def test_scipy_is_imported_when_it_is_measured(warm_python, tmp_path):
    code = "import sys, gradoscope.attribution.metrics.road; assert 'scipy' not in sys.modules, 'scipy'"
    assert warm_python.run_code(code, tmp_path).returncode == 0
