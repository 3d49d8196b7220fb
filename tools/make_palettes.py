"""Writes static/palettes.json. Run by hand: python make_palettes.py PATH (needs matplotlib).

Inferno and viridis are matplotlib's (CC0). Blue-orange is made here: both arms follow the same
curve of lightness and chroma in OKLab and differ in hue only (blue and orange stay apart for every
common colour vision deficiency); the curve is walked at constant OKLab distance per entry, so that
equal differences of value look equally large. Entries 127 and 128 are the same neutral light grey.
"""

import json
import sys
from pathlib import Path

import numpy as np

# (lightness, chroma): the neutral middle, a control point that keeps the arms colourful, the ends.
MIDDLE, CONTROL, END = (0.965, 0.0), (0.74, 0.165), (0.43, 0.105)
BLUE, ORANGE = 256.0, 52.0  # OKLCh hues in degrees

OKLAB_TO_LMS = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
)
LMS_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def oklab_to_linear(lab: np.ndarray) -> np.ndarray:
    return ((lab @ OKLAB_TO_LMS.T) ** 3) @ LMS_TO_RGB.T


def encode(linear: np.ndarray) -> np.ndarray:
    linear = np.clip(linear, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(srgb * 255).astype(int)


def arm(hue: float) -> np.ndarray:
    """128 OKLab colours from the middle outwards, equally spaced along the curve."""
    t = np.linspace(0, 1, 20001)[:, None]
    p0, p1, p2 = (np.array(p) for p in (MIDDLE, CONTROL, END))
    curve = (1 - t) ** 2 * p0 + 2 * t * (1 - t) * p1 + t**2 * p2
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    even = np.interp(np.linspace(0, length[-1], 128), length, t[:, 0])[:, None]
    lightness, chroma = ((1 - even) ** 2 * p0 + 2 * even * (1 - even) * p1 + even**2 * p2).T
    angle = np.radians(hue)
    lab = np.stack([lightness, chroma * np.cos(angle), chroma * np.sin(angle)], axis=1)
    linear = oklab_to_linear(lab)
    if linear.min() < -2e-3 or linear.max() > 1.002:
        raise ValueError(f"hue {hue} leaves sRGB: {linear.min():.4f} .. {linear.max():.4f}")
    return encode(linear)


def hexes(rgb: np.ndarray) -> str:
    return bytes(rgb.astype(np.uint8).ravel().tolist()).hex()


def main(path: Path) -> None:
    from matplotlib import colormaps

    def ready_made(name: str) -> str:
        return hexes(np.round(np.array(colormaps[name].colors) * 255).astype(int))

    grey = np.repeat(np.arange(256)[:, None], 3, axis=1)
    diverging = np.concatenate([arm(BLUE)[::-1], arm(ORANGE)])
    palettes = {
        "inferno": ("Inferno", "sequential", ready_made("inferno")),
        "viridis": ("Viridis", "sequential", ready_made("viridis")),
        "gray": ("Gray", "sequential", hexes(grey)),
        "blue_orange": ("Blue–orange", "diverging", hexes(diverging)),
    }
    record = {
        name: {"title": title, "kind": kind, "colours": colours} for name, (title, kind, colours) in palettes.items()
    }
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
