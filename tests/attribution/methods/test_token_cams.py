"""Class activation maps of ViT-Tiny and Swin-Tiny against pytorch-grad-cam and torchcam, which are told the layout.

Where a peer departs from the paper, ours follows the paper: a test names the peer's term, gives the peer the paper's
term instead, and asks for the same map; and shows that the peer as it is gives another one. Grad-CAM, XGrad-CAM,
HiResCAM and LayerCAM of pytorch-grad-cam are compared in tests/attribution/test_token_layers.py.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
import pytorch_grad_cam as grad_cam
import pytorch_grad_cam.score_cam as score_cam_of_grad_cam
import timm
import torch
import torchcam.methods as torchcam
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.cams import enlarged
from gradoscope.attribution.score import Score
from pytorch_grad_cam.ablation_layer import AblationLayerVit
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from tests.attribution.methods.test_cams import CLOSE, PEERS, TORCHCAM, apart
from tests.attribution.methods.test_channel_cams import ScaledLater, halves
from tests.support.cam_formulas import features_and_gradients, grad_cam_plus_plus
from tests.support.nets import explain, relative
from tests.support.token_nets import noise_picture, random_constants

AUTOMATIC = {"vit_tiny": "blocks.3.norm1", "swin_tiny": "norm"}
# timm's architectures, with fewer blocks and for small pictures, which makes them cheap
SWIN = {"depths": (1, 1, 2, 1), "window_size": 3}
BUILT: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "vit_tiny": (lambda: timm.create_model("vit_tiny_patch16_224", img_size=48, depth=4), 48),
    "swin_tiny": (lambda: timm.create_model("swin_tiny_patch4_window7_224", img_size=96, **SWIN), 96),
    "swin_tiny_48": (lambda: timm.create_model("swin_tiny_patch4_window7_224", img_size=48, **SWIN), 48),
}
OF_CHANNELS = [("vit_tiny", "blocks.3.norm1"), ("swin_tiny_48", "layers.0")]  # a pass for each of 192 and 96


@lru_cache
def network(name: str) -> Classifier:
    """Seeded, with attention that has a second derivative."""
    build, side = BUILT[name]
    torch.manual_seed(0)
    made = random_constants(build().eval())
    for module in made.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False
    return Classifier(made, size=(side, side), labels=[f"class {i}" for i in range(1000)])


def picture(of: Classifier) -> Tensor:
    return noise_picture(of.size)


def spatial(values: Tensor) -> Tensor:
    """(N, K, h, w) of Swin's channels last, or of ViT's class token and places: what both peers ask for."""
    if values.dim() == 4:
        return values.permute(0, 3, 1, 2)
    side = int((values.shape[1] - 1) ** 0.5)
    return values[:, 1:].mT.reshape(len(values), -1, side, side)


@lru_cache
def target(of: Classifier) -> int:
    """The likeliest class whose maps are above 0 somewhere: its score is above 0 too."""
    with torch.no_grad():
        likeliest = of(picture(of)[None].to(of.mean.dtype))[0].sort(descending=True)
    layer = "blocks.3.norm1" if hasattr(of.network, "blocks") else "norm"
    for score, index in zip(*likeliest, strict=True):
        with torch.enable_grad():
            a, g, _ = features_and_gradients(of, picture(of).to(of.mean.dtype), layer, int(index))
        a, g = spatial(a), spatial(g)
        positive = g.relu().sum((2, 3), keepdim=True)
        found = [(weights * a).sum(1) for weights in (g, g.mean((2, 3), keepdim=True), g.relu(), positive)]
        if all(float(values.max()) > 0.1 * float(values.abs().max()) for values in found):
            assert float(score) > 0
            return int(index)
    raise AssertionError("no class has maps above 0")


def of_grad_cam(peer: type, of: Classifier, layer: str, **options: object) -> Tensor:
    """A map of pytorch-grad-cam, (1, H, W), from 0 to 1."""
    with peer(of, [of.network.get_submodule(layer)], reshape_transform=spatial, **options) as cam:
        try:
            found = cam(picture(of)[None].clone().requires_grad_(), [ClassifierOutputTarget(target(of))])
        finally:  # what it keeps are views, which it cannot detach: it would leave its hooks behind
            cam.activations_and_grads.activations, cam.activations_and_grads.gradients = [], []
    return torch.from_numpy(np.asarray(found))


def of_torchcam(peer: type, of: Classifier, layer: str) -> Tensor:
    """A map of torchcam at the picture's size: (1, H, W)."""
    x = picture(of)[None]
    with peer(of, of.network.get_submodule(layer), reshape_transform=spatial) as extractor:
        (small,) = extractor(target(of), of(x.clone().requires_grad_()))
    return enlarged(small[None], x)[0]


