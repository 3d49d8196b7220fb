"""Mean or sum over a mini-batch? Is accumulating the same as a large batch?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ...experiment import Experiment, Paper, Parameters, Try

Size = Annotated[int, Field(ge=1, le=256)]


class MiniBatchParameters(Parameters):
    sizes: list[Size] = Field([10, 100], min_length=1, max_length=16, description="Samples of each part of the batch.")
    reduction: Literal["sum", "mean", "mean_of_means"] = Field(
        "mean_of_means", description="What is accumulated: sums, sums over the batch's size, or the parts' own means."
    )
    batch_norm: bool = Field(False, description="Batch normalisation, over each part by itself.")
    small_batch: int = Field(8, ge=1, le=512, description="Samples of an update, first training.")
    large_batch: int = Field(128, ge=1, le=512, description="Samples of an update, second training.")
    rate_rule: Literal["same", "linear", "root"] = Field(
        "same", description="The large batch's rate: the same, times the ratio of sizes, times its root."
    )
    rate: float = Field(0.05, gt=0, le=1, description="Learning rate of the small batch.")
    updates: int = Field(400, ge=1, le=2000, description="Updates of each training.")


class MiniBatch(Experiment[MiniBatchParameters]):
    """A network with eight inputs, 16 tanh units and four classes, its gradient part by part.

    The parts of a batch are passed through one after the other and their gradients added up, as with gradient
    accumulation; the whole batch's mean is what they are held against. Gradient noise scale: tr Σ / |G|², Σ the
    covariance of one sample's gradient, G its mean.
    """

    id = "mini_batch"
    order = 5
    parameters = MiniBatchParameters
    papers = (
        Paper("Accurate, large minibatch SGD: training ImageNet in 1 hour (Goyal et al. 2017)",
              "https://arxiv.org/abs/1706.02677"),
        Paper("An empirical model of large-batch training (McCandlish et al. 2018)",
              "https://arxiv.org/abs/1812.06162"),
        Paper("Batch normalization (Ioffe and Szegedy 2015)", "https://arxiv.org/abs/1502.03167"),
    )  # fmt: skip
    tries = (
        Try("equal", {"sizes": [32, 32, 32, 32]}),
        Try("normalised", {"sizes": [32, 32, 32, 32], "batch_norm": True}),
        Try("linear", {"small_batch": 8, "large_batch": 128, "rate_rule": "linear"}),
    )

    def cost(self, parameters: MiniBatchParameters) -> float:
        """Seconds: two trainings of a small network."""
        return 0.2 + 2 * parameters.updates * (6e-4 + 1e-6 * parameters.large_batch)


EXPERIMENT = MiniBatch()
