"""Gradients at noisy pictures in pairs ±ε, kept on disk: what independent and mirrored noise make of as many samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from gradoscope.attribution.engine import noise
from gradoscope.settings import Settings
from gradoscope.vision.preprocess import Seen
from gradoscope.zoo.zoo import Zoo
from nets import sample_picture
from stored_paths import BATCH, kept_pixels, scored

NOISE = 0.15
PAIRS = 512
SAMPLES = (10, 20, 50, 100)


def collect_noise(model: str, picture: str, file: Path, pairs: int = PAIRS) -> None:
    """Gradients of the top class at x + ε and x − ε, (pairs, 2, C, kept pixels)."""
    classifier = Zoo(Settings(device="cpu")).load(model)
    seen = sample_picture(picture, model)
    x = torch.from_numpy(Seen(seen, (0, 0, *seen.size)).pixels)
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


def moments(gradients: np.ndarray) -> dict[str, np.ndarray]:
    return {"mean": gradients.mean(0), "squared": (gradients**2).mean(0), "variance": gradients.var(0)}


def errors(file: Path) -> dict[tuple[str, str, int], float]:
    """Relative L2 error of each variant by independent and by mirrored noise, mean over disjoint draws.

    The reference of a draw is all gradients that take no part in it, so that none is compared with itself.
    """
    stored = np.load(file)["gradients"].astype(np.float32)
    stored = stored.reshape(len(stored), 2, -1)
    flat = stored.reshape(-1, stored.shape[-1])
    sums = flat.sum(0, dtype=np.float64), (flat.astype(np.float64) ** 2).sum(0)
    found: dict[tuple[str, str, int], float] = {}
    for samples in SAMPLES:
        draws = min(4, len(stored) // samples)
        for way in ("independent", "mirrored"):
            made: dict[str, list[float]] = {}
            for draw in range(draws):
                if way == "independent":
                    taken = stored[draw * samples : (draw + 1) * samples, 0]
                else:
                    taken = stored[draw * samples // 2 : (draw + 1) * samples // 2].reshape(samples, -1)
                left = len(flat) - samples
                mean = (sums[0] - taken.sum(0, dtype=np.float64)) / left
                square = (sums[1] - (taken.astype(np.float64) ** 2).sum(0)) / left
                exact = {"mean": mean, "squared": square, "variance": square - mean**2}
                for variant, values in moments(taken).items():
                    error = np.linalg.norm(values - exact[variant]) / np.linalg.norm(exact[variant])
                    made.setdefault(variant, []).append(float(error))
            found |= {(variant, way, samples): float(np.mean(values)) for variant, values in made.items()}
    return found


def noise_table(folder: Path, models: tuple[str, ...], pictures: tuple[str, ...]) -> str:
    """Median / worst over models × pictures."""
    every = []
    for model in models:
        for picture in pictures:
            file = folder / f"{model}-{picture}-noise.npz"
            if not file.exists():
                collect_noise(model, picture, file)
            every.append(errors(file))
    lines = [
        "| | " + " | ".join(f"{samples} samples" for samples in SAMPLES) + " |",
        "| --- " * (len(SAMPLES) + 1) + "|",
    ]
    for variant in ("mean", "squared", "variance"):
        for way in ("independent", "mirrored"):
            cells = []
            for samples in SAMPLES:
                values = [found[variant, way, samples] for found in every]
                cells.append(f"{np.median(values):.3f} / {max(values):.3f}")
            lines.append(f"| {variant}, {way} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
