"""Attention whose weights can be seen and changed in a pass. Fused kernels hide them, so here it runs unfused.

The calls of a pass are intercepted while they run; the network itself stays as it is, and needs no copy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

Mix = Callable[[Tensor], Tensor]  # attention weights (…, queries, keys) → those that are used in their place

SOFTMAXES = frozenset((F.softmax, torch.softmax, torch.special.softmax, Tensor.softmax))


class UnfusedAttention(TorchFunctionMode):
    """A context in which the weights of every attention of a pass go through `mix`.

    It meets `scaled_dot_product_attention`, PyTorch's `MultiheadAttention`, and attention that is written out with a
    softmax. A softmax over the last axis of (…, n, n) counts as attention. What is compiled or scripted is not met.
    """

    def __init__(self, mix: Mix) -> None:
        super().__init__()
        self._mix = mix

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if func is F.scaled_dot_product_attention:
            return dot_product_attention(self._mix, *args, **given)
        if func is F.multi_head_attention_forward and _is_plain(args, given):
            return multi_head_attention(self._mix, *args, **given)
        answer = func(*args, **given)
        return self._mix(answer) if func in SOFTMAXES and _is_square(answer) else answer


def _is_square(weights: Tensor) -> bool:
    """Whether each row of (…, n, n) is a distribution over n > 1 keys."""
    if weights.ndim < 3 or weights.shape[-1] != weights.shape[-2] or weights.shape[-1] == 1:
        return False
    return bool((weights.detach().sum(-1) - 1).abs().max() < 1e-2)


def dot_product_attention(
    mix: Mix,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """`torch.nn.functional.scaled_dot_product_attention`, step by step: mix(softmax(q kᵀ · scale + mask)) v."""
    if enable_gqa:
        key, value = (part.repeat_interleave(query.shape[-3] // part.shape[-3], -3) for part in (key, value))
    logits = query @ key.mT * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        logits = logits.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        logits = logits + attn_mask
    return mix(logits.softmax(-1)) @ value


def _is_plain(args: tuple[Any, ...], given: Mapping[str, Any]) -> bool:
    """Whether a call of `multi_head_attention_forward` is one that `multi_head_attention` knows: as PyTorch's module
    makes it, without keys of its own, padding, or separate widths."""
    if len(args) != 13 or args[7] is not None or args[9]:
        return False
    unusual = ("key_padding_mask", "q_proj_weight", "static_k", "static_v")
    return not any(given.get(name) is not None for name in unusual) and not given.get("is_causal")


def multi_head_attention(
    mix: Mix,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    width: int,
    heads: int,
    in_proj_weight: Tensor,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    *,
    attn_mask: Tensor | None = None,
    need_weights: bool = True,
    average_attn_weights: bool = True,
    **_: Any,
) -> tuple[Tensor, Tensor | None]:
    """`torch.nn.functional.multi_head_attention_forward` of (tokens, N, width), step by step."""
    tokens, rows, _width = query.shape
    biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
    parts = [  # (N, heads, tokens, width / heads)
        F.linear(part, weight, bias).reshape(len(part), rows, heads, -1).permute(1, 2, 0, 3)
        for part, weight, bias in zip((query, key, value), in_proj_weight.chunk(3), biases, strict=True)
    ]
    seen: list[Tensor] = []
    if attn_mask is not None and attn_mask.ndim == 3:  # (N · heads, tokens, tokens)
        attn_mask = attn_mask.reshape(rows, heads, *attn_mask.shape[1:])
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        attn_mask = ~attn_mask  # here true means: not attended

    def keep(weights: Tensor) -> Tensor:
        seen.append(mix(weights))
        return seen[0]

    mixed = dot_product_attention(keep, parts[0], parts[1], parts[2], attn_mask)
    answer = F.linear(mixed.permute(2, 0, 1, 3).reshape(tokens, rows, width), out_proj_weight, out_proj_bias)
    if not need_weights:
        return answer, None
    return answer, seen[0].mean(1) if average_attn_weights else seen[0]
