"""Is dropout an average of many networks?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ...experiment import Experiment, Paper, Parameters, Try

Bit = Annotated[int, Field(ge=0, le=1)]
MOST_UNITS = 12


class DropoutParameters(Parameters):
    p: float = Field(0.5, ge=0, le=0.95, description="Chance that a unit is dropped.")
    units: int = Field(8, ge=1, le=MOST_UNITS, description="Units that are dropped, n; there are 2ⁿ masks.")
    layers: int = Field(0, ge=0, le=3, description="Hidden layers between these units and the softmax.")
    activation: Literal["relu", "tanh"] = Field("relu", description="Of the hidden layers.")
    mask: list[Annotated[list[Bit], Field(max_length=MOST_UNITS)]] = Field(
        [],
        max_length=1,
        description="The mask whose backward pass is shown, [[1, 0, …]]; what is left out is drawn.",
        json_schema_extra={"follows": ["units"]},
    )
    nets: int = Field(8, ge=2, le=12, description="Networks that are trained apart and averaged (bagging).")
    samples: int = Field(300, ge=20, le=400, description="Samples that each network is trained on.")
    steps: int = Field(120, ge=0, le=300, description="Steps of each training; 0: no training.")
    seeds: int = Field(10, ge=2, le=12, description="Repetitions of the training, each with samples of its own.")


class Dropout(Experiment[DropoutParameters]):
    """Every mask of a small network, and trainings with dropout, of one network, and of many.

    A mask m has the chance P(m) = Π (1 − p)^{m_i} p^{1 − m_i}. In training the units' outputs h become
    h·m/(1 − p), as PyTorch has it; the whole network with h itself is then «weight scaling» (Srivastava et al. drop
    without the factor and multiply the weights by 1 − p afterwards, which is the same function).
    """

    id = "dropout"
    order = 8
    parameters = DropoutParameters
    papers = (
        Paper("Understanding dropout (Baldi and Sadowski 2013)",
              "https://papers.nips.cc/paper/4878-understanding-dropout"),
        Paper("Dropout: a simple way to prevent neural networks from overfitting (Srivastava et al. 2014)",
              "https://jmlr.org/papers/v15/srivastava14a.html"),
        Paper("An empirical analysis of dropout in piecewise linear networks (Warde-Farley et al. 2014)",
              "https://arxiv.org/abs/1312.6197"),
    )  # fmt: skip
    tries = (
        Try("hidden", {"layers": 2, "units": 12}),
        Try("strong", {"p": 0.9}),
        Try("little_data", {"samples": 40}),
    )

    def cost(self, parameters: DropoutParameters) -> float:
        """Seconds: all masks of a few networks, and trainings of all networks at once."""
        masks = 2.0**parameters.units * (2e-6 + 2e-6 * parameters.layers)
        passes = parameters.seeds * (parameters.nets + 2) * parameters.samples * parameters.steps
        return 0.05 + masks + passes * (7e-7 + 5e-7 * parameters.layers)


EXPERIMENT = Dropout()
