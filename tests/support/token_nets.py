"""Transformers and hybrids of timm and torchvision, narrow and shallow, with seeded random weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import timm
import torch
import torchvision.models as tv
from gradoscope.attribution.classifier import Classifier
from torch import Tensor, nn

Size = tuple[int, int]
SQUARE, TALL = (224, 224), (256, 192)
CLASSES = 10


def timm_model(name: str, **narrow: Any) -> Callable[[Size], nn.Module]:
    return lambda size: timm.create_model(name, num_classes=CLASSES, img_size=size, **narrow)


def any_size(name: str, **narrow: Any) -> Callable[[Size], nn.Module]:
    """Of a network whose layers take every size."""
    return lambda size: timm.create_model(name, num_classes=CLASSES, **narrow)


def windowed(size: Size) -> dict[str, Any]:
    """Swin without a block that shifts its windows: whole windows can be permuted."""
    return {"window_size": 7 if size == SQUARE else 4, "depths": (1, 1, 1), "num_heads": (1, 2, 4), "embed_dim": 24}


def timm_swin(size: Size) -> nn.Module:
    name = "swin_tiny_patch4_window7_224"
    return timm.create_model(name, num_classes=CLASSES, img_size=size, **windowed(size))


def torchvision_swin(size: Size) -> nn.Module:
    options = {name: list(value) if isinstance(value, tuple) else value for name, value in windowed(size).items()}
    options["window_size"] = [options["window_size"]] * 2
    return tv.SwinTransformer(patch_size=[4, 4], num_classes=CLASSES, stochastic_depth_prob=0, **options)


def torchvision_vit(size: Size) -> nn.Module:
    return tv.VisionTransformer(
        image_size=size[0], patch_size=16, num_layers=3, num_heads=3, hidden_dim=48, mlp_dim=96, num_classes=CLASSES
    )


HYBRID = {"embed_dim": (32, 32, 32, 64), "depths": (1, 1, 1, 1)}
VIT = {"depth": 3, "embed_dim": 48, "num_heads": 3}
NETWORKS: dict[str, Callable[[Size], nn.Module]] = {
    "vit": timm_model("vit_tiny_patch16_224", **VIT),
    "vit_registers": timm_model("vit_small_patch14_reg4_dinov2", patch_size=16, **VIT),
    "vit_mean": timm_model("vit_wee_patch16_reg1_gap_256", **VIT),
    "deit_distilled": timm_model("deit_tiny_distilled_patch16_224", **VIT),
    "beit": timm_model("beit_base_patch16_224", **VIT),
    "cait": timm_model("cait_xxs24_224", **{**VIT, "num_heads": 4}),
    "torchvision_vit": torchvision_vit,
    "timm_swin": timm_swin,
    "torchvision_swin": torchvision_swin,
    "pit": timm_model("pit_ti_224", base_dims=[16, 16, 16], depth=[1, 1, 2], heads=[1, 2, 4]),
    "xcit": any_size("xcit_nano_12_p16_224", depth=2),
    "convnext_atto": any_size("convnext_atto", depths=(1, 1, 1, 1), dims=(16, 24, 32, 48)),
    "coatnet": timm_model("coatnet_pico_rw_224", **HYBRID),
    "maxvit": timm_model("maxvit_rmlp_pico_rw_256", **HYBRID),
    "mobilevit": any_size("mobilevit_xxs"),
}
# pixels of the blocks that can be permuted: a patch, or a window of the last stage
PERMUTED = dict.fromkeys(("vit", "vit_registers", "vit_mean", "deit_distilled", "beit", "cait", "torchvision_vit"), 16)
WINDOWED = {SQUARE: 112, TALL: 64}
SQUARE_ONLY = ("torchvision_vit",)


def random_constants(network: nn.Module) -> nn.Module:
    """The network with noise on each parameter that is the same everywhere."""
    with torch.no_grad():
        for parameter in network.parameters():
            if float(parameter.std(correction=0)) == 0:
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return network


@lru_cache(maxsize=4)
def token_classifier(name: str, size: Size) -> Classifier:
    """One of `NETWORKS`, shared: leave it as it is. Parameters that start at 0 or 1 are random, as after training."""
    torch.manual_seed(0)
    network = random_constants(NETWORKS[name](size))
    return Classifier(network, size=size, labels=[f"class {i}" for i in range(CLASSES)])


@lru_cache(maxsize=4)
def without_positions(name: str, size: Size) -> Classifier:
    """The same with every position embedding and relative bias at 0, in float64."""
    network = token_classifier.__wrapped__(name, size).double()
    with torch.no_grad():
        for parameter_name, parameter in network.named_parameters():
            if "pos" in parameter_name.lower():
                parameter.zero_()
    return network


def noise_picture(size: Size, seed: int = 0) -> Tensor:
    return torch.rand((3, *size), generator=torch.Generator().manual_seed(seed))


def permuted(values: Tensor, side: int, order: Tensor) -> Tensor:
    """(…, H, W) with its blocks of side × side in another order."""
    rows, columns = values.shape[-2] // side, values.shape[-1] // side
    blocks = values.unflatten(-1, (columns, side)).unflatten(-3, (rows, side)).movedim(-2, -3).flatten(-4, -3)
    return blocks[..., order, :, :].unflatten(-3, (rows, columns)).movedim(-3, -2).flatten(-4, -3).flatten(-2)


class Tokens(nn.Module):
    """Patches of 4 × 4 as tokens, in an order of its own and with other tokens before and after; two blocks; a mean."""

    def __init__(self, order: Tensor | None = None, before: int = 0, after: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.patch, self.head = nn.Conv2d(3, 8, 4, stride=4), nn.Linear(8, 3)
            blocks = (nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True) for _ in range(2))
            self.blocks = nn.ModuleList(blocks)
            self.first, self.last = (nn.Parameter(torch.randn(1, count, 8)) for count in (before, after))
        self.order = order

    def between(self, tokens: Tensor) -> Tensor:
        """What follows each block."""
        return tokens

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).mT
        tokens = tokens if self.order is None else tokens[:, self.order]
        tokens = torch.cat([self.first.expand(len(x), -1, -1), tokens, self.last.expand(len(x), -1, -1)], 1)
        for block in self.blocks:
            tokens = self.between(block(tokens))
        return self.head(tokens.mean(1))
