"""What metrics measured of a map, as it is sent and stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from .problem_body import ProblemBody
from .wire import JsonObject, WireModel


class MetricCost(WireModel):
    forwards: int = Field(description="evaluations of one picture without a gradient")
    gradients: int


class Finding(WireModel):
    code: str
    level: Literal["support", "doubt", "note"]
    detail: str
    values: JsonObject
    url: str = Field(description="the page that explains the metric")


class MeasurementBody(WireModel):
    metric: str
    status: Literal["done", "refused", "failed"]
    parameters: JsonObject
    cost: MetricCost | None
    seconds: float = Field(
        description="that the computation took, in this request or in the earlier one that stored it"
    )
    from_store: bool = Field(description="whether it came from the store, and was not computed again")
    figures: JsonObject | None
    findings: list[Finding] = Field(description="what the figures say, in plain words")
    maps: dict[str, str] = Field(description="addresses of the arrays made on the way")
    problem: ProblemBody | None


class MeasurementFacts(WireModel):
    """What the store keeps of a measurement. `maps` are the names of the maps that it made, which are kept apart."""

    figures: JsonObject
    maps: list[str]
    seconds: float


def brief_verdict(measured: Mapping[str, MeasurementBody]) -> str:
    """How many findings speak against a map and for it, as in «3 against · 1 for»; «undecided» where none
    does either, empty where nothing was measured."""
    done = [each for each in measured.values() if each.status == "done"]
    levels = [finding.level for each in done for finding in each.findings]
    counted = (("against", levels.count("doubt")), ("for", levels.count("support")))
    told = " · ".join(f"{count} {word}" for word, count in counted if count)
    return told or ("undecided" if done else "")
