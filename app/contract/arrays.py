"""Numbers on the wire: maps, arrays, statistics; one place that both processes use."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Literal

import numpy as np

from .wire import WireModel

ScoreKind = Literal["logit", "log_probability", "probability"]
Reduction = Literal["sum", "abs", "max", "positive", "negative"]
Reduce = Literal["none"] | Reduction


class EncodedMap(WireModel):
    """A map (h, w) for the event stream: base64 of little-endian float16, to be multiplied by `scale`."""

    shape: list[int]
    dtype: Literal["float16"]
    scale: float
    data: str


class Statistics(WireModel):
    min: float
    max: float
    sum: float


def reduce_channels(values: np.ndarray, how: Reduce) -> np.ndarray:
    """(C, H, W) → (H, W): sum with sign, sum of |·|, max |·|, or what of the sum is above or below zero.

    `none` leaves it as it is; positive and negative are both ≥ 0: their difference is the sum.
    """
    if how == "none":
        return values
    if how == "abs":
        return np.asarray(np.abs(values).sum(0))
    if how == "max":
        return np.asarray(np.abs(values).max(0))
    summed = np.asarray(values.sum(0))
    if how == "sum":
        return summed
    return np.asarray(np.maximum(summed if how == "positive" else -summed, 0))


def to_half(values: np.ndarray) -> tuple[np.ndarray, float]:
    """`values` as float16 with the scale to multiply by: scale = max |values|, 0 for zeros alone.

    Gradients of 1e9 and of 1e-9 both occur; float16 ends at 65504.
    """
    scale = float(np.abs(values).max(initial=0.0))
    with np.errstate(under="ignore"):
        return (values / scale if scale else np.zeros_like(values)).astype(np.float16), scale


def from_half(half: np.ndarray, scale: float) -> np.ndarray:
    """What `to_half` has made of values, in float32."""
    return np.asarray(half.astype(np.float64) * scale, dtype=np.float32)


def encode_map(summed: np.ndarray) -> EncodedMap:
    """A map (h, w) for the event stream."""
    half, scale = to_half(np.asarray(summed, dtype=np.float64))
    data = base64.b64encode(half.astype("<f2").tobytes()).decode()
    return EncodedMap(shape=list(half.shape), dtype="float16", scale=scale, data=data)


def decode_map(encoded: EncodedMap) -> np.ndarray:
    """What `encode_map` has made of a map: (h, w), float32."""
    half = np.frombuffer(base64.b64decode(encoded.data), "<f2").reshape(encoded.shape)
    return from_half(half, encoded.scale)


def statistics(values: np.ndarray) -> Statistics:
    return Statistics(min=float(values.min()), max=float(values.max()), sum=float(values.sum(dtype=np.float64)))


def npy(values: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, np.ascontiguousarray(values), allow_pickle=False)
    return out.getvalue()


def measurement_part(panel: str, metric: str) -> str:
    """The name in the store of what a metric has found of a panel."""
    return f"metric:{panel}:{metric}"


def pack(maps: Mapping[str, np.ndarray]) -> bytes:
    """Maps as an .npz: each as float16, NAME, with the number to multiply it by, NAME.scale.

    That is a power of two: so whole numbers up to 2048 are kept exactly, and the rest to 11 bits.
    """
    arrays: dict[str, np.ndarray | np.float64] = {}
    for name, values in maps.items():
        _, exponent = np.frexp(np.abs(values).max(initial=0.0))
        scale = 2.0 ** int(exponent)
        with np.errstate(under="ignore"):
            arrays |= {name: (values.astype(np.float64) / scale).astype(np.float16), f"{name}.scale": np.float64(scale)}
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **arrays)
    return out.getvalue()


def unpack(data: bytes, name: str) -> np.ndarray | None:
    """A map of those that were packed, in float32; None where there is none of that name."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        if f"{name}.scale" not in arrays:
            return None
        return from_half(arrays[name], float(arrays[f"{name}.scale"]))
