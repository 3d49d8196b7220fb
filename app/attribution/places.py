"""Proofs that an output's places lie in the picture as its layout says, and what of them the score depends on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from .attention import UnfusedAttention
from .classifier import Classifier
from .gradients import retry_adapted
from .layouts import Grid, Layout
from .noise import generator
from .torch_state import clean_state

Call = tuple[str, int]  # a module's name, and the number of its call in a pass

MASKS = 6  # of a grid, at most; more where it has few places
FREE = 32  # degrees of freedom that all masks of a grid have together, at least
SURE = 5.0  # standard deviations by which the places of the right layout agree with the masks, above chance
CLEAR = 1.5  # how many times better neighbours must agree to be taken for the places that were meant
HOPELESS = 2.0  # as many or fewer after two masks: this layout is not tried further


def proven_layouts(classifier: Classifier, possible: Mapping[Call, Sequence[Layout]]) -> dict[Call, Layout]:
    """Of the layouts that an output could have, the one by which its places follow the picture's; none if none does.

    A random half of a grid's places is exchanged in the picture for those of another picture, and then the other half.
    By the right layout, an output changes more where its own place was exchanged, and not where its neighbour's was.
    Attention is cut to the diagonal in these passes: each token attends to itself alone, so that a change stays where
    it is, however far the network looks. The order of the tokens does not depend on it.
    """
    base, other = classifier.noise_pictures(2)
    proven: dict[Call, Layout] = {}
    with clean_state(), torch.no_grad(), UnfusedAttention(_diagonal):
        before = _outputs(classifier, base, possible)
        for grid in sorted({layout.grid for layouts in possible.values() for layout in layouts}, reverse=True):
            asked = {
                (call, layout): _Agreement(layout)
                for call, layouts in possible.items()
                for layout in layouts
                if layout.grid == grid and call in before and call not in proven
            }
            for mask in _masks(grid):
                open_calls = {call for (call, _), agreement in asked.items() if call not in proven and agreement.open}
                if not open_calls:
                    break
                halves = []
                for half in (mask, ~mask):
                    shown = interpolate(half[None, None].float(), base.shape[-2:], mode="nearest")[0, 0].to(base.device)
                    halves.append(_outputs(classifier, torch.where(shown > 0, other, base), open_calls))
                for (call, layout), agreement in asked.items():
                    if call in open_calls and call in halves[0] and call in halves[1]:
                        agreement.add(before[call], halves[0][call], halves[1][call], mask)
                        if agreement.sure:
                            proven[call] = layout
    return proven


class _Agreement:
    """How far the changes of an output, arranged by a layout, agree with the masks that made them."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._contrasts: list[Tensor] = []
        self._masks: list[Tensor] = []

    def add(self, before: Tensor, with_half: Tensor, with_rest: Tensor, mask: Tensor) -> None:
        """The output before, with the mask's half of the places exchanged, and with the other half."""
        if not before.shape == with_half.shape == with_rest.shape:
            return
        one, rest = (
            self._layout.spatial(after - before)[0].double().square().sum(0).sqrt().cpu()
            for after in (with_half, with_rest)
        )
        self._contrasts.append((one - rest) / (one + rest).clamp(min=torch.finfo(one.dtype).tiny))
        self._masks.append(mask.double())

    @property
    def open(self) -> bool:
        """Whether more masks could make it sure."""
        return len(self._masks) < 2 or self._deviations() > HOPELESS

    @property
    def sure(self) -> bool:
        """Whether they agree far better than by chance, and not clearly better with the masks of places beside them.

        Convolutions with a stride see a place and half of its neighbour: then both agree about as well.
        """
        found = self._deviations()
        if not found >= SURE:  # nor where values are not finite
            return False
        shifts = range(-self._layout.prefix - 1, self._layout.prefix + 2)
        return self._layout.kind != "tokens" or all(
            self._deviations(shift) < CLEAR * found for shift in shifts if shift
        )

    def _deviations(self, shift: int = 0) -> float:
        """The correlation of changes and masks, by its standard deviation if there were none; 0 of nothing.

        Without what whole rows and whole columns have in common: an output whose axes are taken for others may still
        agree along one of them.
        """
        if not self._masks:
            return 0.0
        shifted = [mask.flatten().roll(shift).reshape(self._layout.grid) for mask in self._masks]
        pairs = [torch.cat([_centred(values).flatten() for values in those]) for those in (self._contrasts, shifted)]
        return _correlation(pairs[0], pairs[1]) * math.sqrt(len(shifted) * _freedom(self._layout.grid))


def _centred(values: Tensor) -> Tensor:
    """(h, w) without the means of its rows and columns."""
    return values - values.mean(0, keepdim=True) - values.mean(1, keepdim=True) + values.mean()


def _freedom(grid: Grid) -> int:
    """Degrees of freedom of a centred mask."""
    return (grid[0] - 1) * (grid[1] - 1)


