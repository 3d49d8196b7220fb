"""How does a gradient pass a sign?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from ...experiment import Experiment, Paper, Parameters, Try

Estimator = Literal["straight_through", "clipped", "tanh", "ede"]


class BinaryParameters(Parameters):
    estimator: Estimator = Field("ede", description="What stands in for the derivative of sign.")
    progress: float = Field(0.75, ge=0, le=1, json_schema_extra={"step": 0.01}, description="i/N: how far training is.")
    t_min: float = Field(0.1, ge=0.01, le=10, description="EDE's t at the start.")
    t_max: float = Field(10.0, ge=0.01, le=100, description="EDE's t at the end.")
    balanced: bool = Field(True, description="Weights are made mean 0 and variance 1 before their sign (Libra).")
    offset: float = Field(0.0, ge=-3, le=3, description="Mean of the weights at the start, over their spread.")
    rate: float = Field(0.01, gt=0, le=1, description="Learning rate of Adam.")
    train_steps: int = Field(300, ge=0, le=2000, description="Updates of each network; 0: none is trained.")
    seeds: int = Field(10, ge=3, le=20, description="Networks of each kind.")

    @field_validator("t_max")
    @classmethod
    def _is_larger(cls, t_max: float, info: ValidationInfo) -> float:
        """t rises over a training."""
        if t_max < info.data.get("t_min", 0):
            raise ValueError(f"t_max must be at least t_min, {info.data['t_min']}")
        return t_max


class Binary(Experiment[BinaryParameters]):
    """Networks whose weights and units are −1 or 1, trained through an estimator of sign's derivative.

    Forward b = sign(x). Backward ∂L/∂x = ∂L/∂b · g′(x) with g(x) = x, clamp(x, −1, 1), tanh x, or EDE's k · tanh(t x),
    t = Tmin · 10^(i/N · log₁₀(Tmax/Tmin)), k = max(1/t, 1). Balanced weights are (w − mean)/std, their scale a power
    of two (Libra).
    """

    id = "binary"
    order = 12
    card = "slopes"
    parameters = BinaryParameters
    papers = (
        Paper("Forward and backward information retention for accurate binary neural networks (Qin et al. 2020)",
              "https://arxiv.org/abs/1909.10788"),
        Paper("Estimating or propagating gradients through stochastic neurons (Bengio et al. 2013)",
              "https://arxiv.org/abs/1308.3432"),
        Paper("Binarized neural networks (Hubara et al. 2016)", "https://arxiv.org/abs/1602.02830"),
        Paper("Understanding straight-through estimator in training activation quantized neural nets (Yin et al. 2019)",
              "https://arxiv.org/abs/1903.05662"),
    )  # fmt: skip
    tries = (
        Try("end", {"progress": 1.0}),
        Try("shifted", {"offset": 1.0, "balanced": False}),
        Try("slow", {"rate": 0.003}),
    )

    def cost(self, parameters: BinaryParameters) -> float:
        """Seconds: the updates of five networks for each seed, and the flips."""
        return 0.5 + parameters.train_steps * (0.002 + 6e-4 * parameters.seeds)


EXPERIMENT = Binary()
