"""Eigen-CAM: what varies most over the places of a feature map. It knows no class."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from ..base import Paper, register
from ..cams import CamMethod, CamParameters


class EigenParameters(CamParameters):
    relu: bool = Field(True, title="ReLU", description="Keep only positive values, where the features are strong")


@register
class EigenCam(CamMethod):
    """First principal component of A over the places: (A − mean over places) · v₁, v₁ its first right singular vector.

    A is the feature map of `layer` as (h·w, K). Its sign is that for which the map correlates positively with Σ_k A_k.
    The map is the same for every class, because no score enters. Muhammad, Yeasin 2020, arXiv:2008.00299. The paper's
    text speaks of principal components, which are those of centred data, while its formula, A · v₁, leaves the
    centring out. The map here is centred, as PyPI grad-cam's is, whose sign is undetermined. Diagnostics: `layer`.
    """

    id = "eigen_cam"
    title = "Eigen-CAM"
    year = 2020
    order = 1
    paper = Paper("Eigen-CAM (Muhammad, Yeasin)", "https://arxiv.org/abs/2008.00299")
    summary = "What varies most over the places of the feature map. It is the same for every class."
    strengths = (
        "Smooth, and needs no gradient in its formula",
        "Does not change with a wrong answer of the last layer",
    )
    weaknesses = (
        "Knows no class: it shows what stands out, not what speaks for the answer",
        "Coarse: as fine as the feature map",
    )
    by_gradient = False
    Parameters = EigenParameters

    def weigh(self, features: Tensor, gradients: Tensor) -> Tensor:
        rows, _, height, width = features.shape
        places = features.flatten(2).transpose(1, 2)  # (N, h·w, K)
        centred = places - places.mean(1, keepdim=True)
        left, strengths, _ = torch.linalg.svd(centred, full_matrices=False)
        component = left[..., 0] * strengths[..., :1]
        against = (component * centred.sum(2)).sum(1, keepdim=True) < 0
        return torch.where(against, -component, component).reshape(rows, 1, height, width)
