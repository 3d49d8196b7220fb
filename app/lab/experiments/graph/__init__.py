"""How does a gradient go back through a computation? An expression typed by hand, and its graph edge by edge."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from ...experiment import Experiment, Paper, Parameters, Try
from .expression import MAX_CHARACTERS, parse

MAX_NAMES = 12
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,15}$")]
Value = Annotated[float, Field(ge=-1e6, le=1e6)]


class GraphParameters(Parameters):
    expression: str = Field(
        "(x + y) * z",
        min_length=1,
        max_length=MAX_CHARACTERS,
        description="Of names, numbers, + - * / **, and calls of exp, log, sqrt, sin, cos, tanh, sigmoid, relu, max, "
        "min. It is parsed, never run as code",
    )
    values: dict[Name, Value] = Field(
        {"x": -2.0, "y": 5.0, "z": -4.0},
        max_length=MAX_NAMES,
        validate_default=True,
        description="The value of each name",
    )

    @field_validator("expression")
    @classmethod
    def _is_allowed(cls, text: str) -> str:
        """Raises `ValueError`, which names what cannot be computed."""
        parse(text)
        return text

    @field_validator("values")
    @classmethod
    def _are_all_there(cls, values: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        """Raises `ValueError` where a name of the expression has no value."""
        if "expression" in info.data and (
            missing := [name for name in parse(info.data["expression"]).names if name not in values]
        ):
            raise ValueError(f"{', '.join(f'«{name}»' for name in missing)} of the expression has no value")
        return values


class Graph(Experiment[GraphParameters]):
    id = "graph"
    order = 1
    parameters = GraphParameters
    papers = (
        Paper(
            "Baydin et al. 2018: Automatic differentiation in machine learning: a survey",
            "https://arxiv.org/abs/1502.05767",
        ),
    )
    tries = (
        Try("twice", {"expression": "a*a + a", "values": {"a": 3.0}}),
        Try(
            "network",
            {
                "expression": "(c*tanh(a*x) + d*tanh(b*x) - y)**2",
                "values": {"a": 1.0, "b": -2.0, "c": 1.5, "d": 0.5, "x": 0.8, "y": 1.0},
            },
        ),
        Try("kink", {"expression": "max(x, y) * relu(z)", "values": {"x": 2.0, "y": 5.0, "z": -4.0}}),
    )

    def cost(self, parameters: GraphParameters) -> float:
        return 0.02


EXPERIMENT = Graph()
