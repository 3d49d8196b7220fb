"""Attention rollout and LeGrad: against naive loops on unfused copies, and against torchcam."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
import torchcam.methods as torchcam
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.inspection import inspection_of
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.cams import enlarged
from gradoscope.attribution.score import Score
from gradoscope.attribution.token_blocks import token_blocks_of
from torch import Tensor, nn

from tests.support.nets import classifier, explain, relative, wrap
from tests.support.token_nets import (
    PERMUTED,
    SQUARE,
    TALL,
    Size,
    Tokens,
    noise_picture,
    permuted,
    token_classifier,
    without_positions,
)

METHODS = ("attention_rollout", "le_grad")
TIMM = [("vit", SQUARE), ("vit", TALL), ("vit_registers", TALL), ("vit_mean", SQUARE), ("deit_distilled", SQUARE)]
TIMM += [("beit", SQUARE)]
# network: tokens before the patches, and what the logits are computed from: the row of a token, or the mean of all
READ: dict[str, tuple[int, Callable[[Tensor], Tensor]]] = {
    "vit": (1, lambda rows: rows[0]),
    "vit_registers": (5, lambda rows: rows[0]),
    "vit_mean": (1, lambda rows: rows[1:].mean(0)),
    "deit_distilled": (2, lambda rows: rows[:2].mean(0)),
    "beit": (1, lambda rows: rows[1:].mean(0)),
}


@contextmanager
def unfused(network: Classifier) -> Iterator[tuple[nn.Module, list[Tensor]]]:
    """A copy of timm's network that computes its attention step by step, and the weights of its passes."""
    plain, weights = copy.deepcopy(network.network), list[Tensor]()
    for module in plain.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False
            module.attn_drop.register_forward_hook(lambda module, inputs, output: weights.append(output))
    yield plain, weights


