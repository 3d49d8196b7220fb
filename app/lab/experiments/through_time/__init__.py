"""Why are gradients summed, not averaged, in backpropagation through time?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...experiment import Experiment, Paper, Parameters, Try

Cell = Literal["tanh", "relu", "linear", "lstm", "gru"]


class ThroughTimeParameters(Parameters):
    cell: Cell = Field("tanh", description="What a step computes from the state and the input.")
    length: int = Field(50, ge=2, le=200, description="Steps of the longest sequence, T.")
    mixed_lengths: bool = Field(False, description="Sequences of a batch have lengths from T/5 to T, not all T.")
    hidden: int = Field(32, ge=1, le=64, description="Units of the state.")
    spectral_radius: float = Field(0.9, ge=0, le=2, description="The recurrent weights are orthogonal times this.")
    loss: Literal["last", "every"] = Field("last", description="Where the answer is asked for: at the end, or always.")
    reduction: Literal["sum", "mean"] = Field("sum", description="What becomes of the parts of the steps.")
    truncation: int = Field(0, ge=0, le=200, description="Steps after which the gradient is cut off; 0: never.")
    clipping: float = Field(0.0, ge=0, le=100, description="Longest gradient in training; 0: no bound.")
    optimiser: Literal["sgd", "adam"] = Field("sgd", description="What makes an update of a gradient.")
    rate: float = Field(0.01, gt=0, le=1, description="Learning rate of the summed gradient.")
    train_steps: int = Field(200, ge=0, le=1000, description="Updates in training; 0: no training.")
    precision: Literal["float32", "float64"] = Field("float32", description="Numbers that the parts are computed in.")


class ThroughTime(Experiment[ThroughTimeParameters]):
    """A recurrent network on the adding problem: which part of its gradient each step of time gives.

    Sequences of numbers u_t in [0, 1], two of them marked; the answer is the sum of the two. One weight matrix W is
    used at every step, s_t = f(W, s_{t-1}, x_t), so that ∂L/∂W = Σ_k ∂L/∂W_k with a copy W_k of W for every step k.
    """

    id = "through_time"
    order = 2
    card = "parts"
    parameters = ThroughTimeParameters
    papers = (
        Paper("Learning long-term dependencies with gradient descent is difficult (Bengio et al. 1994)",
              "https://doi.org/10.1109/72.279181"),
        Paper("Long short-term memory (Hochreiter and Schmidhuber 1997)", "https://doi.org/10.1162/neco.1997.9.8.1735"),
        Paper("On the difficulty of training recurrent neural networks (Pascanu et al. 2013)",
              "https://arxiv.org/abs/1211.5063"),
        Paper("A simple way to initialize recurrent networks of rectified linear units (Le et al. 2015)",
              "https://arxiv.org/abs/1504.00941"),
    )  # fmt: skip
    tries = (
        Try("vanishing", {"cell": "linear", "spectral_radius": 0.9, "length": 50, "train_steps": 0}),
        Try("exploding", {"cell": "linear", "spectral_radius": 1.1, "length": 50, "train_steps": 0}),
        Try("mixed", {"mixed_lengths": True, "loss": "every", "rate": 0.001}),
    )

    def cost(self, parameters: ThroughTimeParameters) -> float:
        """Seconds: steps of training times steps of time, and Jacobians that grow with the square of the state."""
        gates = {"lstm": 3.0, "gru": 2.5}.get(parameters.cell, 1.0)
        training = 0.00022 * parameters.train_steps * parameters.length * (1 + parameters.hidden / 64) * gates
        return float(0.2 + training + 1e-7 * parameters.length * parameters.hidden**2 * gates)


EXPERIMENT = ThroughTime()
