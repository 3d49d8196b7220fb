"""What brings fewer samples of SmoothGrad closer to its limit: candidates at equal numbers of gradients.

Gradients at x ± ε are computed once and kept. An estimate takes some of the pairs; the others, which it has not seen,
are its reference, and what the reference is off by itself is taken off the error (unbiased), so no limit is needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.methods.smooth_grad.wiener import wiener
from gradoscope.attribution.noise import generator, noise
from gradoscope.attribution.score import Score
from gradoscope.images.preprocess import PreprocessedImage
from gradoscope.settings import Settings
from gradoscope.zoo.zoo import Zoo
from scipy.fft import idctn
from torch import Tensor
from torch.nn.functional import avg_pool2d

from benchmarks.convergence.stored_noise import NOISE
from tests.support.nets import sample_picture

MODEL, PICTURES = "efficientnet_lite0", ("cat", "astronaut", "rocket")
PAIRS = 1000
COUNTS, SEEDS = (50, 200), 10
BATCH = 8
BOX = 9  # pixels across which `local` compares signal and noise
GROUPS, QUADS = 10, 48  # of `other_designs`
SOBOL = 32  # points, a power of 2: then they are evenly spread in each dimension
LOW = 84  # frequencies a side: 3 · 84² dimensions, the most that PyTorch has Sobol points for
Estimate = Callable[[Tensor], Tensor]  # pairs' means (N, C, H, W) → a map


def opened(picture: str) -> tuple[Engine, Tensor, float]:
    """An engine for the top class of a picture, the picture, and the noise's deviation."""
    loaded = Zoo(Settings(device="cpu")).load(MODEL)
    seen = sample_picture(picture, MODEL)
    x = torch.from_numpy(PreprocessedImage(seen, (0, 0, *seen.size)).pixels)
    target = int(loaded.logits(x[None])[0].argmax())
    return loaded.engine(Score(target), BATCH), x, NOISE * float(x.max() - x.min())


def gradients_at(engine: Engine, x: Tensor, noises: Tensor) -> Tensor:
    return torch.cat([engine.gradients(x + part) for part in torch.split(noises, BATCH)])


