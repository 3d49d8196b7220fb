"""Where does the gradient vanish or explode with depth?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ...experiment import Experiment, Paper, Parameters, Try

Activation = Literal["sigmoid", "tanh", "relu", "leaky_relu", "gelu", "linear"]
Initialisation = Literal["normal", "xavier", "he", "lecun", "orthogonal", "zeros"]


Norm = Annotated[float, Field(ge=0)]


class DepthParameters(Parameters):
    depth: int = Field(20, ge=1, le=50, description="Hidden layers.")
    width: int = Field(128, ge=2, le=256, description="Units of each layer.")
    activation: Activation = Field("relu", description="What a unit makes of its input.")
    initialisation: Initialisation = Field("he", description="How the weights are drawn. Biases are 0.")
    sigma: float = Field(0.1, ge=0, le=1, description="Standard deviation of the initialisation `normal`.")
    normalisation: Literal["none", "batch", "layer"] = Field("none", description="Before each activation.")
    residual: bool = Field(False, description="Each layer adds its input to its output.")
    loss: Literal["squared", "cross_entropy"] = Field("cross_entropy", description="Of ten outputs, random targets.")
    measured: list[Norm] = Field(
        [], max_length=200, description="Norms of another network's gradient, from its first layer to its last."
    )


class Depth(Experiment[DepthParameters]):
    """A deep network at its start: mean square of the outputs, norm of the gradient, layer by layer.

    h_l = φ(W_l h_{l−1}), h_0 normal with variance 1. The curves of a theory of wide networks stand beside: with
    v = n·Var(W), z normal: m_l = E[φ(√(v m_{l−1}) z)²], and a gradient's square is v·E[φ′(√(v m_{l−1}) z)²] of the
    next layer's.
    """

    id = "depth"
    order = 3
    card = "backward"
    parameters = DepthParameters
    papers = (
        Paper("Understanding the difficulty of training deep feedforward neural networks (Glorot and Bengio 2010)",
              "https://proceedings.mlr.press/v9/glorot10a.html"),
        Paper("Delving deep into rectifiers (He et al. 2015)", "https://arxiv.org/abs/1502.01852"),
        Paper("Exponential expressivity in deep neural networks through transient chaos (Poole et al. 2016)",
              "https://arxiv.org/abs/1606.05340"),
        Paper("Deep information propagation (Schoenholz et al. 2017)", "https://arxiv.org/abs/1611.01232"),
    )  # fmt: skip
    tries = (
        Try("sigmoid", {"activation": "sigmoid", "initialisation": "xavier", "depth": 10}),
        Try("halving", {"activation": "relu", "initialisation": "lecun", "depth": 20}),
        Try("chaos", {"activation": "tanh", "initialisation": "normal", "sigma": 0.3, "depth": 20}),
    )

    def cost(self, parameters: DepthParameters) -> float:
        """Seconds: a few networks, and one for each initialisation; orthogonal matrices take longer."""
        orthogonal = 8.0 if parameters.initialisation == "orthogonal" else 1.0
        return 0.05 + 2e-7 * parameters.depth * parameters.width**2 * (orthogonal + 1.25)


EXPERIMENT = Depth()
