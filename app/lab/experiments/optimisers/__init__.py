"""How do ten ways of descending differ?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from ...experiment import Experiment, Paper, Parameters, Try

Optimiser = Literal[
    "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "adamax", "nadam", "amsgrad"
]
Surface = Literal["bowl", "rosenbrock", "beale", "himmelblau", "saddle", "rastrigin", "plateau", "reddi"]
Schedule = Literal["fixed", "step", "multistep", "exponential", "inverse", "polynomial", "cosine", "warmup"]
Coordinate = Annotated[float, Field(ge=-10, le=10)]
Rate = Annotated[float, Field(gt=0, le=1000)]


class OptimisersParameters(Parameters):
    optimiser: Literal["all", Optimiser] = Field("all", description="One of ten, or all.")
    surface: Surface = Field("bowl", description="What is descended.")
    start: list[Coordinate] = Field([], max_length=2, description="(x, y); empty: the surface's own start.")
    rate: Rate | Literal["default", "best"] = Field(
        "best", description="Learning rate: a number, PyTorch's default, or the best of a search."
    )
    steps: int = Field(200, ge=1, le=1000, description="Steps of each descent.")
    schedule: Schedule = Field("fixed", description="How the rate changes over the steps.")
    noise: float = Field(0.0, ge=0, le=10, description="Standard deviation of noise on each gradient.")
    condition: float = Field(100.0, ge=1, le=10000, description="Curvature of the bowl along y; along x it is 1.")
    momentum: float = Field(0.9, ge=0, lt=1, description="Of momentum and Nesterov.")
    rho: float = Field(0.95, ge=0, lt=1, description="Decay of Adadelta's averages.")

    @field_validator("start")
    @classmethod
    def _is_a_point(cls, start: list[float]) -> list[float]:
        if len(start) == 1:
            raise ValueError("a point has two numbers, got 1")
        return start


class Optimisers(Experiment[OptimisersParameters]):
    """torch.optim's optimisers on surfaces of two variables, in float64, the rate of each searched or given."""

    id = "optimisers"
    order = 10
    parameters = OptimisersParameters
    papers = (
        Paper("Some methods of speeding up the convergence of iteration methods (Polyak 1964)",
              "https://doi.org/10.1016/0041-5553(64)90137-5"),
        Paper("Adaptive subgradient methods for online learning and stochastic optimization (Duchi et al. 2011)",
              "https://jmlr.org/papers/v12/duchi11a.html"),
        Paper("ADADELTA: an adaptive learning rate method (Zeiler 2012)", "https://arxiv.org/abs/1212.5701"),
        Paper("Adam: a method for stochastic optimization (Kingma and Ba 2015)", "https://arxiv.org/abs/1412.6980"),
        Paper("On the convergence of Adam and beyond (Reddi et al. 2018)", "https://arxiv.org/abs/1904.09237"),
    )  # fmt: skip
    tries = (
        Try("fair", {"surface": "rosenbrock", "rate": "default"}),
        Try("valley", {"surface": "bowl", "condition": 1000.0, "rate": "best"}),
        Try("reddi", {"surface": "reddi", "rate": 0.5, "steps": 1000}),
    )

    def cost(self, parameters: OptimisersParameters) -> float:
        """Seconds: steps of each optimiser, for each rate that is tried."""
        number = 10 if parameters.optimiser == "all" else 1
        return 0.1 + number * parameters.steps * (1.1e-3 if parameters.rate == "best" else 5e-4)


EXPERIMENT = Optimisers()