def ours(method: str, of: Classifier, layer: str = "auto", **options: object) -> Tensor:
    return explain(method, of, picture(of), score=Score(target(of)), layer=layer, **options).values


@pytest.mark.parametrize("name", AUTOMATIC)
@pytest.mark.parametrize("method", sorted(TORCHCAM))
def test_against_torchcam(method: str, name: str) -> None:
    of = network(name)
    assert apart(ours(method, of), of_torchcam(TORCHCAM[method], of, AUTOMATIC[name])) < CLOSE


class SignedEigenCam(grad_cam.EigenCAM):
    """grad-cam's, whose sign is left to chance, with that of ours; it then cuts below 0."""

    def get_cam_image(self, *given: object) -> np.ndarray:
        found, total = super().get_cam_image(*given), given[3].sum(1)
        return found if float((found * (total - total.mean())).sum()) > 0 else -found


@pytest.mark.parametrize("name", AUTOMATIC)
def test_eigen_cam_against_grad_cam(name: str) -> None:
    of = network(name)
    assert apart(ours("eigen_cam", of), of_grad_cam(SignedEigenCam, of, AUTOMATIC[name])) < CLOSE


class SpatialShapleyCam(grad_cam.ShapleyCAM):
    """grad-cam's weights, times the features where they lie: it multiplies them as the layer puts them out, which are
    3-D or channels last, and fails."""

    def get_cam_image(self, *given: object) -> np.ndarray:
        weights, features = self.get_cam_weights(*given[:5]), spatial(given[3].detach()).numpy()
        return (weights[:, :, None, None] * features).sum(1)


@pytest.mark.parametrize(("name", "layer"), [("vit_tiny", "blocks.3.norm1"), ("swin_tiny", "layers.2")])
def test_shapley_cam_against_grad_cam(name: str, layer: str) -> None:
    """Of layers that a curved function follows. After Swin's last normalisation only a mean and a linear layer do."""
    of = network(name)
    actual = ours("shapley_cam", of, layer)
    assert apart(actual, of_grad_cam(SpatialShapleyCam, of, layer)) < CLOSE
    assert relative(actual, ours("grad_cam", of, layer)) > 1e-2
    if name == "swin_tiny":
        assert relative(ours("shapley_cam", of), ours("grad_cam", of)) < 1e-6


