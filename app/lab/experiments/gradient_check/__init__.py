"""How small a step checks a gradient?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from ...experiment import Experiment, Paper, Parameters, Try

Function = Literal["sin", "quadratic", "relu", "network"]
Scheme = Literal["one_sided", "central", "complex"]
Coordinate = Annotated[float, Field(ge=-100, le=100)]
Step = Annotated[float, Field(ge=1e-20, le=1)]

POINTS: dict[Function, list[float]] = {
    "sin": [1.0],
    "quadratic": [4.0, 10.0],
    "relu": [0.0],
    "network": [0.5, -0.25, 1.0, 0.75],
}
"""Where each function is checked unless another point is given."""


class GradientCheckParameters(Parameters):
    function: Function = Field("sin", description="What is differentiated.")
    point: list[Coordinate] = Field([], max_length=4, description="Where; empty: the function's own point.")
    scheme: Scheme = Field("central", description="Which difference the numbers and findings are of.")
    precision: Literal["float32", "float64"] = Field("float64", description="Numbers that it is computed in.")
    step: Step = Field(1e-4, description="A step h of which the error is told.")
    steps: list[Step] = Field([], max_length=100, description="Further steps; empty: from 1e-1 to 1e-16.")

    @field_validator("point")
    @classmethod
    def _fits(cls, point: list[float], info: ValidationInfo) -> list[float]:
        """A point has as many coordinates as the function takes."""
        needed = len(POINTS[info.data["function"]]) if "function" in info.data else len(point)
        if point and len(point) != needed:
            raise ValueError(f"the function {info.data['function']} takes {needed} numbers, got {len(point)}")
        return point


class GradientCheck(Experiment[GradientCheckParameters]):
    """Differences against autograd, over the size of the step.

    One-sided (f(x + h) − f(x))/h, central (f(x + h) − f(x − h))/2h, complex step Im f(x + ih)/h, for each coordinate.
    The error is ‖difference − gradient‖ / max(1, ‖gradient‖), the gradient by autograd in float64.
    """

    id = "gradient_check"
    order = 11
    parameters = GradientCheckParameters
    papers = (
        Paper("Using complex variables to estimate derivatives of real functions (Squire and Trapp 1998)",
              "https://doi.org/10.1137/S003614459631241X"),
        Paper("Automatic differentiation in machine learning: a survey (Baydin et al. 2018)",
              "https://arxiv.org/abs/1502.05767"),
    )  # fmt: skip
    tries = (
        Try("complex", {"function": "sin", "scheme": "complex"}),
        Try("float32", {"function": "sin", "precision": "float32", "step": 0.01}),
        Try("kink", {"function": "relu", "scheme": "one_sided"}),
    )

    def cost(self, parameters: GradientCheckParameters) -> float:
        """Seconds: a few hundred small functions."""
        return 0.1


EXPERIMENT = GradientCheck()
