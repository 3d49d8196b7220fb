"""Is L2 the same as weight decay?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from ...experiment import Experiment, Paper, Parameters, Try

Kind = Literal["l1", "proximal", "l2", "decoupled"]
Coordinate = Annotated[float, Field(ge=-4, le=4)]


class WeightDecayParameters(Parameters):
    kind: Kind = Field("l2", description="How weights are kept small; the numbers are of this one.")
    optimiser: Literal["sgd", "adam"] = Field("adam", description="What makes a step of a gradient.")
    decay: float = Field(0.5, ge=0, le=10, description="λ, of the penalty or of the decay.")
    rate: float = Field(0.05, gt=0, le=1, description="Learning rate α.")
    steps: int = Field(300, ge=1, le=1000, description="Steps of each descent.")
    momentum: float = Field(0.0, ge=0, lt=1, description="Of SGD.")
    condition: float = Field(10.0, ge=1, le=100, description="Curvature of the bowl along w₂; along w₁ it is 1.")
    noise: float = Field(0.0, ge=0, le=5, description="Standard deviation of noise on each gradient of the bowl.")
    start: list[Coordinate] = Field([], max_length=2, description="(w₁, w₂) on the bowl; empty: (−3, −2).")

    @field_validator("start")
    @classmethod
    def _is_a_point(cls, start: list[float]) -> list[float]:
        if len(start) == 1:
            raise ValueError("a point has two numbers, got 1")
        return start


class WeightDecay(Experiment[WeightDecayParameters]):
    """Four ways to keep weights small, with the same optimiser, on a bowl and on a linear regression.

    L2: the gradient g becomes g + λw. L1: g + λ sign(w). Decoupled: w ← (1 − αλ)w before each step. Proximal L1:
    w ← sign(w)·max(|w| − αλ, 0) after each step. The step itself is torch.optim's SGD or Adam with rate α.
    """

    id = "weight_decay"
    order = 9
    parameters = WeightDecayParameters
    papers = (
        Paper("A simple weight decay can improve generalization (Krogh and Hertz 1991)",
              "https://papers.nips.cc/paper/563-a-simple-weight-decay-can-improve-generalization"),
        Paper("Regression shrinkage and selection via the lasso (Tibshirani 1996)",
              "https://doi.org/10.1111/j.2517-6161.1996.tb02080.x"),
        Paper("Decoupled weight decay regularization (Loshchilov and Hutter 2019)",
              "https://arxiv.org/abs/1711.05101"),
        Paper("Implicit bias of AdamW: ℓ∞ norm constrained optimization (Xie and Li 2024)",
              "https://arxiv.org/abs/2404.04454"),
    )  # fmt: skip
    tries = (
        Try("sgd", {"optimiser": "sgd", "kind": "l2"}),
        Try("momentum", {"optimiser": "sgd", "kind": "l2", "momentum": 0.9, "rate": 0.01}),
        Try("small", {"optimiser": "adam", "kind": "l2", "decay": 0.001}),
    )

    def cost(self, parameters: WeightDecayParameters) -> float:
        """Seconds: a short descent of all kinds at once, and a fit of all kinds, decays and seeds at once."""
        return 0.05 + 1e-3 * parameters.steps


EXPERIMENT = WeightDecay()
