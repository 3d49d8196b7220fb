"""Does a network that learns for ever forget how to learn?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...experiment import Experiment, Paper, Parameters, Try

Algorithm = Literal["backprop", "l2", "adam", "continual"]
Choice = Literal["all", Algorithm]


class PlasticityParameters(Parameters):
    algorithm: Choice = Field("all", description="One of four, or all.")
    rate: float = Field(0.01, gt=0, le=0.1, description="Learning rate of backprop, L2 and continual backprop.")
    adam_rate: float = Field(0.003, gt=0, le=0.1, description="Learning rate of Adam.")
    decay: float = Field(1e-3, ge=0, le=0.1, description="L2: every step takes rate · decay of each weight away.")
    replacement_rate: float = Field(1e-4, ge=0, le=0.0025, description="Share of old enough units replaced per step.")
    maturity: int = Field(100, ge=1, le=10_000, description="Steps that a new unit is left alone.")
    utility_decay: float = Field(0.99, ge=0, lt=1, description="η of the running averages of the utility.")
    bias_correction: bool = Field(True, description="Running averages are divided by 1 − ηᵃ, a the unit's age.")
    hidden: int = Field(5, ge=2, le=20, description="Hidden units of the network.")
    tasks: int = Field(200, ge=2, le=400, description="Tasks, one after the other.")
    steps_per_task: int = Field(1000, ge=50, le=10_000, description="Examples of each task, one a step.")
    seeds: int = Field(20, ge=3, le=40, description="Networks of each algorithm, each with a problem of its own.")


class Plasticity(Experiment[PlasticityParameters]):
    """Networks that learn one task after the other, an example a step, in the slowly changing regression.

    Four algorithms on the same tasks from the same weights: gradient descent, with L2, Adam, and continual backprop,
    which now and then replaces the hidden unit that is worth least.
    """

    id = "plasticity"
    order = 13
    card = "relative"
    parameters = PlasticityParameters
    papers = (
        Paper("Loss of plasticity in deep continual learning (Dohare et al., Nature 2024)",
              "https://doi.org/10.1038/s41586-024-07711-7"),
        Paper("Continual backprop: stochastic gradient descent with persistent randomness (Dohare et al. 2021)",
              "https://arxiv.org/abs/2108.06325"),
        Paper("The effective rank: a measure of effective dimensionality (Roy and Vetterli 2007)",
              "https://www.eurasip.org/Proceedings/Eusipco/Eusipco2007/Papers/a5p-h05.pdf"),
    )  # fmt: skip
    tries = (
        Try("large_rate", {"rate": 0.03}),
        Try("adam", {"adam_rate": 0.01}),
        Try("uncorrected", {"bias_correction": False}),
    )

    def cost(self, parameters: PlasticityParameters) -> float:
        """Seconds: the calls of each step, and what grows with the networks."""
        rows = parameters.seeds * (4 if parameters.algorithm == "all" else 1)
        return 0.5 + parameters.tasks * (0.005 + parameters.steps_per_task * (7e-5 + 1e-7 * rows * parameters.hidden))


EXPERIMENT = Plasticity()
