"""The layers of a model, as a run records them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from .record import MAX_LAYERS, MAX_NAME


@dataclass
class Layer:
    """Parameters whose norms are one number: those that one module owns, or a single one of a recurrent module."""

    name: str
    kind: str
    parameters: list[nn.Parameter] = field(default_factory=list)

    def to_dict(self) -> dict[str, object]:
        count = sum(one.numel() for one in self.parameters)
        return {"name": self.name[-MAX_NAME:], "kind": self.kind[:MAX_NAME], "parameters": count}


def layers_of(model: nn.Module, limit: int = MAX_LAYERS) -> list[Layer]:
    """The layers in the order of registration, which is mostly that of the forward pass.

    A parameter that modules share counts once, where it is named first. Recurrent modules hold many layers in one, so
    each of their parameters is one of its own. Where there are more layers than `limit`, those of the same beginning
    are put together.

    Raises:
        ValueError: where the model has no parameter that could learn, or one that has no values yet.
    """
    owners = dict(model.named_modules())
    named = list(model.named_parameters())
    if any(isinstance(one, nn.UninitializedParameter) for _, one in named):
        raise ValueError("The model has lazy modules whose parameters are not there yet. Run one forward pass first.")
    named = [(name, one) for name, one in named if one.numel()]
    if not named:
        raise ValueError("The model has no parameters, so no gradient can be watched.")
    depth = max(name.count(".") + 1 for name, _ in named)
    while True:
        found: dict[str, Layer] = {}
        for name, one in named:
            owner = name.rpartition(".")[0]
            module = owners[owner]
            whole = name if isinstance(module, nn.RNNBase) or not owner else owner
            cut = ".".join(whole.split(".")[:depth])
            kind = type(module).__name__ if cut == whole else type(owners[cut]).__name__
            found.setdefault(cut, Layer(cut, kind)).parameters.append(one)
        if len(found) <= limit or depth == 1:
            return list(found.values())[:limit]
        depth -= 1


def places(layers: Sequence[Layer]) -> list[tuple[int, nn.Parameter]]:
    """Each parameter with the number of its layer."""
    return [(number, one) for number, layer in enumerate(layers) for one in layer.parameters]


def is_compiled(model: nn.Module) -> bool:
    """Whether torch.compile was asked for, for the model or a part of it."""
    compiled = torch._dynamo.OptimizedModule if hasattr(torch, "_dynamo") else ()
    return any(
        isinstance(one, compiled) or getattr(one, "_compiled_call_impl", None) is not None for one in model.modules()
    )