def _diagonal(weights: Tensor) -> Tensor:
    """Attention of each token to itself alone; none where queries and keys are not the same tokens."""
    if weights.shape[-1] != weights.shape[-2]:
        return torch.zeros_like(weights)
    return torch.eye(weights.shape[-1], dtype=weights.dtype, device=weights.device).expand_as(weights)


def _masks(grid: Grid) -> Iterator[Tensor]:
    """Random halves of the places of a grid, (h, w), always the same; none of a grid of one row."""
    places, free = grid[0] * grid[1], _freedom(grid)
    for number in range(max(MASKS, math.ceil(FREE / free)) if free else 0):
        order = torch.randperm(places, generator=generator(0, number, "places"))
        yield (order < places / 2).reshape(grid)


def _correlation(one: Tensor, other: Tensor) -> float:
    """Of two rows whose means are 0, Pearson's; 0 where one is constant."""
    size = float(one.norm() * other.norm())
    return float(one @ other) / size if size > 0 else 0.0


def _outputs(classifier: Classifier, picture: Tensor, calls: Iterable[Call]) -> dict[Call, Tensor]:
    """The outputs of calls of modules for one picture, (C, H, W)."""
    with recorded(classifier, calls) as outputs:
        classifier(classifier.to_memory_format(picture[None]))
    return outputs


@contextmanager
def recorded(classifier: Classifier, calls: Iterable[Call]) -> Iterator[dict[Call, Tensor]]:
    """A context that keeps the outputs of these calls in a pass; the pass goes on with clones of them."""
    wanted, counts, found = set(calls), dict.fromkeys((name for name, _ in calls), 0), dict[Call, Tensor]()
    with ExitStack() as hooks:
        for name in counts:

            def keep(module: nn.Module, inputs: object, output: object, name: str = name) -> Tensor | None:
                call = name, counts[name]
                counts[name] += 1
                if call not in wanted or not isinstance(output, Tensor):
                    return None
                found[call] = output
                return output.clone()  # what is changed in place afterwards is not the recording

            hooks.callback(classifier.network.get_submodule(name).register_forward_hook(keep).remove)
        yield found


def places_reached(classifier: Classifier, layouts: Mapping[Call, Layout]) -> set[Call]:
    """The calls at whose places the logits have a gradient: under a class token, the last block's have none."""
    with _graph(classifier, layouts) as (outputs, score):
        gradients = torch.autograd.grad(score, list(outputs.values()), allow_unused=True)
    return {
        call
        for call, gradient in zip(outputs, gradients, strict=True)
        if gradient is not None and bool(layouts[call].spatial(gradient).any())
    }


def last_gate(
    classifier: Classifier, start: Call, later: Sequence[Call], layouts: Mapping[Call, Layout]
) -> Call | None:
    """The last of the `later` calls that all gradients pass through on their way back to the places of `start`.

    None if none is such a gate. It is the normalisation at the entrance of a last block whose class token alone is read
    afterwards: the skip connection around it leads nowhere for the places.
    """
    with _graph(classifier, {call: layouts[call] for call in (start, *later)}) as (outputs, score):
        for call in reversed(later):
            if call not in outputs or start not in outputs:
                continue
            closed = outputs[call].register_hook(layouts[call].without_places)  # type: ignore[no-untyped-call]
            (gradient,) = torch.autograd.grad(score, outputs[start], retain_graph=True, allow_unused=True)
            closed.remove()
            if gradient is not None and not bool(layouts[start].spatial(gradient).any()):
                return call
    return None


@contextmanager
def _graph(classifier: Classifier, calls: Iterable[Call]) -> Iterator[tuple[dict[Call, Tensor], Tensor]]:
    """The outputs of calls, in a pass with a graph, and a number that depends on all logits."""

    def run() -> tuple[dict[Call, Tensor], Tensor]:
        x = classifier.to_memory_format(classifier.noise_pictures(1)).clone().requires_grad_()
        with recorded(classifier, calls) as outputs:
            logits = classifier(x)
        weights = torch.linspace(0.5, 1.5, logits.shape[1], dtype=logits.dtype, device=logits.device)
        return {call: output for call, output in outputs.items() if output.requires_grad}, (logits * weights).sum()

    with clean_state():
        yield retry_adapted(classifier, run)


def tokens_read(classifier: Classifier, call: Call) -> tuple[int, ...]:
    """The tokens of an output, (N, tokens, K), that the logits have a gradient at."""
    with _graph(classifier, [call]) as (outputs, score):
        if call not in outputs:
            return ()
        (gradient,) = torch.autograd.grad(score, outputs[call], allow_unused=True)
    return () if gradient is None else tuple(gradient[0].any(1).nonzero().flatten().tolist())


def declared_prefixes(classifier: Classifier) -> set[int]:
    """How many tokens before the grid the network's modules declare, as timm's `num_prefix_tokens`."""
    declared = {getattr(module, "num_prefix_tokens", None) for module in classifier.network.modules()}
    return {count for count in declared if isinstance(count, int)}
