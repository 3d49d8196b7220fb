"""What the figures say in plain words: where the gradient vanishes, and what is in its way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from ..attribution.gradient_flow.profile import LayerGradient
from ..contract.arrays import ScoreKind
from ..contract.metrics import Finding

URL = "/trust#gradient_flow"
FALL = 1e-3  # of the largest: below it the gradient has vanished
DROP = 0.5  # a drop between two layers that is smaller is not told
MANY = 0.9  # of the activations, dead or saturated


def findings(layers: list[LayerGradient], score: ScoreKind = "logit") -> list[Finding]:
    """Statements about a pass, the gravest first; the layers as `measure` gives them.

    Two measures are taken together. The norm per element falls wherever a layer is larger than the next one, as each
    of a mean's inputs gets its n-th part; the norm does not fall for that reason alone. So only where both fall below
    `FALL` of their largest, and stay there down to the picture, the gradient is said to vanish.
    """
    broken = [layer for layer in layers if layer.norm is None]
    if broken:
        return [_not_finite(broken)]
    return [*_vanishing(layers), *_flat_score(layers, score), *_drop(layers), *_dead(layers), *_saturated(layers)]


def _finding(code: str, level: Literal["support", "doubt", "note"], detail: str, **values: Any) -> Finding:
    return Finding(code=code, level=level, detail=detail, values=values, url=URL)


def _not_finite(broken: list[LayerGradient]) -> Finding:
    place = title(broken[-1])
    return _finding(
        "flow_not_finite", "doubt",
        f"The gradient at {place} is not finite (NaN or infinity), and at {len(broken) - 1} other layers: nothing that "
        "is made of it can be trusted.", layer=place, count=len(broken),
    )  # fmt: skip


def _vanishing(layers: list[LayerGradient]) -> Iterator[Finding]:
    """Whether the gradient arrives at the picture; else the layer from which on it does not."""
    largest = max(layers, key=_norm)
    picture = layers[0]
    place = gone_from(layers)
    if place is None and largest is picture:
        yield _finding(
            "flow_arrives_largest", "note",
            f"The gradient arrives at the picture: its norm there is {_short(_norm(picture))}, the largest of all.",
            norm=_norm(picture),
        )  # fmt: skip
        yield from _thin(layers)
        return
    if place is None:
        share = _norm(picture) / _norm(largest) if _norm(largest) else 0.0
        yield _finding(
            "flow_arrives", "note",
            f"The gradient arrives at the picture: its norm there is {_short(_norm(picture))}, {_percent(share)} of "
            f"the largest, which is at {title(largest)}.",
            norm=_norm(picture), share=share, layer=title(largest),
        )  # fmt: skip
        yield from _thin(layers)
        return
    layer = layers[place]
    if _norm(layer) == 0:
        yield _finding(
            "flow_stops", "doubt",
            f"The gradient stops at {title(layer)}: there, and at all that lies between it and the picture, it is "
            "exactly 0. A map that is made of it is empty.", layer=title(layer), count=place,
        )  # fmt: skip
        return
    share = _norm(picture) / _norm(largest)
    yield _finding(
        "flow_vanishes", "doubt",
        f"The gradient vanishes at {title(layer)}: there it falls below a thousandth of its largest, as a norm and per "
        f"element, and stays below it down to the picture, where {_short(share)} of the largest norm (at "
        f"{title(largest)}) is left.", layer=title(layer), share=share, largest=title(largest),
    )  # fmt: skip


def gone_from(layers: list[LayerGradient]) -> int | None:
    """The place of the last layer, in the order of computing, from which on back to the picture both measures are
    below `FALL` of their largest; None where they are not so at the picture."""
    norm, rms = max(map(_norm, layers)), max(map(_rms, layers))
    gone = None
    for place, layer in enumerate(layers):
        # where all are 0, none is as large as the largest
        if (norm and _norm(layer) >= FALL * norm) or (rms and _rms(layer) >= FALL * rms):
            break
        gone = place
    return gone


def _thin(layers: list[LayerGradient]) -> Iterator[Finding]:
    """Where the norm per element alone is small, though the gradient arrives."""
    largest = max(layers, key=_rms)
    thin = [layer for layer in layers if _rms(layer) < FALL * _rms(largest)]
    if thin:
        least = min(thin, key=_rms)
        yield _finding(
            "flow_thin", "note",
            f"Per element the gradient is below a thousandth of its largest (at {title(largest)}) at {len(thin)} of "
            f"{len(layers)} layers, least at {title(least)}. It is spread there, or goes round: it is not lost.",
            largest=title(largest), count=len(thin), layers=len(layers), layer=title(least),
        )  # fmt: skip


def _flat_score(layers: list[LayerGradient], score: ScoreKind) -> Iterator[Finding]:
    """A probability next to 1, or to 0, has next to no slope: then all norms are small alike."""
    last = layers[-1]
    if score == "probability" and _norm(last) < 1e-2:
        yield _finding(
            "flow_flat_score", "note",
            f"The probability hardly changes with the logits (norm {_short(_norm(last))} at {title(last)}), so the "
            "gradient is small at every layer alike. The logit as the score has no such end.",
            norm=_norm(last), layer=title(last),
        )  # fmt: skip


def _drop(layers: list[LayerGradient]) -> Iterator[Finding]:
    """The largest drop of the norm from a layer's takers to itself."""
    drops = [
        (_norm(layer) / above, layer, max((layers[i] for i in layer.into), key=_norm))
        for layer in layers
        if layer.into and (above := max(_norm(layers[i]) for i in layer.into)) > 0
    ]
    if not drops:
        return
    ratio, layer, taker = min(drops, key=lambda drop: drop[0])
    if ratio >= DROP:
        return
    average = taker.pooling is not None and taker.pooling.how == "average"
    detail = (
        f"The largest drop between two layers is from {title(taker)} back to {title(layer)}: {_percent(ratio)} of the "
        "norm is left."
    )
    if average:
        detail += " That is what an average does: each of its inputs gets its share only."
    code = "flow_drop_average" if average else "flow_drop"
    yield _finding(code, "note", detail, layer=title(layer), above=title(taker), ratio=ratio)


