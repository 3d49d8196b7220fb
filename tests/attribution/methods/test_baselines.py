"""What stands for «nothing there»."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gradoscope.attribution.methods.baselines import make_baseline
from scipy import ndimage

from tests.support.nets import random_picture

BASELINES = ("black", "white", "mean", "blurred", "noise")


@pytest.mark.parametrize("kind", BASELINES)
def test_baselines(kind: str) -> None:
    x = random_picture(side=20, seed=8, width=30)
    actual = make_baseline(kind, x, seed=3)
    assert actual.shape == x.shape
    assert 0 <= float(actual.min()) <= float(actual.max()) <= 1
    expected = {"black": torch.zeros_like(x), "white": torch.ones_like(x)}
    expected["mean"] = x.flatten(1).mean(1).view(3, 1, 1).expand_as(x)
    if kind == "blurred":
        expected["blurred"] = torch.from_numpy(
            np.stack([ndimage.gaussian_filter(channel, 2, mode="constant") for channel in x.numpy()])
            / ndimage.gaussian_filter(np.ones((20, 30), np.float32), 2, mode="constant")
        )
    if kind == "noise":
        assert torch.equal(actual, make_baseline(kind, x, seed=3))
        assert not torch.equal(actual, make_baseline(kind, x, seed=4))
        assert torch.equal(actual, make_baseline(kind, x, seed=3, index=0))
        assert not torch.equal(actual, make_baseline(kind, x, seed=3, index=1))
        assert float(actual.mean()) == pytest.approx(0.5, abs=0.05)
    else:
        assert torch.allclose(actual, expected[kind], atol=1e-6)
        assert torch.equal(actual, make_baseline(kind, x, seed=3, index=1))
