"""What an experiment is: parameters declared once, and a generator of figures, numbers and findings.

The folder of an experiment (`experiments/ID/`) holds

- `__init__.py`: the declaration, an `Experiment` with its parameters. It imports no PyTorch.
- `compute.py`: `run(parameters, seed)`, which computes, in the worker.
- `script.py`: the same in about twenty lines of plain PyTorch. It runs as it stands and prints one JSON object, whose
  entries equal those of `numbers`, with the default parameters.
- `texts/en.json`, `texts/zh.json`: all its words by short keys: `title`, `question`, `summary`, `parameter.NAME` and
  `help.NAME`, `choice.NAME.VALUE`, `figure.ID` and `about.ID` (how to read it), `axis.ID`, `series.ID`, `grid.ID`,
  `group.ID`, `step.ID` (with the step's numbers in braces), `number.NAME`, `claim.ID` (what is often said),
  `finding.ID.VERDICT` (with the finding's numbers in braces), `try.ID`.
- `templates/formula.html`: its formula as MathML; `templates/card.svg`: its small figure on /lab, which
  `tools/make_lab_cards.py` draws from a run.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from ..contract.experiments import ExperimentFinding, FigureData
from ..contract.wire import JsonObject
from .worded import Paper as Paper
from .worded import Worded


class Parameters(BaseModel):
    """Base of the parameters of an experiment. Each field declares its bounds, default and help."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


P = TypeVar("P", bound=Parameters)


@dataclass(frozen=True)
class Figure:
    """A figure as it is computed. Its title, and those of its axes and series, are texts by their ids."""

    id: str
    data: FigureData


@dataclass(frozen=True)
class Update:
    """What a run has found so far: `done` of `total` steps. `figures` of the same id replace earlier ones.

    `done` is below `total` until the last update, which is told with the result.
    """

    done: int
    total: int
    figures: tuple[Figure, ...] = ()
    numbers: JsonObject = field(default_factory=dict)
    findings: tuple[ExperimentFinding, ...] = ()


@dataclass(frozen=True)
class Try:
    """Parameters that show something worth seeing; its title is the text `try.ID`."""

    id: str
    parameters: Mapping[str, Any]


class Experiment(Worded, Generic[P]):
    """The declaration of an experiment."""

    order: ClassVar[int]
    parameters: type[P]
    papers: ClassVar[tuple[Paper, ...]] = ()
    card: ClassVar[str] = ""
    """The figure that stands for it on /lab; by default its first."""
    tries: ClassVar[tuple[Try, ...]]

    def cost(self, parameters: P) -> float:
        """About how many seconds a run takes on two cores."""
        raise NotImplementedError

    def run(self, parameters: P, seed: int) -> Iterator[Update]:
        """Compute it. Yields what it has so far, at least once; another request may take its turn after each."""
        module = importlib.import_module(f"{type(self).__module__}.compute")
        updates: Iterator[Update] = module.run(parameters, seed)
        return updates