def _dead(layers: list[LayerGradient]) -> Iterator[Finding]:
    dead = [layer for layer in layers if (layer.slopes.dead or 0) > MANY]
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
        f"More than 90 % of the activations are dead (exactly 0, and let no gradient through) at {_some(dead)}. The "
        f"most are at {title(worst)}: {_percent(share)}, and {_percent(units)} of its channels everywhere. In a ReLU "
        "network many are, late in the network above all.", count=len(dead), layer=title(worst), dead=share,
        units=units,
    )  # fmt: skip


def _saturated(layers: list[LayerGradient]) -> Iterator[Finding]:
    saturated = [layer for layer in layers if (layer.slopes.saturated or 0) > MANY]
    if not saturated:
        return
    worst = max(saturated, key=lambda layer: layer.slopes.saturated or 0)
    share = worst.slopes.saturated or 0.0
    yield _finding(
        "flow_saturated", "note" if gone_from(layers) is None else "doubt",
        f"More than 90 % of the activations are saturated (at a flat end, where hardly any gradient gets through) at "
        f"{_some(saturated)}. The most are at {title(worst)}: {_percent(share)}.",
        count=len(saturated), layer=title(worst), saturated=share,
    )  # fmt: skip


def title(layer: LayerGradient) -> str:
    """A layer's name for people; with its kind where the name does not say it."""
    call = f", call {layer.call}" if layer.call > 1 else ""
    kind = "" if layer.kind == "Input" or layer.name.lower().endswith(layer.kind.lower()) else f" ({layer.kind})"
    return f"{layer.name}{kind}{call}"


def _some(layers: Iterable[LayerGradient]) -> str:
    count = len(list(layers))
    return "one layer" if count == 1 else f"{count} layers"


def _norm(layer: LayerGradient) -> float:
    return layer.norm or 0.0


def _rms(layer: LayerGradient) -> float:
    return layer.rms or 0.0


def _short(value: float) -> str:
    return f"{value:.2g}"


def _percent(share: float) -> str:
    """As whole percents, or with as many digits as it needs."""
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.2g} %"