def collect_pairs(picture: str, file: Path, pairs: int = PAIRS) -> None:
    """The gradients at x + ε and x − ε, (pairs, 2, C, H, W)."""
    engine, x, deviation = opened(picture)
    partial = file.with_suffix(".partial.npy")
    kept = np.lib.format.open_memmap(partial, "w+", np.float32, (pairs, 2, *x.shape))
    for start in range(0, pairs, BATCH // 2):
        numbers = range(start, min(start + BATCH // 2, pairs))
        drawn = torch.stack([deviation * noise(0, k, tuple(x.shape)) for k in numbers])
        both = gradients_at(engine, x, torch.stack((drawn, -drawn), 1).flatten(0, 1))
        kept[start : numbers.stop] = both.unflatten(0, (-1, 2)).numpy()
    kept.flush()
    partial.replace(file)


def scaled(pairs: Tensor) -> Tensor:
    """The mean times the share of its square that is not noise (James, Stein 1961)."""
    mean, variance = pairs.mean(0), float(pairs.var(0).sum()) / len(pairs)
    return mean * max(0.0, 1 - variance / float(mean.square().sum()))


def local(pairs: Tensor) -> Tensor:
    """The same in each place, from the pixels around it."""
    mean, variance = pairs.mean(0), pairs.var(0) / len(pairs)
    around = [
        avg_pool2d(each.sum(0)[None, None], BOX, 1, BOX // 2, count_include_pad=False)[0]
        for each in (variance, mean.square())
    ]
    return mean * (1 - around[0] / around[1].clamp_min(1e-300)).clamp(0, 1)


def by_frequency(pairs: Tensor) -> Tensor:
    """The same in each ring of frequencies of the whole picture, by how far two halves agree."""
    mean, halves = pairs.mean(0), (pairs[::2].mean(0), pairs[1::2].mean(0))
    whole, one, other = (torch.fft.fft2(each) for each in (mean, *halves))
    height, width = mean.shape[-2:]
    radius = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)[None])
    ring = (radius * min(height, width) / 2).round().long().flatten()

    def over(values: Tensor) -> Tensor:
        return torch.zeros(int(ring.max()) + 1, dtype=values.dtype).index_add_(0, ring, values.sum(0).flatten())

    weight = (over((one * other.conj()).real) / over(whole.abs().square()).clamp_min(1e-300)).clamp(0, 1)
    return torch.fft.ifft2(whole * weight[ring].reshape(height, width)).real


def in_tiles(pairs: Tensor) -> Tensor:
    return wiener(pairs.mean(0), pairs[::2].mean(0), pairs[1::2].mean(0))[0]


ESTIMATES: dict[str, Estimate] = {
    "pairs ±ε (default)": lambda pairs: pairs.mean(0),
    "… scaled": scaled,
    "… scaled in each place": local,
    "… scaled in each frequency": by_frequency,
    "… in each frequency of each tile (filter = wiener)": in_tiles,
}


@dataclass(frozen=True)
class Judged:
    """Of one picture: the relative variance of a gradient and of a pair's mean, and by (estimate, gradients) the
    relative L2 error and the cosine with the limit."""

    single: float
    pair: float
    found: dict[tuple[str, int], tuple[float, float]]


def judge_picture(file: Path) -> Judged:
    both = torch.from_numpy(np.load(file, mmap_mode="r").astype(np.float32))
    pairs = both.mean(1).double()
    total, count = pairs.sum(0), len(pairs)
    variance = float((pairs - total / count).square().sum()) / (count - 1)
    singles = float((both - (total / count).float()).double().square().sum()) / (2 * count - 1)
    size = float((total / count).square().sum()) - variance / count
    found: dict[tuple[str, int], tuple[float, float]] = {}
    for gradients in COUNTS:
        rows: dict[str, list[tuple[float, float]]] = {name: [] for name in ESTIMATES}
        for seed in range(SEEDS):
            chosen = pairs[torch.randperm(count, generator=generator(seed, "pairs"))[: gradients // 2]]
            others = count - len(chosen)
            reference = (total - chosen.sum(0)) / others
            for name, estimate in ESTIMATES.items():
                values = estimate(chosen)
                error = float((values - reference).square().sum()) - variance / others
                rows[name].append((error / size, float((values * reference).sum() / values.norm()) / math.sqrt(size)))
        for name, each in rows.items():
            square, cosine = np.mean(each, 0)
            found[name, gradients] = math.sqrt(max(square, 0.0)), float(cosine)
    return Judged(singles / size, variance / size, found)


def smoothing_table(folder: Path) -> str:
    """A Markdown table: median / worst over the pictures."""
    judged = []
    for picture in PICTURES:
        file = folder / f"{MODEL}-{picture}-smoothing.npy"
        if not file.exists():
            collect_pairs(picture, file)
        judged.append(judge_picture(file))
    head = [f"{what}, {gradients}" for what in ("error", "cosine") for gradients in COUNTS]
    lines = ["| | " + " | ".join(head) + " |", "| --- " * (len(head) + 1) + "|"]
    single = [[math.sqrt(one.single / gradients) for one in judged] for gradients in COUNTS]
    cells = [f"{np.median(each):.3f} / {max(each):.3f}" for each in single]
    lines.append("| " + " | ".join(["independent samples", *cells, *("–" for _ in COUNTS)]) + " |")
    for name in ESTIMATES:
        cells = [name]
        for place, worst in ((0, max), (1, min)):
            for gradients in COUNTS:
                values = [one.found[name, gradients][place] for one in judged]
                cells.append(f"{np.median(values):.3f} / {worst(values):.3f}")
        lines.append("| " + " | ".join(cells) + " |")
    odd = [1 - 2 * one.pair / one.single for one in judged]
    lines.append(f"\nPairs cancel {min(odd):.0%} to {max(odd):.0%} of the variance.")
    return "\n".join(lines)


def sobol_noise(shape: tuple[int, ...], seed: int, draws: torch.Generator) -> Tensor:
    """Normal noise, (SOBOL, C, H, W), evenly spread over the draws in its lowest frequencies."""
    frequencies = torch.randn(SOBOL, *shape, generator=draws)
    low = frequencies[..., :LOW, :LOW]
    points = torch.quasirandom.SobolEngine(low[0].numel(), scramble=True, seed=seed).draw(SOBOL, dtype=torch.float64)
    low[:] = torch.special.ndtri(points.clamp(1e-9, 1 - 1e-9)).float().view_as(low)
    return torch.from_numpy(idctn(frequencies.numpy(), axes=(-2, -1), norm="ortho"))


def other_designs() -> str:
    """Variance of a mean by other designs of the noise, over that by pairs at the same number of gradients."""
    engine, x, deviation = opened(PICTURES[0])
    draws = generator(5, "designs")

    def means(noises: Tensor, size: int) -> Tensor:
        taken = gradients_at(engine, x, deviation * noises.reshape(-1, *x.shape))
        return taken.double().unflatten(0, (-1, size)).mean(1)

    def spread(each: Tensor) -> float:
        return float(each.var(0).sum())

    drawn, turned = [], []
    for _ in range(GROUPS):
        one = torch.randn(COUNTS[0] // 2, x.numel(), generator=draws)
        right = torch.linalg.qr(one.T).Q.T
        right = right * torch.sign((right * one).sum(1, keepdim=True)) * one.norm(dim=1, keepdim=True)
        for kept, each in ((drawn, one), (turned, right)):
            kept.append(means(torch.cat((each, -each)), COUNTS[0])[0])
    lines = [f"- orthogonal directions: × {spread(torch.stack(turned)) / spread(torch.stack(drawn)):.2f}"]
    spreads = COUNTS[0] // 2 * spread(torch.stack(drawn)) / SOBOL
    rest = generator(5, "sobol")
    even = [torch.cat((each, -each)) for each in (sobol_noise(tuple(x.shape), seed, rest) for seed in range(GROUPS))]
    quasi = spread(torch.stack([means(each, 2 * SOBOL)[0] for each in even]))
    lines.append(f"- {SOBOL} Sobol points in the {LOW} x {LOW} lowest frequencies: × {quasi / spreads:.2f}")
    radius = torch.hypot(torch.fft.fftfreq(x.shape[1])[:, None], torch.fft.rfftfreq(x.shape[2])[None])
    for name in ("low and high frequencies", "random halves of the pixels"):
        fours, twos = [], []
        for _ in range(QUADS):
            one = torch.randn(x.shape, generator=draws)
            low = torch.fft.irfft2(torch.fft.rfft2(one) * (radius < 0.1), x.shape[1:])
            half = one * (torch.rand(x.shape[1:], generator=draws) < 0.5)
            part = low if name.startswith("low") else half
            rest = one - part
            pairs = means(torch.stack((part + rest, -part - rest, part - rest, rest - part)), 2)
            fours.append(pairs.mean(0))
            twos.extend(pairs)
        ratio = 2 * spread(torch.stack(fours)) / spread(torch.stack(twos))
        lines.append(f"- all four of ±a ± b, a and b {name}: × {ratio:.2f}")
    return "\n".join(lines)
