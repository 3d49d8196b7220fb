"""Why does a saturated unit not learn?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from ...experiment import Experiment, Paper, Parameters, Try

Activation = Literal["sigmoid", "tanh", "relu", "linear"]


class SaturationParameters(Parameters):
    activation: Activation = Field("sigmoid", description="What the unit makes of z = weight · 1 + bias.")
    loss: Literal["squared", "cross_entropy"] = Field("squared", description="What is made of the unit's error.")
    weight: float = Field(2.0, ge=-20, le=20, description="Weight at the start.")
    bias: float = Field(2.0, ge=-20, le=20, description="Bias at the start.")
    rate: float = Field(0.15, gt=0, le=10, description="Learning rate.")
    steps: int = Field(300, ge=1, le=2000, description="Steps of gradient descent.")

    @field_validator("loss")
    @classmethod
    def _has_probability(cls, loss: str, info: ValidationInfo) -> str:
        """Cross-entropy asks for a probability: a sigmoid, or (1 + tanh)/2."""
        if loss == "cross_entropy" and info.data.get("activation") in ("relu", "linear"):
            raise ValueError("cross_entropy needs the activation sigmoid or tanh, whose outputs are bounded")
        return loss


class Saturation(Experiment[SaturationParameters]):
    """One unit a = φ(w·1 + b) that should answer with its lowest value: 0, or −1 for tanh.

    Squared error: L = ½(a − y)², ∂L/∂z = (a − y)·φ′(z). Cross-entropy with p = a, or (1 + a)/2 for tanh:
    L = −ln(1 − p), ∂L/∂z = a − y for both.
    """

    id = "saturation"
    order = 4
    card = "errors"
    parameters = SaturationParameters
    papers = (
        Paper("Understanding the difficulty of training deep feedforward neural networks (Glorot and Bengio 2010)",
              "https://proceedings.mlr.press/v9/glorot10a.html"),
        Paper("Deep Learning, chapter 6 (Goodfellow, Bengio and Courville 2016)",
              "https://www.deeplearningbook.org/contents/mlp.html"),
    )  # fmt: skip
    tries = (
        Try("mild", {"weight": 0.6, "bias": 0.9, "loss": "squared"}),
        Try("cross_entropy", {"weight": 2.0, "bias": 2.0, "loss": "cross_entropy"}),
        Try("stuck", {"weight": 8.0, "bias": 4.0, "rate": 1.0, "loss": "squared"}),
    )

    def cost(self, parameters: SaturationParameters) -> float:
        """Seconds: two short loops."""
        return 0.01 + 1e-5 * parameters.steps


EXPERIMENT = Saturation()
