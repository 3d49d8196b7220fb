"""Findings about the gradient flow in words: where the gradient vanishes, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from ..attribution.gradient_flow.profile import LayerGradient
from ..contract.arrays import ScoreKind
from ..contract.metrics import Finding

URL = "/trust#gradient_flow"
VANISHED = 1e-3  # share of the largest value below which the gradient has vanished
MAX_LEFT = 0.5  # a finding only if less than this share is left between two layers
MAX_FLAT_SHARE = 0.9  # share of dead or saturated activations for a finding


def findings(layers: list[LayerGradient], score: ScoreKind = "logit") -> list[Finding]:
    """Findings about a pass, the most serious first; `layers` as `measure` returns them.

    Two measures are combined. The norm per element falls wherever a layer is larger than the next one, because each
    input of a mean gets its n-th part; the norm alone does not fall for that reason. So the gradient counts as vanished
    only where both are below `VANISHED` of their largest, from there down to the picture.
    """
    broken = [layer for layer in layers if layer.norm is None]
    if broken:
        return [_not_finite(broken, len(layers))]
    return [*_vanishing(layers), *_flat_score(layers, score), *_drop(layers), *_dead(layers), *_saturated(layers)]


def _finding(code: str, level: Literal["support", "doubt", "note"], detail: str, **values: Any) -> Finding:
    return Finding(code=code, level=level, detail=detail, values=values, url=URL)


def _not_finite(broken: list[LayerGradient], layers: int) -> Finding:
    name = title(broken[-1])
    return _finding(
        "flow_not_finite", "doubt",
        f"The gradient at {name} is not finite (NaN or infinity), and at {len(broken) - 1} other layers: nothing that "
        "is made of it can be trusted.", layer=name, count=len(broken), layers=layers,
    )  # fmt: skip


def _vanishing(layers: list[LayerGradient]) -> Iterator[Finding]:
    """Whether the gradient arrives at the picture; else the layer where it vanishes."""
    largest = max(layers, key=_norm)
    picture = layers[0]
    index = vanished_from(layers)
    if index is None and largest is picture:
        yield _finding(
            "flow_arrives_largest", "note",
            f"The gradient arrives at the picture: its norm there is {_short(_norm(picture))}, the largest of all.",
            norm=_norm(picture),
        )  # fmt: skip
        yield from _small_per_element(layers)
        return
    if index is None:
        share = _norm(picture) / _norm(largest) if _norm(largest) else 0.0
        yield _finding(
            "flow_arrives", "note",
            f"The gradient arrives at the picture: its norm there is {_short(_norm(picture))}, {_percent(share)} of "
            f"the largest, which is at {title(largest)}.",
            norm=_norm(picture), share=share, layer=title(largest),
        )  # fmt: skip
        yield from _small_per_element(layers)
        return
    layer = layers[index]
    if _norm(layer) == 0:
        yield _finding(
            "flow_stops", "doubt",
            f"The gradient stops at {title(layer)}: there, and at all that lies between it and the picture, it is "
            "exactly 0. A map that is made of it is empty.", layer=title(layer), count=index,
        )  # fmt: skip
        return
    share = _norm(picture) / _norm(largest)
    yield _finding(
        "flow_vanishes", "doubt",
        f"The gradient vanishes at {title(layer)}: there it falls below a thousandth of its largest, as a norm and per "
        f"element, and stays below it down to the picture, where {_short(share)} of the largest norm (at "
        f"{title(largest)}) is left.", layer=title(layer), share=share, largest=title(largest),
    )  # fmt: skip


def vanished_from(layers: list[LayerGradient]) -> int | None:
    """The index of the layer where the gradient vanishes, None if it arrives at the picture.

    From this layer back to the picture both measures are below `VANISHED` of their largest.
    """
    norm, rms = max(map(_norm, layers)), max(map(_rms, layers))
    vanished = None
    for index, layer in enumerate(layers):
        # if all are 0, the gradient has vanished everywhere
        if (norm and _norm(layer) >= VANISHED * norm) or (rms and _rms(layer) >= VANISHED * rms):
            break
        vanished = index
    return vanished


def _small_per_element(layers: list[LayerGradient]) -> Iterator[Finding]:
    """Layers where only the norm per element is small, although the gradient arrives."""
    largest = max(layers, key=_rms)
    small = [layer for layer in layers if _rms(layer) < VANISHED * _rms(largest)]
    if small:
        least = min(small, key=_rms)
        yield _finding(
            "flow_thin", "note",
            f"Per element the gradient is below a thousandth of its largest (at {title(largest)}) at {len(small)} of "
            f"{len(layers)} layers, least at {title(least)}. It is spread over many "
            "elements there, or takes another branch: it is not lost.",
            largest=title(largest), count=len(small), layers=len(layers), layer=title(least),
        )  # fmt: skip


def _flat_score(layers: list[LayerGradient], score: ScoreKind) -> Iterator[Finding]:
    """A probability near 1 or 0 has almost no slope: then all norms are small."""
    last = layers[-1]
    if score == "probability" and _norm(last) < 1e-2:
        yield _finding(
            "flow_flat_score", "note",
            f"The probability hardly changes with the logits (norm {_short(_norm(last))} at {title(last)}), so the "
            "gradient is small at every layer alike. With the logit as the score this does not happen.",
            norm=_norm(last), layer=title(last),
        )  # fmt: skip


def _drop(layers: list[LayerGradient]) -> Iterator[Finding]:
    """The largest drop of the norm from the layers that use a layer's output back to this layer."""
    drops = [
        (_norm(layer) / above, layer, max((layers[i] for i in layer.into), key=_norm))
        for layer in layers
        if layer.into and (above := max(_norm(layers[i]) for i in layer.into)) > 0
    ]
    if not drops:
        return
    ratio, layer, consumer = min(drops, key=lambda drop: drop[0])
    if ratio >= MAX_LEFT:
        return
    average = consumer.pooling is not None and consumer.pooling.kind == "average"
    detail = (
        f"The largest drop between two layers is from {title(consumer)} back to {title(layer)}: {_percent(ratio)} of "
        "the norm is left."
    )
    if average:
        detail += " That is what an average does: each of its inputs gets its share only."
    code = "flow_drop_average" if average else "flow_drop"
    yield _finding(code, "note", detail, layer=title(layer), above=title(consumer), ratio=ratio)


