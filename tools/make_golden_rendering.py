"""Writes tests/images/golden_rendering.json: small maps, and the colours that each must get.

    python -m tools.make_golden_rendering

The rule stands in words in app/images/render.py. Here it is written out once more, value by value and without that
module, so that the file can test both the server's code and the page's.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
OUT = ROOT / "tests/images/golden_rendering.json"
PALETTES = json.loads((ROOT / "static/palettes.json").read_text("utf-8"))
SINGLE = np.float32
MIDDLE = 128


def reduced(values: np.ndarray, how: str) -> list[np.float32]:
    """(C, H, W) → H·W numbers; channels are added one by one in single precision."""
    pixels = values.reshape(len(values), -1).T
    if how == "max":
        return [max(abs(value) for value in pixel) for pixel in pixels]
    if how == "abs":
        return [summed([abs(value) for value in pixel]) for pixel in pixels]
    totals = [summed(list(pixel)) for pixel in pixels]
    if how == "sum":
        return totals
    return [max(total if how == "positive" else SINGLE(-total), SINGLE(0)) for total in totals]


def summed(values: list[np.float32]) -> np.float32:
    total = SINGLE(0)
    for value in values:
        total = SINGLE(total + value)
    return total


def limit_of(values: list[np.float32], percentile: float) -> np.float32:
    """The percentile of the magnitudes, interpolated linearly from the nearer rank."""
    ranks = sorted(abs(value) for value in values)
    place = percentile / 100 * (len(ranks) - 1)
    below = math.floor(place)
    low, high = ranks[below], ranks[min(below + 1, len(ranks) - 1)]
    step, part = SINGLE(high - low), place - below
    limit = low + SINGLE(step * SINGLE(part)) if part < 0.5 else high - SINGLE(step * SINGLE(1 - part))
    return SINGLE(limit) or ranks[-1]


def nearest(number: np.float32) -> int:
    """The nearest whole number; of two the even one."""
    below = math.floor(number)
    part = float(number) - below
    return below + (part > 0.5 or (part == 0.5 and below % 2 == 1))


def indices(values: np.ndarray, how: str, palette: str, percentile: float) -> list[int]:
    flat = reduced(values, how)
    symmetric = how == "sum" or PALETTES[palette]["kind"] == "diverging"
    limit = limit_of(flat, percentile)
    low, extent = (SINGLE(-limit), SINGLE(2 * float(limit))) if symmetric else (SINGLE(0), limit)
    if min(flat) == max(flat) or limit == 0:
        return [MIDDLE if symmetric else 0] * len(flat)
    positions = [SINGLE(SINGLE(value - low) / extent) for value in flat]
    return [nearest(SINGLE(min(max(position, SINGLE(0)), SINGLE(1)) * SINGLE(255))) for position in positions]


def over(picture: list[list[int]], colours: list[list[int]], opacity: float) -> list[list[int]]:
    """The colours blended over the picture; fractions are cut off."""
    weight = SINGLE(opacity)
    return [
        [int(SINGLE(below) + SINGLE(weight * SINGLE(above - below))) for below, above in zip(*pair, strict=True)]
        for pair in zip(picture, colours, strict=True)
    ]


def case(
    name: str, values: Any, how: str, palette: str, percentile: float = 99, overlay: float | None = None
) -> dict[str, Any]:
    array = np.asarray(values, SINGLE)
    while array.ndim < 3:
        array = array[None]
    table = np.frombuffer(bytes.fromhex(PALETTES[palette]["colours"]), np.uint8).reshape(256, 3)
    entries = indices(array, how, palette, percentile)
    colours = table[entries].tolist()
    made = {
        "name": name, "shape": array.shape, "values": array.ravel().tolist(), "reduce": how, "palette": palette,
        "percentile": percentile, "overlay": overlay, "indices": entries,
    }  # fmt: skip
    if overlay is not None:
        made["picture"] = np.random.default_rng(5).integers(0, 256, (len(entries), 3)).tolist()
        colours = over(made["picture"], colours, overlay)
    return {**made, "rgb": [bytes(colour).hex() for colour in colours]}


def cases() -> list[dict[str, Any]]:
    noise = np.random.default_rng(1).normal(size=(3, 7, 9))
    spike = np.zeros((12, 12))
    spike[3, 4] = -2
    whole = [[0, 1, 2, 3]]
    made = []
    for palette in PALETTES:
        for how in ("sum", "abs", "max", "positive", "negative"):
            made.append(case("whole numbers", whole, how, palette, 100))
            made.append(case("noise of three channels", noise, how, palette))
        for how in ("sum", "abs"):
            made.append(case("all zero", np.zeros((3, 2, 3)), how, palette))
            made.append(case("constant", np.full((1, 2, 3), 3.0), how, palette))
            made.append(case("constant, negative", np.full((1, 2, 3), -3.0), how, palette))
            made.append(case("all negative", -np.linspace(0.1, 1, 12).reshape(3, 4), how, palette))
            made.append(case("one pixel", [[-7.5]], how, palette))
            made.append(case("a single point among zeros", spike, how, palette))
            made.append(case("from 1e-9 to 1e9", [[-1e9, -1, -1e-9, 0, 1e-9, 1, 1e9]], how, palette))
            made.append(case("1e-9 alone", np.array([[-3, -1, 0, 2, 4]]) * 1e-9, how, palette, 100))
            made.append(case("clipped at the median", noise[:1], how, palette, 50))
            made.append(case("clipped between ranks", noise[:1, :2], how, palette, 97.3))
            for overlay in (0.0, 0.35, 0.5, 1.0):
                made.append(case("over a picture", noise[:, :3, :4], how, palette, 99, overlay))
    made.append(case("one negative value hardly moves a scale", [[-1e-9, 0, 1, 2]], "sum", "inferno", 100))
    made.append(case("and none at all", [[0, 0, 1, 2]], "sum", "inferno", 100))
    return made


def text() -> str:
    return "[\n" + ",\n".join(json.dumps(one) for one in cases()) + "\n]\n"


if __name__ == "__main__":
    OUT.write_text(text())
    print(f"{len(cases())} cases: {OUT.relative_to(ROOT)}")
