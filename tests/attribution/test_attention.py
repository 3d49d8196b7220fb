"""Attention step by step gives what PyTorch's fused functions give."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from gradoscope.attribution.attention import UnfusedAttention
from torch import Tensor, nn

from tests.support.nets import relative, seeded

HEADS = [seeded((2, 4, 7, 6), seed) for seed in range(3)]
TOKENS = seeded((2, 7, 24))


def kept(weights: list[Tensor]) -> UnfusedAttention:
    def keep(one: Tensor) -> Tensor:
        weights.append(one)
        return one

    return UnfusedAttention(keep)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"is_causal": True},
        {"scale": 0.3},
        {"attn_mask": seeded((7, 7), 5)},
        {"attn_mask": torch.eye(7, dtype=torch.bool) | (seeded((7, 7), 5) > 0)},
    ],
    ids=["plain", "causal", "scale", "added mask", "boolean mask"],
)
def test_dot_product(options: dict[str, Any]) -> None:
    weights: list[Tensor] = []
    with kept(weights):
        actual = F.scaled_dot_product_attention(*HEADS, **options)
    assert relative(actual, F.scaled_dot_product_attention(*HEADS, **options)) < 1e-5
    assert [tuple(one.shape) for one in weights] == [(2, 4, 7, 7)]
    assert relative(weights[0].sum(-1), torch.ones(2, 4, 7)) < 1e-5


def test_dot_product_of_grouped_queries() -> None:
    query, key, value = HEADS[0], HEADS[1][:, :2], HEADS[2][:, :2]
    expected = F.scaled_dot_product_attention(query, key, value, enable_gqa=True)
    with kept([]):
        assert relative(F.scaled_dot_product_attention(query, key, value, enable_gqa=True), expected) < 1e-5


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"need_weights": False},
        {"average_attn_weights": False},
        {"attn_mask": torch.ones(7, 7, dtype=torch.bool).triu(1)},
        {"attn_mask": seeded((8, 7, 7), 3)},
        {"key_padding_mask": torch.arange(7)[None].expand(2, -1) > 5},
    ],
    ids=["plain", "no weights", "all heads", "boolean mask", "mask of each head", "padding"],
)
@pytest.mark.parametrize("bias", [True, False])
def test_pytorchs_module(options: dict[str, Any], bias: bool) -> None:
    torch.manual_seed(0)
    module = nn.MultiheadAttention(24, 4, bias=bias, batch_first=True).eval()
    weights: list[Tensor] = []
    with torch.no_grad():
        expected = module(TOKENS, TOKENS, TOKENS, **options)
        with kept(weights):
            actual = module(TOKENS, TOKENS, TOKENS, **options)
    assert relative(actual[0], expected[0]) < 1e-5
    if expected[1] is None:
        assert actual[1] is None
    else:
        assert relative(actual[1], expected[1]) < 1e-5
    assert len(weights) == (0 if "key_padding_mask" in options else 1)  # which is left to PyTorch


@pytest.mark.parametrize("function", [F.softmax, torch.softmax, Tensor.softmax, torch.special.softmax])
def test_attention_that_is_written_out(function: Any) -> None:
    weights: list[Tensor] = []
    with kept(weights):
        square = function(HEADS[0] @ HEADS[1].mT, -1)
        function(HEADS[0] @ HEADS[1].mT, 1)  # over the heads: no distribution over keys
        function(HEADS[0], -1)  # not square
    assert len(weights) == 1
    assert torch.equal(weights[0], square)


def test_weights_can_be_exchanged() -> None:
    """For those of the diagonal, each token has its own value."""
    with UnfusedAttention(lambda weights: torch.eye(7).expand_as(weights)):
        assert torch.equal(F.scaled_dot_product_attention(*HEADS), HEADS[2])
    assert relative(F.scaled_dot_product_attention(*HEADS), HEADS[2]) > 0.1
