"""An experiment of the lab for tests of the frame: quick, with every kind of figure, and updates that are counted."""

from __future__ import annotations

from typing import Literal

import pytest
from gradoscope.lab import registry
from gradoscope.lab.experiment import Experiment, Paper, Parameters, Try
from pydantic import Field


class ToyParameters(Parameters):
    steps: int = Field(3, ge=1, le=1000, description="How many updates")
    kind: Literal["plain", "broken", "not_finite"] = Field("plain", description="How it ends")
    rate: float = Field(0.5, gt=0, le=2, description="A number")
    grid: list[list[float]] = Field([[1.0, 2.0], [3.0, 4.0]], max_length=4, description="Numbers")


class Toy(Experiment[ToyParameters]):
    id = "toy"
    order = 1
    parameters = ToyParameters
    papers = (Paper("Nobody 2026", "https://example.org/"),)
    tries = (Try("more", {"steps": 5}),)

    def cost(self, parameters: ToyParameters) -> float:
        return 0.1 * parameters.steps


def use_toy(patch: pytest.MonkeyPatch) -> Toy:
    """For this process, the toy is the only experiment."""
    toy = Toy()
    patch.setattr(registry, "experiments", lambda: {"toy": toy})
    return toy
