"""A table of the gradient flow for terminals: a row a layer, with bars on a logarithmic scale."""

from __future__ import annotations

from math import log10

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from ..contract.flows import FlowLayer

BAR = 24  # characters
MAX_DECADES = 6


def table(layers: list[FlowLayer]) -> Table:
    """The table of `layers`, as in the REST interface: name, kind, shape, norm, RMS with a bar; then the shares of
    outputs that are dead or saturated, and of a pooling's inputs that receive a gradient."""
    rows = Table(
        *("layer", "kind", "shape", "norm", "rms"), f"rms, {_scale(layers)}", *("dead", "saturated", "received"),
        box=SIMPLE_HEAD, pad_edge=False, show_edge=False,
    )  # fmt: skip
    for column in (3, 4, 6, 7, 8):
        rows.columns[column].justify = "right"
    lengths = bars([layer.rms for layer in layers])
    for layer, length in zip(layers, lengths, strict=True):
        pooling = layer.pooling
        cells = (
            layer.name + (f" #{layer.call}" if layer.call > 1 else ""),
            layer.kind,
            "×".join(map(str, layer.shape)),
            _number(layer.norm),
            _number(layer.rms),
            "█" * int(length) + ("▌" if length % 1 >= 0.5 else ""),
            _share(layer.dead),
            _share(layer.saturated),
            _share(pooling.received if pooling else None),
        )
        rows.add_row(*(Text(cell) for cell in cells))
    return rows


def bars(values: list[float | None]) -> list[float]:
    """Bar lengths in characters, on a logarithmic scale up to the largest value; 0 for zeros and missing values."""
    known = [value for value in values if value]
    if not known:
        return [0.0 for _ in values]
    high, decades = log10(max(known)), _decades(known)
    return [max(0.5, BAR * (1 - (high - log10(value)) / decades)) if value else 0.0 for value in values]


def _decades(known: list[float]) -> float:
    """How many decades the bars span: those of the values, at least 1 and at most `MAX_DECADES`."""
    return min(MAX_DECADES, max(1.0, 1.1 * (log10(max(known)) - log10(min(known)))))


def _scale(layers: list[FlowLayer]) -> str:
    known = [layer.rms for layer in layers if layer.rms]
    return f"{_decades(known):.1f} decades" if known else "all 0"


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3g}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"
