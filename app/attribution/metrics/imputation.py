"""Noisy linear imputation: removed pixels become weighted means of their neighbours."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

# The neighbours of a pixel, (rows down, columns to the right), and their weights: together 1.
NEIGHBOURS = {(i, j): 1 / 6 if 0 in (i, j) else 1 / 12 for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)}


def imputed(picture: Tensor, kept: Tensor, noise: Tensor | None = None) -> Tensor:
    """`picture`, (C, H, W), with its pixels outside `kept`, (H, W) of bool, filled in: each is the mean of its eight
    neighbours, with 1/6 for those beside, above and below it and 1/12 for the diagonal ones; at the border, of those
    that there are.

    The pixels that were removed are unknowns of one sparse linear system, solved in float64. `noise`, (C, removed
    pixels) from left to right and top to bottom, is added to them. Rong et al. 2022, arXiv:2202.00449. Something must
    be kept.
    """
    removed = ~kept.flatten().cpu().numpy()
    if not removed.any():
        return picture.clone()
    values = picture.detach().double().cpu().flatten(1).numpy()
    filled = torch.from_numpy(_solution(values, removed, (kept.shape[0], kept.shape[1]))).T
    if noise is not None:
        filled = filled + noise.double().cpu()
    result = picture.detach().clone().flatten(1)
    result[:, torch.from_numpy(removed).to(result.device)] = filled.to(result)
    return result.view_as(picture)


def _solution(values: np.ndarray, removed: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The values of the removed pixels, (removed, C), from all `values`, (C, H·W)."""
    # here, and not above: importing scipy takes as long as a map
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import splu

    pixels = np.flatnonzero(removed)
    number = np.full(removed.size, -1)
    number[pixels] = np.arange(len(pixels))
    rows, columns = np.divmod(pixels, size[1])
    known = np.zeros((len(pixels), len(values)))
    total = np.zeros(len(pixels))
    entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for (down, right), weight in NEIGHBOURS.items():
        row, column = rows + down, columns + right
        there = np.flatnonzero((row >= 0) & (row < size[0]) & (column >= 0) & (column < size[1]))
        neighbour = row[there] * size[1] + column[there]
        total[there] += weight
        given = ~removed[neighbour]
        known[there[given]] += weight * values[:, neighbour[given]].T
        unknown = there[~given]
        entries.append((unknown, number[neighbour[~given]], np.full(len(unknown), -weight)))
    entries.append((np.arange(len(pixels)), np.arange(len(pixels)), total))
    row, column, weights = (np.concatenate(parts) for parts in zip(*entries, strict=True))
    matrix = coo_matrix((weights, (row, column)), shape=(len(pixels), len(pixels))).tocsc()
    # symmetric and positive definite: pivots on the diagonal keep the factors sparse
    solver = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return np.asarray(solver.solve(known))