def _dead(layers: list[LayerGradient]) -> Iterator[Finding]:
    dead = [layer for layer in layers if (layer.slopes.dead or 0) > MAX_FLAT_SHARE]
    if not dead:
        return
    worst = max(dead, key=lambda layer: layer.slopes.dead or 0)
    share, units = worst.slopes.dead or 0.0, worst.slopes.dead_units or 0.0
    if share == 1:
        yield _finding(
            "flow_all_dead", "doubt",
            f"All activations of {title(worst)} are dead (exactly 0, and let no gradient through): nothing goes "
            "through it.", layer=title(worst),
        )  # fmt: skip
        return
    yield _finding(
        "flow_dead", "note",
        f"More than 90 % of the activations are dead (exactly 0, and let no gradient through) at {_count(dead)}. The "
        f"most are at {title(worst)}: {_percent(share)}, and {_percent(units)} of its channels everywhere. In a ReLU "
        "network many are, late in the network above all.", count=len(dead), layers=len(layers),
        layer=title(worst), dead=share, units=units,
    )  # fmt: skip


def _saturated(layers: list[LayerGradient]) -> Iterator[Finding]:
    saturated = [layer for layer in layers if (layer.slopes.saturated or 0) > MAX_FLAT_SHARE]
    if not saturated:
        return
    worst = max(saturated, key=lambda layer: layer.slopes.saturated or 0)
    share = worst.slopes.saturated or 0.0
    yield _finding(
        "flow_saturated", "note" if vanished_from(layers) is None else "doubt",
        f"More than 90 % of the activations are saturated (at a flat end, where hardly any gradient gets through) at "
        f"{_count(saturated)}. The most are at {title(worst)}: {_percent(share)}.",
        count=len(saturated), layers=len(layers), layer=title(worst), saturated=share,
    )  # fmt: skip


def title(layer: LayerGradient) -> str:
    """A layer's name for people, with its kind if the name does not contain it."""
    call = f", call {layer.call}" if layer.call > 1 else ""
    kind = "" if layer.kind == "Input" or layer.name.lower().endswith(layer.kind.lower()) else f" ({layer.kind})"
    return f"{layer.name}{kind}{call}"


def _count(layers: Iterable[LayerGradient]) -> str:
    count = len(list(layers))
    return "one layer" if count == 1 else f"{count} layers"


def _norm(layer: LayerGradient) -> float:
    return layer.norm or 0.0


def _rms(layer: LayerGradient) -> float:
    return layer.rms or 0.0


def _short(value: float) -> str:
    return f"{value:.2g}"


def _percent(share: float) -> str:
    """A share as text: whole percents, or two significant digits below 10 %."""
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.2g} %"
