"""Options with which each method computes a map quickly, for tests in which the map matters little."""

from __future__ import annotations

from typing import Any

CAMS = (
    "grad_cam",
    "grad_cam_plus_plus",
    "xgrad_cam",
    "hires_cam",
    "layer_cam",
    "eigen_cam",
    "score_cam",
    "ablation_cam",
    "shapley_cam",
)
PATHS = ("integrated_gradients", "blur_integrated_gradients", "guided_integrated_gradients", "idgi", "xrai")
CHEAP: dict[str, dict[str, Any]] = {
    "occlusion": {"window": 4, "stride": 4},
    "rise": {"masks": 3},
    "score_cam": {"channels": 3},
    "ablation_cam": {"channels": 3, "relu": False},
    **{id: {"samples": 3, "segments": 4, "compactness": 100.0} for id in ("lime", "kernel_shap")},
    **{id: {"steps": 3} for id in PATHS},
    **{id: {"samples": 3} for id in ("smooth_grad", "gradient_shap")},
}
