"""Feature maps that are tokens or channels last: their places follow the picture, or they are refused."""

from __future__ import annotations

from functools import lru_cache

import pytest
import pytorch_grad_cam as grad_cam
import timm
import torch
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.inspection import inspection_of
from gradoscope.attribution.layouts import Layout
from gradoscope.attribution.methods.base import find_method, methods
from gradoscope.attribution.methods.cams import CamMethod, coarse_activation, enlarged
from gradoscope.attribution.score import Score
from gradoscope.attribution.shared_forward import ForwardPass, SharedEngine
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from tests.attribution.methods.test_cams import CLOSE, apart
from tests.support.nets import explain, relative, wrap
from tests.support.token_nets import (
    CLASSES,
    NETWORKS,
    PERMUTED,
    SQUARE,
    SQUARE_ONLY,
    TALL,
    WINDOWED,
    Size,
    Tokens,
    noise_picture,
    permuted,
    token_classifier,
    without_positions,
)

CAMS = [method for method in methods().values() if isinstance(method, CamMethod)]
TARGET = 4
CASES = [(name, size) for name in NETWORKS for size in (SQUARE, TALL) if size == SQUARE or name not in SQUARE_ONLY]
# Not Grad-CAM++: its denominator is 0 where Σ A · G = −2, as happens where features are below 0, and near that the map
# is decided by the 1e-6 that the peer adds.
PEERS = {
    "grad_cam": grad_cam.GradCAM,
    "xgrad_cam": grad_cam.XGradCAM,
    "hires_cam": grad_cam.HiResCAM,
    "layer_cam": grad_cam.LayerCAM,
}
# network: the automatic layer, its prefix tokens (None: channels first, -1: channels last), pixels of a place
AUTOMATIC = {
    "vit": ("blocks.2.norm1", 1, 16),
    "vit_registers": ("blocks.2.norm1", 5, 16),
    "vit_mean": ("blocks", 1, 16),
    "deit_distilled": ("blocks.2.norm1", 2, 16),
    "beit": ("blocks.2", 1, 16),
    "cait": ("blocks", 0, 16),
    "torchvision_vit": ("encoder.layers.encoder_layer_2.ln_1", 1, 16),
    "timm_swin": ("norm", -1, 16),
    "torchvision_swin": ("permute", None, 16),
    "pit": ("transformers.2.blocks.1.norm1", 1, 32),
    "xcit": ("cls_attn_blocks.1.norm1", 1, 16),
    "convnext_atto": ("stages", None, 32),
    "coatnet": ("norm", None, 32),
    "maxvit": ("norm", None, 32),
    "mobilevit": ("final_conv", None, 32),
}


def layout_of(network: Classifier, layer: str) -> Layout:
    found = inspection_of(network).feature_layers.find(layer)
    assert found is not None
    return found.layout


