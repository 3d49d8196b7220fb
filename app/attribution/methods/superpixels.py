"""Methods that hide superpixels of the picture at random, and fit a linear model to the scores, without a gradient."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from typing import TypeVar

import torch
from pydantic import Field
from torch import Tensor

from ..engine import Engine
from ..gradients import finite
from .base import Attribution, Method, Parameters, Progress, Steps
from .baselines import Baseline, make_baseline


class SuperpixelParameters(Parameters):
    samples: int = Field(
        1000, title="Samples", ge=1, le=20000, description="Pictures with superpixels hidden at random; each is a pass"
    )
    segments: int = Field(
        50, title="Superpixels", ge=2, le=500, description="About how many superpixels the picture is divided into"
    )
    compactness: float = Field(
        10, title="Compactness", gt=0, le=1000, description="How square the superpixels are; less follows colours more"
    )
    fill: Baseline = Field("mean", title="Fill", description="What a hidden superpixel becomes")


RANK_TOLERANCE = 1e-10
P = TypeVar("P", bound=SuperpixelParameters)
Fit = tuple[
    Tensor, Tensor | None
]  # a weight for each superpixel, and their standard errors; None where too few samples


class SuperpixelMethod(Method[P]):
    """The weight of each superpixel in a linear model of S, on all its pixels: (1, H, W), in units of S.

    Superpixels are by SLIC (Achanta et al. 2012, doi:10.1109/TPAMI.2012.120; scikit-image's), z ∈ {0, 1}^M says which
    are visible. A sample depends on the seed and its number only, and sums are in float64: the micro-batch changes
    nothing. The default fill is the picture's own mean colour.

    Diagnostics: `forward_evaluations`; `superpixels`, M; `standard_error` of the map, relative L2: how far another seed
    would move it, by the sandwich estimator (White 1980, doi:10.2307/1912934) over the samples, which does not suppose
    that S is linear. None where there are no more samples than weights.
    """

    single_channel = True
    differentiates = False
    ends: int  # passes beside the samples

    @abstractmethod
    def draw(self, count: int, superpixels: int, seed: int) -> Iterator[Tensor]:
        """The z of each sample, (M,) in float64, one by one."""

    @abstractmethod
    def fit(self, visible: Tensor, scores: Tensor, ends: Tensor, parameters: P) -> Fit:
        """The weights from z (n, M), the scores (n,) of these samples, and those of picture and fill (2,)."""

    def stochastic(self, parameters: P) -> bool:
        return True

    def cost(self, parameters: P, size: tuple[int, int]) -> int:
        return parameters.samples + 2  # the picture, and the fill alone

    def attribute(self, engine: Engine, picture: Tensor, parameters: P, seed: int) -> Steps:
        fill = make_baseline(parameters.fill, picture, seed)
        labels = superpixels(picture, parameters.segments, parameters.compactness)
        count, total = int(labels.max()) + 1, parameters.samples + 2
        ends = torch.cat([finite(engine.scores(end[None])) for end in (picture, fill)]).double().cpu()
        yield Progress(2, total)
        seen: list[Tensor] = []
        scores: list[Tensor] = []
        values, errors = torch.zeros(count, dtype=torch.float64), None
        for batch in engine.batches(self.draw(parameters.samples, count, seed)):
            visible = torch.stack(batch)
            masks = visible.to(picture.dtype)[:, labels.cpu()][:, None].to(picture.device)
            scores.append(finite(engine.scores(torch.lerp(fill, picture, masks))).double().cpu())
            seen.append(visible)
            values, errors = self.fit(torch.cat(seen), torch.cat(scores), ends, parameters)
            done = 2 + sum(map(len, seen))
            yield Progress(done, total, spread(values, labels, picture))
        return Attribution(
            spread(values, labels, picture),
            {
                "gradient_evaluations": 0,
                "forward_evaluations": total,
                "superpixels": count,
                "standard_error": None if errors is None else relative_error(errors, values, labels),
            },
        )


def superpixels(picture: Tensor, segments: int, compactness: float) -> Tensor:
    """The number of each pixel's superpixel, (H, W), from 0; by SLIC, of a picture (C, H, W)."""
    from skimage.segmentation import slic  # here: only these methods need it, and it takes scipy along

    pixels = picture.detach().double().cpu().movedim(0, -1).numpy()
    found = torch.from_numpy(slic(pixels, n_segments=segments, compactness=compactness, start_label=0, channel_axis=-1))
    numbers: Tensor = torch.unique(found, return_inverse=True)[1]  # without gaps
    return numbers.to(picture.device)


def spread(values: Tensor, labels: Tensor, picture: Tensor) -> Tensor:
    """A value for each superpixel on all its pixels, (1, H, W)."""
    return values.to(device=picture.device, dtype=picture.dtype)[labels][None]


def relative_error(errors: Tensor, values: Tensor, labels: Tensor) -> float | None:
    """The standard error of the map, relative L2; None of a map of zeros."""
    pixels = torch.bincount(labels.flatten().cpu(), minlength=len(values)).double()
    size = float((pixels * values**2).sum().sqrt())
    return math.sqrt(float((pixels * errors**2).sum())) / size if size else None


def weighted_least_squares(
    inputs: Tensor, outputs: Tensor, weights: Tensor, ridge: Tensor | None = None
) -> tuple[Tensor, Tensor | None]:
    """b that minimises Σ_i w_i (y_i − x_i · b)² + b · diag(ridge) b, and its covariance by the sandwich estimator.

    Where that leaves b open, it is the shortest one. The covariance is None where there are no more samples than
    values of b.
    """
    count, size = inputs.shape
    normal = inputs.T @ (weights[:, None] * inputs)
    if ridge is not None:
        normal = normal + ridge.diag()
    # a direction that no sample tells of has a strength of rounding, which the default tolerance may take for one
    inverse = torch.linalg.pinv(normal, rtol=RANK_TOLERANCE, hermitian=True)
    found = inverse @ (inputs.T @ (weights * outputs))
    if count <= size:
        return found, None
    scores = (weights * (outputs - inputs @ found))[:, None] * inputs
    return found, inverse @ (scores.T @ scores) @ inverse * (count / (count - size))
