"""Gradients at noisy pictures in pairs ±ε, kept on disk: what independent and mirrored noise make of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from gradoscope.attribution.noise import noise
from gradoscope.images.preprocess import PreprocessedImage
from gradoscope.settings import Settings
from gradoscope.zoo.zoo import Zoo

from benchmarks.convergence.stored_paths import BATCH, kept_pixels, scored
from tests.support.nets import sample_picture

NOISE = 0.15
PAIRS = 128
SAMPLES = 50


def collect_noise(model: str, picture: str, file: Path, pairs: int = PAIRS) -> None:
    """Gradients of the top class at x + ε and x − ε, (pairs, 2, C, kept pixels)."""
    classifier = Zoo(Settings(device="cpu")).load(model).classifier
    seen = sample_picture(picture, model)
    x = torch.from_numpy(PreprocessedImage(seen, (0, 0, *seen.size)).pixels)
    with torch.no_grad():
        target = int(classifier(x[None])[0].argmax())
    deviation, keep, gradients = NOISE * float(x.max() - x.min()), kept_pixels(x), []
    for start in range(0, pairs, BATCH // 2):
        drawn = torch.stack([deviation * noise(0, k, tuple(x.shape)) for k in range(start, start + BATCH // 2)])
        _, g = scored(classifier, torch.cat([x + drawn, x - drawn]), [target])
        plus, minus = g[:, 0].flatten(-2)[..., keep].half().numpy().reshape(2, BATCH // 2, 3, -1)
        gradients.append(np.stack([plus, minus], 1))
    np.savez(file.with_suffix(".partial.npz"), gradients=np.concatenate(gradients))
    file.with_suffix(".partial.npz").replace(file)


@dataclass(frozen=True)
class Spread:
    """The variance of one sample, and the covariance of the two samples of a mirrored pair. Both are summed over the
    values, and relative to the squared norm of the mean."""

    variance: float
    covariance: float

    def error(self, samples: int, mirrored: bool) -> float:
        """Relative L2 error to be expected of a mean of so many samples."""
        return math.sqrt((self.variance + (self.covariance if mirrored else 0)) / samples)


def spread(pairs: np.ndarray) -> Spread:
    """The spread of samples in pairs (N, 2, values). It is unbiased, so no reference of many more samples is needed."""
    count = len(pairs)
    mean = pairs.mean((0, 1), dtype=np.float64).astype(np.float32)
    away = pairs - mean
    variance = float((away**2).sum(dtype=np.float64)) / (2 * count)
    covariance = float((away[:, 0] * away[:, 1]).sum(dtype=np.float64)) / count
    variance, covariance = ((value + (variance + covariance) / (2 * count)) for value in (variance, covariance))
    norm = float((mean.astype(np.float64) ** 2).sum()) - (variance + covariance) / (2 * count)
    return Spread(variance / norm, covariance / norm)


def spreads(file: Path) -> dict[str, Spread]:
    """The spread of what each of SmoothGrad's variants averages: the gradient g, g², or (g − mean of g)²."""
    pairs = np.load(file)["gradients"].astype(np.float32)
    pairs = pairs.reshape(len(pairs), 2, -1)
    away = pairs - pairs.mean((0, 1))
    return {"mean": spread(pairs), "squared": spread(pairs**2), "variance": spread(away**2)}


def noise_table(folder: Path, models: tuple[str, ...], pictures: tuple[str, ...]) -> str:
    """A Markdown table of the expected errors, median / worst over models × pictures."""
    every = []
    for model in models:
        for picture in pictures:
            file = folder / f"{model}-{picture}-noise.npz"
            if not file.exists():
                collect_noise(model, picture, file)
            every.append(spreads(file))
    lines = [
        f"| | independent, {SAMPLES} | mirrored, {SAMPLES} | mirrored samples for the same error |",
        "| --- " * 4 + "|",
    ]
    for variant in ("mean", "squared", "variance"):
        found = [each[variant] for each in every]
        cells = [variant]
        for mirrored in (False, True):
            errors = [each.error(SAMPLES, mirrored) for each in found]
            cells.append(f"{np.median(errors):.3f} / {max(errors):.3f}")
        saved = [1 + each.covariance / each.variance for each in found]
        cells.append(f"× {np.median(saved):.2f} / × {max(saved):.2f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