@pytest.mark.parametrize(("name", "size"), CASES)
def test_automatic_layer(name: str, size: Size) -> None:
    layer, prefix, pixels = AUTOMATIC[name]
    inspection = inspection_of(token_classifier(name, size))
    assert (inspection.layer_fault, inspection.default_layer) == (None, layer)
    layout = layout_of(token_classifier(name, size), layer)
    kind = "channels_first" if prefix is None else "channels_last" if prefix < 0 else "tokens"
    assert layout == Layout(kind, (size[0] // pixels, size[1] // pixels), max(prefix or 0, 0))


@pytest.mark.parametrize(("name", "size"), [case for case in CASES if case[0] in PERMUTED or "swin" in case[0]])
def test_permuted_picture_permutes_every_map(name: str, size: Size) -> None:
    """Without position embeddings a transformer does not know where its patches, or its windows, lie."""
    network, x = without_positions(name, size), noise_picture(size).double()
    side = PERMUTED.get(name, WINDOWED[size])
    layer = str(inspection_of(network).default_layer)
    pixels = size[0] // layout_of(network, layer).grid[0]
    order = torch.randperm(size[0] * size[1] // side**2, generator=torch.Generator().manual_seed(1))
    other = permuted(x, side, order)
    assert relative(other, x) > 0.1
    for method in CAMS:
        one, changed = (
            coarse_activation(Engine(network, Score(TARGET)), p[None], layer, method.weigh) for p in (x, other)
        )
        assert float(one.std()) > 0
        assert relative(changed, permuted(one, side // pixels, order)) < 1e-6, method.id
        assert relative(changed, one) > 0.1, method.id


@pytest.mark.parametrize(("name", "size"), [case for case in CASES if case[0] not in PERMUTED])
def test_a_quarter_that_changes_changes_there(name: str, size: Size) -> None:
    """Where convolutions look over the edges of patches, the features still change most where the picture does."""
    network, x = token_classifier(name, size), noise_picture(size)
    layer = str(inspection_of(network).default_layer)
    layout, engine = layout_of(network, layer), Engine(network, Score(TARGET))
    rows, columns = (side // 2 for side in size)
    for top, left in ((0, 0), (0, 1), (1, 0), (1, 1)):
        inside = torch.zeros(size, dtype=torch.bool)
        inside[top * rows : (top + 1) * rows, left * columns : (left + 1) * columns] = True
        changed = torch.where(inside, noise_picture(size, seed=1), x)
        features = [layout.spatial(engine.features(picture[None], layer)[0]) for picture in (x, changed)]
        change = enlarged((features[1] - features[0]).square().sum(1, keepdim=True).sqrt(), x[None])[0, 0]
        assert float(change[inside].mean()) > 1.1 * float(change[~inside].mean())


def of_peer(peer: type, network: Classifier, x: Tensor, layer: str, target: int = TARGET) -> Tensor:
    """The map of pytorch-grad-cam, (1, H, W), from 0 to 1. It is told the layout."""
    spatial = layout_of(network, layer).spatial
    with peer(network, [network.network.get_submodule(layer)], reshape_transform=spatial) as cam:
        return torch.from_numpy(cam(x[None].clone().requires_grad_(), [ClassifierOutputTarget(target)]))


@pytest.mark.parametrize("method", PEERS)
@pytest.mark.parametrize(("name", "size"), [("vit", TALL), ("vit_registers", SQUARE), ("timm_swin", SQUARE)])
def test_against_grad_cam(method: str, name: str, size: Size) -> None:
    network, x = token_classifier(name, size), noise_picture(size)
    actual = explain(method, network, x, score=Score(TARGET), relu=True)
    assert apart(actual.values, of_peer(PEERS[method], network, x, str(actual.diagnostics["layer"]))) < CLOSE


@lru_cache
def whole(name: str) -> Classifier:
    """An architecture of timm with all its blocks, some narrower, with seeded weights."""
    torch.manual_seed(0)
    narrow = {"embed_dim": 24, "num_heads": (1, 2, 4, 8)} if "swin" in name else {}
    return Classifier(timm.create_model(name, **narrow).eval(), size=SQUARE, labels=[f"class {i}" for i in range(1000)])


@pytest.mark.parametrize("method", PEERS)
@pytest.mark.parametrize(("name", "target"), [("vit_tiny_patch16_224", 4), ("swin_tiny_patch4_window7_224", 7)])
def test_whole_transformers_against_grad_cam(method: str, name: str, target: int) -> None:
    network, x = whole(name), noise_picture(SQUARE)
    actual = explain(method, network, x, score=Score(target), relu=True)
    assert apart(actual.values, of_peer(PEERS[method], network, x, str(actual.diagnostics["layer"]), target)) < CLOSE


def test_layer_whose_tokens_get_no_gradient_is_refused() -> None:
    """After it, only the class token is read."""
    network, x = token_classifier("vit", SQUARE), noise_picture(SQUARE)
    for layer in ("blocks.2", "blocks", "norm", "blocks.2.norm2"):
        for method in CAMS:
            if method.id == "eigen_cam":  # which takes no gradient
                assert explain(method.id, network, x, layer=layer).values.any()
                continue
            with pytest.raises(Refused, match=r"get no gradient: after it only the class token.*«blocks\.2\.norm1»"):
                explain(method.id, network, x, layer=layer)
    with pytest.raises(Refused, match="get no gradient"):
        explain("guided_grad_cam", network, x, layer="norm")
    assert explain("grad_cam", network, x, layer="blocks.1, blocks.1.norm1").values.any()
    assert explain("guided_grad_cam", network, x).values.any()


def test_shared_pass_gives_the_same_maps() -> None:
    for name in ("vit", "timm_swin"):
        network, x = token_classifier(name, SQUARE), noise_picture(SQUARE)
        layer = str(inspection_of(network).default_layer)
        shared = SharedEngine(ForwardPass(network, x[None], [layer]), Score(TARGET))
        for method in CAMS:
            if (name, method.id) == ("vit", "shapley_cam"):  # PyTorch's fused attention has no second derivative
                with pytest.raises(Refused, match="second derivatives"):
                    explain(method.id, network, x)
                continue
            values, _ = method.maps(shared, x[None], method.Parameters())
            assert relative(values[0], explain(method.id, network, x, score=Score(TARGET)).values) < 1e-4


def test_tokens_in_the_order_of_rows_are_proven() -> None:
    x = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    for before in (0, 1, 3):
        network = wrap(Tokens(before=before), side=32)
        assert inspection_of(network).default_layer == "blocks.1"
        assert layout_of(network, "blocks.1") == Layout("tokens", (8, 8), before)
        assert explain("grad_cam", network, x, relu=False).values.shape == (1, 32, 32)


@pytest.mark.parametrize(
    "network",
    [
        Tokens(torch.arange(64).view(8, 8).t().flatten()),
        Tokens(torch.arange(64).flip(0)),
        Tokens(torch.arange(64).roll(1)),
        Tokens(torch.randperm(64, generator=torch.Generator().manual_seed(0))),
        Tokens(torch.arange(64).view(4, 2, 4, 2).transpose(1, 2).flatten()),
        Tokens(after=1),
        Tokens(before=1, after=2),
    ],
    ids=["columns", "backwards", "shifted", "shuffled", "units", "class token last", "tokens on both sides"],
)
def test_tokens_in_another_order_are_refused(network: nn.Module) -> None:
    """Each would make a map that looks right, in the wrong places."""
    classifier = wrap(network, side=32)
    assert inspection_of(classifier).default_layer is None
    with pytest.raises(Refused, match=r"could not be shown that the places of this model's tokens .*blocks.1.* follow"):
        explain("grad_cam", classifier, torch.rand(3, 32, 32))


def test_a_transposed_grid_of_channels_last_is_refused() -> None:
    class Turned(Tokens):
        def __init__(self, turn: bool, channels: int) -> None:
            super().__init__()
            self.patch, self.head = nn.Conv2d(3, channels, 4, stride=4), nn.Linear(channels, 3)
            self.turn, self.mix = turn, nn.LayerNorm(channels)

        def forward(self, x: Tensor) -> Tensor:
            rows = self.patch(x).permute(0, 3, 2, 1) if self.turn else self.patch(x).permute(0, 2, 3, 1)
            return self.head(self.mix(rows).mean((1, 2)))

    for channels in (8, 12):  # as many as there are rows: by its shape alone it could be channels first, too
        assert layout_of(wrap(Turned(False, channels), side=32), "mix") == Layout("channels_last", (8, 8))
    assert "mix" in inspection_of(wrap(Turned(True, 12), side=32)).feature_layers.unproven


def test_values_that_are_not_finite_prove_nothing() -> None:
    class Infinite(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch, self.mix, self.head = nn.Conv2d(3, 6, 4, stride=4), nn.LayerNorm(6), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.mix(self.patch(x).permute(0, 2, 3, 1) / 0).mean((1, 2)))

    assert "mix" in inspection_of(wrap(Infinite(), side=32)).feature_layers.unproven


@pytest.mark.parametrize(
    ("name", "activations", "no_rule"),
    [
        ("vit", {"Gelu": 3}, r"7 × nativelayernorm \(LayerNorm\), 3 × gelu \(GELU\), 3 × attention"),
        ("torchvision_vit", {"Gelu": 3}, r"3 × attention"),
        ("timm_swin", {"Gelu": 3}, r"3 × softmax"),
        ("coatnet", {"Gelu": 2, "Silu": 7}, r"2 × attention"),
    ],
)
def test_backward_rules_know_what_they_are_defined_for(name: str, activations: dict[str, int], no_rule: str) -> None:
    """Guided backprop for every activation; deconvolution for rectifiers, of which there are none; DeepLIFT for no
    attention and no normalisation by the picture's own statistics."""
    network, x = token_classifier(name, SQUARE), noise_picture(SQUARE)
    inspection = inspection_of(network)
    assert (inspection.guided, inspection.unknown) == (activations, {})
    assert explain("guided_backprop", network, x).diagnostics["guided_activations"] == sum(activations.values())
    with pytest.raises(Refused, match="Deconvolution does not know how to guide: gelu"):
        explain("deconvolution", network, x)
    with pytest.raises(Refused, match=f"DeepLIFT has no rule for: .*{no_rule}"):
        explain("deep_lift", network, x)


def test_proof_leaves_the_network_as_it_was() -> None:
    network = token_classifier("vit", TALL)
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    assert inspection_of(network.view()).default_layer == "blocks.2.norm1"
    assert all(torch.equal(value, kept[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks or module.training for module in network.modules())
    assert len(network.labels) == CLASSES
    assert find_method("grad_cam") in CAMS
