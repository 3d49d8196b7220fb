"""What has words of its own: experiments, and the report of a run."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True)
class Paper:
    title: str
    url: str


class Worded:
    """Its words stand in `texts/LANGUAGE.json` of its folder."""

    id: ClassVar[str]

    @property
    def folder(self) -> Path:
        """The folder that holds its code and texts."""
        return Path(inspect.getfile(type(self))).parent


class RunReport(Worded):
    """What is said of a run that `gradoscope.watch` recorded."""

    id: ClassVar[str] = "run"

    @property
    def folder(self) -> Path:
        return Path(__file__).parent / "runs"


RUN = RunReport()
PAPERS = (  # of what a run is measured by
    Paper("An Empirical Model of Large-Batch Training (McCandlish et al.)", "https://arxiv.org/abs/1812.06162"),
    Paper(
        "On the difficulty of training recurrent neural networks (Pascanu et al.)", "https://arxiv.org/abs/1211.5063"
    ),
    Paper(
        "Understanding the difficulty of training deep feedforward neural networks (Glorot, Bengio)",
        "https://proceedings.mlr.press/v9/glorot10a.html",
    ),
)
