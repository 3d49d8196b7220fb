"""What has words of its own: experiments, and the report of a run."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import ClassVar


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
