"""The map where next to nothing has changed."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from gradoscope.attribution.metrics.stability import jpeg_compressed, shifted
from PIL import Image
from torch import Tensor, nn

from tests.support.explained_maps import explained_map, measure
from tests.support.nets import Tiny, explain, random_picture, wrap


def trials_of(method: str, model: nn.Module, **options: object) -> dict[str, dict[str, float]]:
    subject = explained_map(method, wrap(model, side=12), random_picture(side=12), **options)
    figures = measure("stability", subject).figures
    return {trial["id"]: trial for trial in figures["trials"]}


def test_another_seed_only_where_something_is_drawn() -> None:
    assert list(trials_of("vanilla_gradient", Tiny())) == ["shift", "jpeg", "mirror"]
    drawn = trials_of("smooth_grad", Tiny(), samples=4)
    assert list(drawn) == ["seed", "shift", "jpeg", "mirror"]
    assert drawn["seed"]["rank_correlation"] < 1


def test_a_network_that_is_the_same_in_the_mirror() -> None:
    class Mirrored(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + super().forward(x.flip(-1))

    actual = trials_of("vanilla_gradient", Mirrored())
    assert actual["mirror"]["signed_rank_correlation"] == pytest.approx(1, abs=1e-3)
    assert trials_of("vanilla_gradient", Tiny())["mirror"]["signed_rank_correlation"] < 0.99


def test_a_network_that_does_not_see_a_shift() -> None:
    class Even(nn.Module):
        """Every place counts the same, by its own value squared: the map moves with the picture."""

        def forward(self, x: Tensor) -> Tensor:
            return (x**2).sum((2, 3))

    subject = explained_map(model=wrap(Even(), side=12), picture=random_picture(side=12))
    actual = measure("stability", subject)
    assert torch.allclose(actual.maps["shift"][..., :-1], subject.values[..., :-1])
    shift = next(trial for trial in actual.figures["trials"] if trial["id"] == "shift")
    assert shift["rank_correlation"] == pytest.approx(1)
    assert shift["ssim"] == pytest.approx(1)


def test_maps_are_those_of_the_changed_pictures() -> None:
    subject = explained_map(picture=random_picture(side=12))
    actual = measure("stability", subject)
    model = subject.classifier
    for name, changed in {"mirror": subject.picture.flip(-1), "jpeg": jpeg_compressed(subject.picture, 75)}.items():
        expected = explain("vanilla_gradient", model, changed).values
        assert torch.equal(actual.maps[name], expected.flip(-1) if name == "mirror" else expected)
        score = next(trial["score"] for trial in actual.figures["trials"] if trial["id"] == name)
        assert score == pytest.approx(float(model(changed[None])[0, 0]), rel=1e-5)


def test_shift() -> None:
    row = torch.arange(4.0).view(1, 1, 4)
    assert shifted(row).tolist() == [[[0, 0, 1, 2]]]


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg(channels: int) -> None:
    picture = torch.rand(channels, 16, 24, generator=torch.Generator().manual_seed(0))
    pixels = (picture * 255).round().byte().permute(1, 2, 0).numpy()
    out = io.BytesIO()
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(out, "JPEG", quality=75)
    expected = np.array(Image.open(out)).reshape(16, 24, channels).transpose(2, 0, 1) / 255
    actual = jpeg_compressed(picture, 75)
    assert actual.shape == picture.shape
    assert np.allclose(actual.numpy(), expected)
    assert not torch.allclose(actual, picture, atol=0.05)
