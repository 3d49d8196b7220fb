"""The blocks of a transformer on a grid of tokens, as methods of attention need them; others are refused by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from .attention import UnfusedAttention
from .classifier import Classifier
from .errors import Refused
from .inspection import inspection_of
from .layers import FeatureLayers
from .layouts import Layout
from .places import tokens_read
from .torch_state import clean_state


@dataclass(frozen=True)
class TokenBlocks:
    """The transformer of a classifier whose every attention is one of all tokens to all tokens.

    `layout` says how the tokens lie in the picture, `read` which of them the logits are computed from after the last
    attention. `blocks` are the names of the modules that hold one attention each, in execution order; empty where the
    output of one is not the input of the next.
    """

    layout: Layout
    read: tuple[int, ...]
    blocks: tuple[str, ...]


_known: WeakKeyDictionary[Classifier, TokenBlocks | Refused] = WeakKeyDictionary()


def token_blocks_of(classifier: Classifier) -> TokenBlocks:
    """The blocks of a classifier; looked for once, when they are first asked for. Raises `Refused`."""
    if classifier not in _known:
        try:
            _known[classifier] = find_token_blocks(classifier)
        except Refused as refusal:
            _known[classifier] = refusal
    found = _known[classifier]
    if isinstance(found, Refused):
        raise Refused(found.detail)
    return found


def find_token_blocks(classifier: Classifier) -> TokenBlocks:
    """The blocks of a classifier, by one pass. Raises `Refused` where an attention is not one of all tokens."""
    layers = inspection_of(classifier).feature_layers
    passed = _Passed()
    with clean_state(), torch.no_grad(), _watched(classifier, passed), UnfusedAttention(passed.attend):
        classifier(classifier.to_memory_format(classifier.noise_pictures(1)))
    layout = _layout(passed, layers)
    total = layout.prefix + layout.grid[0] * layout.grid[1]
    last = next(
        (
            layer.name
            for layer in reversed(layers.layers)
            if layer.layout == layout and layer.whole and passed.before[layer.name] == len(passed.attentions)
        ),
        None,
    )
    read = () if last is None else tokens_read(classifier, (last, passed.calls[last] - 1))
    if not read:
        raise Refused("What the logits read of this model's tokens after the last attention is not known.")
    return TokenBlocks(layout, read, _blocks(classifier, passed, total))


@dataclass
class _Passed:
    """What was seen in a pass: the weights' shapes with the modules that they were computed in, the outermost first;
    and of each module its calls, its last input and output, and how many attentions were before that output."""

    attentions: list[tuple[tuple[int, ...], tuple[str, ...]]] = field(default_factory=list)
    stack: list[str] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    inputs: dict[str, Tensor] = field(default_factory=dict)
    outputs: dict[str, Tensor] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)

    def attend(self, weights: Tensor) -> Tensor:
        self.attentions.append((tuple(weights.shape), tuple(self.stack)))
        return weights


@contextmanager
def _watched(classifier: Classifier, passed: _Passed) -> Iterator[None]:
    """A context in which a pass is written down in `passed`."""
    with ExitStack() as hooks:
        for name, module in classifier.network.named_modules():

            def enter(module: nn.Module, inputs: tuple[object, ...], name: str = name) -> None:
                passed.stack.append(name)
                passed.calls[name] += 1
                if inputs and isinstance(inputs[0], Tensor):
                    passed.inputs[name] = inputs[0]

            def leave(module: nn.Module, inputs: object, output: object, name: str = name) -> None:
                passed.stack.remove(name)
                if isinstance(output, Tensor):
                    passed.outputs[name], passed.before[name] = output, len(passed.attentions)

            hooks.callback(module.register_forward_pre_hook(enter).remove)
            hooks.callback(module.register_forward_hook(leave).remove)
        yield


def _layout(passed: _Passed, layers: FeatureLayers) -> Layout:
    """The layout of the tokens that every attention is among. Raises `Refused` where one is among others."""
    if not passed.attentions:
        raise Refused(
            "This model has no attention whose weights can be seen: they are not computed by PyTorch's functions for "
            "attention or by a softmax, or it is no transformer. Take another method."
        )
    shapes = [shape for shape, _ in passed.attentions]
    if any(shape[-1] != shape[-2] for shape in shapes):
        raise Refused(
            "An attention of this model is not among one set of tokens: its queries are others than its keys, as in "
            "class attention or where keys are pooled. Its weights cannot be followed to the picture. Take another "
            "method."
        )
    tokens = [layer.layout for layer in layers.layers if layer.layout.kind == "tokens" and layer.calls == 1]
    totals = {layout.prefix + layout.grid[0] * layout.grid[1]: layout for layout in tokens}
    strange = next((shape for shape in shapes if shape[-1] not in totals or len(shape) != 4 or shape[0] != 1), None)
    if strange is not None or len({shape[-1] for shape in shapes}) > 1:
        shape = strange or next(shape for shape in shapes if shape[-1] != shapes[0][-1])
        raise Refused(
            f"The attention of this model is not among all tokens of one grid in every block (weights {shape}): it "
            "goes within windows or over channels, or the grid changes. Its weights cannot be followed to the picture. "
            "Take another method."
        )
    found = totals[shapes[0][-1]]
    if sum(layout.prefix + layout.grid[0] * layout.grid[1] == shapes[0][-1] for layout in set(tokens)) > 1:
        raise Refused("The grid of this model's tokens is not clear. Take another method.")
    return found


def _blocks(classifier: Classifier, passed: _Passed, total: int) -> tuple[str, ...]:
    """The modules that hold one attention each, from one's output to the next one's input; none where they do not."""
    held = Counter(name for _, stack in passed.attentions for name in stack)
    lists = {
        f"{name}.{child}" if name else child
        for name, module in classifier.network.named_modules()
        if isinstance(module, (nn.Sequential, nn.ModuleList, nn.ModuleDict))
        for child, _ in module.named_children()
    }
    blocks = []
    for _, stack in passed.attentions:
        block = next((name for name in stack if name in lists and held[name] == passed.calls[name] == 1), None)
        if block is None or block not in passed.outputs or passed.outputs[block].shape[:2] != (1, total):
            return ()
        blocks.append(block)
    chained = all(passed.inputs.get(after) is passed.outputs[before] for before, after in pairwise(blocks))
    return tuple(blocks) if chained else ()


@contextmanager
def collected(
    classifier: Classifier, blocks: Sequence[str], continue_with: Callable[[list[Tensor]], Tensor]
) -> Iterator[list[Tensor]]:
    """A context that keeps the outputs of blocks in a pass; each block but the first starts from a detached input, and
    the pass goes on with `continue_with(outputs)` instead of the last output."""
    outputs: list[Tensor] = []

    def detach(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[object, ...]:
        return (inputs[0].detach(), *inputs[1:])

    def keep(module: nn.Module, inputs: object, output: Tensor) -> Tensor | None:
        outputs.append(output)
        return continue_with(outputs) if len(outputs) == len(blocks) else None

    with ExitStack() as hooks:
        for place, name in enumerate(blocks):
            module = classifier.network.get_submodule(name)
            if place:
                hooks.callback(module.register_forward_pre_hook(detach).remove)
            hooks.callback(module.register_forward_hook(keep).remove)
        yield outputs