@pytest.mark.parametrize(("name", "size"), TIMM)
def test_rollout_by_a_loop(name: str, size: Size) -> None:
    network, x = token_classifier(name, size), noise_picture(size)
    with unfused(network) as (plain, weights), torch.no_grad():
        plain(x[None])
    rolled = torch.eye(weights[0].shape[-1], dtype=torch.float64)
    for attention in weights:
        rolled = (0.5 * attention[0].double().mean(0) + 0.5 * torch.eye(len(rolled))) @ rolled
    prefix, read = READ[name]
    expected = read(rolled)[prefix:].reshape(1, 1, size[0] // 16, size[1] // 16)
    actual = explain("attention_rollout", network, x)
    assert relative(actual.values, enlarged(expected, x[None])[0]) < 1e-5
    assert actual.diagnostics == {"gradient_evaluations": 0, "forward_evaluations": 1}
    assert float((rolled.sum(1) - 1).abs().max()) < 1e-5  # each row is a distribution


def test_rollout_knows_no_class() -> None:
    network, x = token_classifier("vit", SQUARE), noise_picture(SQUARE)
    one, other = (explain("attention_rollout", network, x, score=Score(target)).values for target in (3, 7))
    assert torch.equal(one, other)
    texts = find_method("attention_rollout")
    assert "Not class-specific" in texts.summary
    assert relative(*(explain("le_grad", network, x, score=Score(target)).values for target in (3, 7))) > 0.1


@pytest.mark.parametrize(("name", "size"), TIMM)
def test_le_grad_by_a_loop(name: str, size: Size) -> None:
    network, x = token_classifier(name, size), noise_picture(size)
    found = []
    with unfused(network) as (plain, weights):
        outputs: list[Tensor] = []
        for block in plain.blocks:
            block.register_forward_hook(lambda module, inputs, output: outputs.append(output))
        plain(x[None].clone().requires_grad_())
        for attention, output in zip(weights, list(outputs), strict=True):
            mean = output.mean(1, keepdim=True).expand_as(output)
            score = plain.forward_head(plain.norm(mean))[0, 4]
            (gradient,) = torch.autograd.grad(score, attention, retain_graph=True)
            found.append(gradient[0].relu().mean((0, 1)))
    expected = torch.stack(found).mean(0)[READ[name][0] :].reshape(1, 1, size[0] // 16, size[1] // 16)
    actual = explain("le_grad", network, x, score=Score(4))
    assert relative(actual.values, enlarged(expected, x[None])[0]) < 1e-4


def test_le_grad_against_torchcam() -> None:
    network, x = token_classifier("torchvision_vit", SQUARE), noise_picture(SQUARE)
    plain = copy.deepcopy(network.network)
    with torchcam.LeGrad(plain, list(plain.encoder.layers)) as extractor:
        (expected,) = extractor(4, plain(x[None].clone().requires_grad_()), normalized=False)
    actual = explain("le_grad", network, x, score=Score(4))
    assert float(expected.max()) > 0
    assert relative(actual.values, enlarged(expected[None], x[None])[0]) < 1e-4
    assert actual.diagnostics == {"gradient_evaluations": 1}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", [name for name in PERMUTED if name != "cait"])
def test_permuted_picture_permutes_the_map(name: str, method: str) -> None:
    network, x = without_positions(name, SQUARE), noise_picture(SQUARE).double()
    order = torch.randperm(196, generator=torch.Generator().manual_seed(1))
    one, other = (explain(method, network, p, score=Score(4)).values for p in (x, permuted(x, 16, order)))
    rows = sharp(one)
    assert relative(sharp(other), permuted(rows, 1, order)) < 1e-6
    assert relative(sharp(other), rows) > 1e-3


def sharp(map: Tensor) -> Tensor:
    """The 14 × 14 values that a map (1, 224, 224) was interpolated from, by least squares in each direction."""
    unit = torch.eye(14, dtype=map.dtype).reshape(14, 1, 14, 1).expand(-1, -1, -1, 14)
    inverse = torch.linalg.pinv(enlarged(unit, map[None])[:, 0, :, 0].mT)
    return inverse @ map @ inverse.mT


def test_le_grad_of_other_scores() -> None:
    """Of a difference of logits, the positive part is taken of the difference, not of each."""
    network, x = token_classifier("vit", SQUARE), noise_picture(SQUARE)
    maps = [explain("le_grad", network, x, score=score).values for score in (Score(4), Score(4, against=2))]
    assert relative(maps[1], maps[0]) > 0.05
    for kind in ("probability", "log_probability"):
        assert explain("le_grad", network, x, score=Score(4, kind)).values.any()  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cait", "queries are others than its keys"),
        ("xcit", "queries are others than its keys"),
        ("pit", "or the grid changes"),
        ("timm_swin", r"weights \(64, 1, 49, 49\).*within windows"),
        ("torchvision_swin", "within windows"),
        ("maxvit", "within windows"),
        ("coatnet", "not among all tokens of one grid"),
        ("mobilevit", "not among all tokens of one grid"),
        ("convnext_atto", "no attention whose weights can be seen"),
        ("resnet18", "no attention whose weights can be seen"),
    ],
)
def test_refused_by_name(name: str, reason: str, method: str) -> None:
    network = classifier("resnet18", 64) if name == "resnet18" else token_classifier(name, SQUARE)
    with pytest.raises(Refused, match=reason):
        find_method(method).check(network, find_method(method).Parameters())


class Doubled(Tokens):
    """What one block puts out is not what the next one gets."""

    def between(self, tokens: Tensor) -> Tensor:
        return tokens * 2


def test_what_cannot_be_followed_is_refused() -> None:
    x = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert token_blocks_of(wrap(Tokens(), side=32)).blocks == ("blocks.0", "blocks.1")
    for method in METHODS:
        assert explain(method, wrap(Tokens(before=2), side=32), x).values.any()
        for strange in (Tokens(torch.arange(64).view(8, 8).t().flatten()), Tokens(after=1)):
            with pytest.raises(Refused, match="not among all tokens of one grid"):
                explain(method, wrap(strange, side=32), x)
    assert explain("attention_rollout", wrap(Doubled(), side=32), x).values.any()
    with pytest.raises(Refused, match="LeGrad asks for the score of each block"):
        explain("le_grad", wrap(Doubled(), side=32), x)


def test_inspection_is_shared_with_the_methods() -> None:
    """The grid is the one that was proven."""
    network = token_classifier("vit_registers", TALL)
    found = token_blocks_of(network)
    assert found.layout in {layer.layout for layer in inspection_of(network).layers}
    assert (found.layout.prefix, found.layout.grid, found.read) == (5, (16, 12), (0,))
