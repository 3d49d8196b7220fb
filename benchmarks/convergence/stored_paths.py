"""Gradients along fine grids, kept on disk: the error of any quadrature rule with any number of steps can then be found
without computing a gradient again.

Of two kinds of path: `fade`, the straight line of integrated gradients, and `blur`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.methods.baselines import make_baseline
from gradoscope.attribution.methods.blur_integrated_gradients import DeblurPath
from gradoscope.attribution.methods.integrated_gradients import StraightPath
from gradoscope.attribution.methods.schedules import Cell, Sweep
from gradoscope.images.preprocess import PreprocessedImage
from gradoscope.settings import Settings
from gradoscope.zoo.zoo import Zoo
from torch import Tensor

from tests.support.nets import sample_picture

MAX_SIGMA = 50.0
KEPT_EVERY = 4  # one pixel of so many is kept, drawn at random
BATCH = 8
RANKS = (0, 4)  # the classes explained: the model's first and fifth


def grid(kind: str, points: int) -> tuple[np.ndarray, np.ndarray]:
    """The points t of a fine grid, and the edges between them. It favours no rule: half of the points are evenly
    spaced, the other half are dense near t = 0."""
    t = np.linspace(0, 1, 2_000_001) ** 3
    share = 0.5 * t + 0.5 * t ** (1 / 3) if kind == "fade" else 0.5 * t**0.5 + 0.5 * t**0.25
    return np.interp((np.arange(points) + 0.5) / points, share, t), np.interp(np.arange(points + 1) / points, share, t)


def collect(model: str, picture: str, kind: str, file: Path, points: int, baseline: str = "black") -> None:
    """Scores and gradients of two classes along one path: 1 forward and 2 backward passes a point."""
    classifier = Zoo(Settings(device="cpu")).load(model).classifier
    seen = sample_picture(picture, model)
    x = torch.from_numpy(PreprocessedImage(seen, (0, 0, *seen.size)).pixels)
    path = DeblurPath(x, MAX_SIGMA) if kind == "blur" else StraightPath((x, make_baseline(baseline, x, 0)))  # type: ignore[arg-type]
    with torch.no_grad():
        targets = classifier(x[None])[0].argsort(descending=True)[list(RANKS)].tolist()
        ends = classifier(torch.stack(path.ends))[:, targets].numpy()
    places, edges = grid(kind, points)
    edges = (
        edges if kind == "blur" else edges[[0, -1]]
    )  # between two edges the change is interpolated: a straight path needs two
    keep = kept_pixels(x)
    changes = torch.stack(
        [path.increment(Cell(0, 0, float(edge))) for edge in edges]
    )  # what has changed up to each edge
    gradients, scores, products = [], [], []
    for start in range(0, points, BATCH):
        pictures = torch.stack([path.at(float(place)) for place in places[start : start + BATCH]])
        y, g = scored(classifier, pictures, targets)
        scores.append(y.numpy())
        gradients.append(g.flatten(-2)[..., keep].half().numpy())
        products.append((g.flatten(2) @ changes.flatten(1).T).numpy())
    np.savez(
        file.with_suffix(".partial.npz"),
        places=places,
        edges=edges,
        ends=ends,
        scores=np.concatenate(scores),
        gradients=np.concatenate(gradients),
        products=np.concatenate(products),
        changes=changes.flatten(-2)[..., keep].numpy(),
    )
    file.with_suffix(".partial.npz").replace(file)


def kept_pixels(picture: Tensor) -> np.ndarray:
    count = picture.shape[-2] * picture.shape[-1]
    return np.sort(np.random.default_rng(0).permutation(count)[: count // KEPT_EVERY])


def scored(classifier: Classifier, pictures: Tensor, targets: list[int]) -> tuple[Tensor, Tensor]:
    """Logits (N, targets) and their gradients (N, targets, C, H, W)."""
    x = pictures.contiguous(memory_format=torch.channels_last).requires_grad_()
    y = classifier(x)[:, targets]
    gradients = [torch.autograd.grad(y[:, k].sum(), x, retain_graph=True)[0].contiguous() for k in range(len(targets))]
    return y.detach(), torch.stack(gradients, 1)


@dataclass(frozen=True)
class Error:
    """A map against the reference: relative L2 raw and summed over channels, completeness, and rank correlation."""

    raw: float
    summed: float
    completeness: float
    rank: float


class StoredPath:
    """One path for one class, the `rank`-th of `RANKS`. Gives the map of any rule on the kept pixels; a rule's points
    are moved to the nearest stored ones."""

    def __init__(self, file: Path, rank: int) -> None:
        self.name = f"{file.stem}-{rank}"
        data = np.load(file)
        self.places, self.edges = data["places"], data["edges"]
        self.scores = data["scores"][:, rank].astype(float)
        self.gradients = data["gradients"][:, rank].reshape(len(self.places), -1)
        self.products = data["products"][:, rank].astype(float)
        self.changes = data["changes"].reshape(len(self.edges), -1)
        self.expected = float(data["ends"][0, rank] - data["ends"][1, rank])
        self.oracle_warp: Callable[[np.ndarray], np.ndarray] | None = None  # set by the rule `oracle`

    @cached_property
    def reference(self) -> tuple[np.ndarray, float]:
        """All stored gradients, each on the cell that reaches half way to its neighbours."""
        edges = np.concatenate([[0], (self.places[1:] + self.places[:-1]) / 2, [1]])
        return self.map(np.arange(len(self.places)), edges)

    def gradient_change(self, one: int, other: int) -> float:
        """How much the gradient changes between two places, weighted by how the picture changes there."""
        gradients = self.gradients[[one, other]].astype(np.float32)
        places = self.places[[one, other]]
        return float(np.linalg.norm((gradients[1] - gradients[0]) * self.change(places)[0])) / abs(np.diff(places)[0])

    def nearest(self, places: np.ndarray) -> np.ndarray:
        above = np.searchsorted(self.places, places).clip(1, len(self.places) - 1)
        closer = np.abs(self.places[above - 1] - places) < np.abs(self.places[above] - places)
        return np.where(closer, above - 1, above)

    def edge_below(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The edge below each place, and how far it is to the next."""
        at = np.interp(t, self.edges, np.arange(len(self.edges)))
        below = np.minimum(at.astype(int), len(self.edges) - 2)
        return below, at - below

    def change(self, edges: np.ndarray) -> np.ndarray:
        """What changes over each cell between `edges`."""
        below, rest = self.edge_below(edges)
        low = self.changes[below]
        return np.diff(low + rest[:, None].astype(np.float32) * (self.changes[below + 1] - low), axis=0)

    def map(self, index: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, float]:
        """The map on the kept pixels, and the sum of the whole map."""
        values = np.zeros(self.gradients.shape[1])
        for start in range(0, len(index), 64):
            part = index[start : start + 64]
            change = self.change(edges[start : start + len(part) + 1])
            values += np.einsum("np,np->p", self.gradients[part].astype(np.float32), change)
        below, rest = self.edge_below(edges)

        def product(k: slice) -> np.ndarray:
            low = self.products[index, below[k]]
            return low + rest[k] * (self.products[index, below[k] + 1] - low)

        return values, float((product(slice(1, None)) - product(slice(None, -1))).sum())

    def map_by(self, sweep: Sweep) -> tuple[np.ndarray, float]:
        """The map by the cells of a rule, as `map` gives it."""
        cells = sorted(sweep, key=lambda cell: cell.start)
        edges = np.array([cells[0].start, *(cell.end for cell in cells)])
        return self.map(self.nearest(np.array([cell.point for cell in cells])), edges)

    def error(self, values: np.ndarray, total: float) -> Error:
        exact = self.reference[0]
        summed, exact_sum = values.reshape(3, -1).sum(0), exact.reshape(3, -1).sum(0)
        return Error(
            relative(values, exact),
            relative(summed, exact_sum),
            abs(total - self.expected) / abs(self.expected),
            float(np.corrcoef(ranks(np.abs(summed)), ranks(np.abs(exact_sum)))[0, 1]),
        )


def relative(values: np.ndarray, exact: np.ndarray) -> float:
    return float(np.linalg.norm(values - exact) / np.linalg.norm(exact))


def ranks(values: np.ndarray) -> np.ndarray:
    order = np.empty(len(values))
    order[np.argsort(values)] = np.arange(len(values))
    return order


def stored_paths(folder: Path, kind: str) -> Iterator[StoredPath]:
    for file in sorted(folder.glob(f"*-{kind}.npz")):
        if ".partial" not in file.name:
            for rank in range(len(RANKS)):
                yield StoredPath(file, rank)
