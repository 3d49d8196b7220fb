"""The two path methods: score and gathered map along the straight path, and along the path out of a blur."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from gradoscope.attribution.methods.baselines import make_baseline
from gradoscope.attribution.methods.blur import blur
from torch import Tensor

from .frames import clip, grey, magnitude, rounded, significant, spearman, strip
from .stage import SEED, Counting, Stage

PATH_FRAMES = 32
PATH_SUBSTEPS = 8


def integrated(stage: Stage, target: int) -> dict[str, Any]:
    """The straight path from a baseline, black or white: score, and the map gathered so far."""
    x, record, ends = stage.x("cat"), {}, {}
    engine = stage.engine(target)
    edges = [(k / PATH_FRAMES) ** 2 for k in range(PATH_FRAMES + 1)]
    for kind in ("black", "white"):
        start = make_baseline(kind, x, SEED)  # type: ignore[arg-type]
        path = walk(engine, [start + a * (x - start) for a in edges], lambda a, s=start: s + a * (x - s), edges)
        stage.webp(kind, strip(path.pop("frames")), 75)
        record[kind] = path
        risen = [(s - path["scores"][0]) / (path["scores"][-1] - path["scores"][0]) for s in path["scores"]]
        early = next(k for k, value in enumerate(risen) if value >= 0.8)
        ends[kind] = {"early": significant(edges[early], 2), "risen": significant(risen[early])}
    maps = {kind: path.pop("final") for kind, path in record.items()}
    stage.json("figure", {"edges": rounded(edges, 5), "paths": record})
    return stage.about(
        "cat",
        target,
        gradients=engine.gradient_count,
        forwards=engine.forward_count,
        paths={kind: ends[kind] | summary(path) for kind, path in record.items()},
        between=significant(spearman(maps["black"], maps["white"])),
    )


def blurred(stage: Stage, target: int) -> dict[str, Any]:
    """The path out of a blur: score, and the map gathered so far."""
    x, engine = stage.x("cat"), stage.engine(target)
    max_sigma = 50.0
    edges = [max_sigma * (1 - k / PATH_FRAMES) ** 2 for k in range(PATH_FRAMES + 1)]
    path = walk(engine, [blur(x, s) for s in edges], lambda s: blur(x, s), edges, root=True)
    stage.webp("figure", strip(path.pop("frames")), 75)
    path.pop("final")
    stage.json("figure", {"edges": rounded(edges, 4), "path": path})
    half = (path["scores"][0] + path["scores"][-1]) / 2
    after = next(k for k, value in enumerate(path["scores"]) if value >= half)
    half_sigma = float(np.interp(half, path["scores"][after - 1 : after + 1], edges[after - 1 : after + 1]))
    border = blur(torch.ones(1, 224, 224), max_sigma)[0]
    return stage.about(
        "cat",
        target,
        gradients=engine.gradient_count,
        forwards=engine.forward_count,
        half=significant(half_sigma, 2),
        corner=significant(float(border[0, 0])),
        middle=significant(float(border[112, 112])),
        **summary(path),
    )


def walk(
    engine: Counting, stops: Sequence[Tensor], at: Any, edges: Sequence[float], root: bool = False
) -> dict[str, Any]:
    """Gather gradients from stop to stop, in substeps between; with `root` these are evenly spaced in √position."""
    total = torch.zeros_like(stops[0], dtype=torch.float64)
    maps, sums = [magnitude(total)], [0.0]
    for low, high in pairwise(edges):
        ends = np.sqrt([low, high]) if root else np.array([low, high])
        grid = np.linspace(*ends, 2 * PATH_SUBSTEPS + 1)
        grid = grid**2 if root else grid
        for k in range(PATH_SUBSTEPS):
            before, middle, after = (at(float(grid[2 * k + j])) for j in range(3))
            total += engine.gradients(middle[None])[0].double() * (after - before).double()
        maps.append(magnitude(total))
        sums.append(float(total.sum()))
    scores = [float(engine.scores(stop[None])) for stop in stops]
    limit = clip(maps[-1])
    return {
        "scores": rounded(scores),
        "sums": rounded(sums),
        "clip": significant(limit),
        "frames": [grey(m, limit) for m in maps],
        "final": maps[-1],
    }


def summary(path: dict[str, Any]) -> dict[str, Any]:
    change = path["scores"][-1] - path["scores"][0]
    return {
        "start": significant(path["scores"][0]),
        "end": significant(path["scores"][-1]),
        "sum": significant(path["sums"][-1]),
        "change": significant(change),
        "error": significant(abs(path["sums"][-1] / change - 1), 2),
    }