@pytest.mark.parametrize(("name", "layer"), OF_CHANNELS)
def test_score_cam(name: str, layer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With masks as in the paper: grad-cam shifts them (align_corners = True), torchcam scales them too early."""
    of = network(name)
    actual = ours("score_cam", of, layer, micro_batch=32)
    assert apart(actual, of_torchcam(ScaledLater, of, layer)) < CLOSE
    monkeypatch.setattr(score_cam_of_grad_cam.torch.nn, "UpsamplingBilinear2d", halves)
    assert apart(actual, of_grad_cam(grad_cam.ScoreCAM, of, layer)) < CLOSE


class PlacesAtZero(AblationLayerVit):
    """grad-cam's, with a channel at 0 instead of −10⁷, and at the places only: A_k = 0."""

    def __call__(self, x: Tensor) -> Tensor:
        for row, channel in zip(self.activations, self.indices, strict=False):
            row[slice(1, None) if row.dim() == 2 else slice(None), ..., channel] = 0
        return self.activations


def uncut(of: Classifier, layer: str, ablation_layer: AblationLayerVit) -> Tensor:
    """grad-cam's Ablation-CAM before it cuts below 0: (1, H, W)."""
    kept: list[np.ndarray] = []

    class Uncut(grad_cam.AblationCAM):
        def get_cam_image(self, *given: object) -> np.ndarray:
            kept.append(super().get_cam_image(*given))
            return kept[0]

    of_grad_cam(Uncut, of, layer, ablation_layer=ablation_layer)
    return enlarged(torch.from_numpy(kept[0])[None], picture(of)[None])[0]


@pytest.mark.parametrize(("name", "layer"), OF_CHANNELS)
def test_ablation_cam(name: str, layer: str) -> None:
    """grad-cam sets a channel with values below 0 to −10⁷, of the class token too."""
    of = network(name)
    with torch.no_grad():
        assert float(of(picture(of)[None])[0, target(of)]) > 0  # below, the peer's map has the other sign
        actual = ours("ablation_cam", of, layer, relu=False, micro_batch=32)
        assert apart(actual, uncut(of, layer, PlacesAtZero())) < CLOSE
        assert apart(actual, uncut(of, layer, AblationLayerVit())) > 0.1


@pytest.mark.parametrize("name", AUTOMATIC)
def test_grad_cam_plus_plus_by_its_formula(name: str) -> None:
    of = copy.deepcopy(network(name)).double()
    x = picture(of).double()
    features, gradients, score = features_and_gradients(of, x, AUTOMATIC[name], target(of))
    expected = grad_cam_plus_plus(spatial(features)[0], spatial(gradients)[0], score)
    for relu in (True, False):
        actual = explain("grad_cam_plus_plus", of, x, score=Score(target(of)), relu=relu).values
        coarse = expected.relu() if relu else expected
        assert relative(actual, enlarged(coarse[None, None], x[None])[0]) < 1e-9


def quiet_and_shrunk(name: str) -> Classifier:
    """The network with logits so small that |Σ A · G| ≤ 1, so that no denominator 2 + Σ A · G is near 0; and with its
    features divided by a power of two, which what follows takes back: so the gradients are large, and the map is the
    same."""
    of = copy.deepcopy(network(name))
    features, gradients, _ = features_and_gradients(of, picture(of), AUTOMATIC[name], target(of))
    features, gradients = spatial(features), spatial(gradients)
    quieter = 1 / float((features.sum((2, 3), keepdim=True) * gradients).abs().max())
    factor = 2.0 ** round(np.log2(1e4 / (quieter * float(gradients.abs().median()))))
    norm = of.network.get_submodule(AUTOMATIC[name])
    head = of.network.head if name == "vit_tiny" else of.network.head.fc
    following = of.network.blocks[-1].attn.qkv if name == "vit_tiny" else head
    with torch.no_grad():
        for parameter in (norm.weight, norm.bias):
            parameter /= factor
        following.weight *= factor
        for parameter in (head.weight, head.bias):
            parameter *= quieter
    return of


@pytest.mark.parametrize("name", AUTOMATIC)
def test_grad_cam_plus_plus_against_grad_cam(name: str) -> None:
    """The peer adds 1e-6 to 2 G² + (Σ A) G³: it agrees where G is large and no denominator near 0, and only there.
    torchcam's α is G², as its division changes a copy."""
    of, layer, peer = quiet_and_shrunk(name), AUTOMATIC[name], PEERS["grad_cam_plus_plus"]
    actual = ours("grad_cam_plus_plus", of)
    assert apart(actual, of_grad_cam(peer, of, layer)) < CLOSE
    plain = network(name)
    actual = ours("grad_cam_plus_plus", plain)
    assert apart(actual, of_grad_cam(peer, plain, layer)) > 1e-2
    theirs = of_torchcam(torchcam.GradCAMpp, plain, layer)
    assert apart(actual, theirs) > 1e-2
    features, gradients, _ = features_and_gradients(plain, picture(plain), layer, target(plain))
    cubes = spatial(gradients).relu().pow(3).sum((2, 3), keepdim=True)
    coarse = (cubes * spatial(features)).sum(1, keepdim=True).relu()
    assert apart(enlarged(coarse, picture(plain)[None])[0], theirs) < CLOSE


@pytest.mark.parametrize("name", ["vit_tiny", "swin_tiny_48"])
def test_full_grad_is_refused(name: str) -> None:
    """What attention adds beyond its derivative is the bias of no layer. Here it tells tokens apart, as after training:
    of weights that are nearly equal it is under a hundredth of the score."""
    of = copy.deepcopy(network(name))
    with torch.no_grad():
        for place, parameter in of.named_parameters():
            if place.endswith("qkv.weight"):
                parameter *= 8
    with pytest.raises(Refused, match=r"some bias is in no layer\. This model computes .*bmm \(no module\)"):
        find_method("full_grad").check(of, find_method("full_grad").Parameters())
