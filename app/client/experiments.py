"""Experiments of the lab: what a call asks, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..contract.events import ErrorEvent, Event
from ..contract.experiment_events import ExperimentAcceptedEvent, ExperimentDoneEvent, ExperimentProgressEvent
from ..contract.experiments import ExperimentFinding, ExperimentResult, FigureBody
from ..contract.problems import NotFound, Unprocessable, problem_from_body
from ..contract.wire import JsonObject
from ..lab.wording import labelled
from ..pipeline.progress import ProgressBars
from . import checks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ExperimentListener = Callable[[Event], object]


class Experiment:
    """What came of one run: `numbers`, `findings`, and `figures` by their ids."""

    def __init__(self, record: ExperimentResult) -> None:
        self.record = record

    @property
    def id(self) -> str:
        """The experiment's id."""
        return self.record.id

    @property
    def parameters(self) -> JsonObject:
        """All parameters, defaults filled in."""
        return self.record.parameters

    @property
    def seed(self) -> int:
        return self.record.seed

    @property
    def numbers(self) -> JsonObject:
        """What was computed, by name: numbers, lists from the input (or the first step) on, and mappings of these."""
        return self.record.numbers

    @property
    def findings(self) -> list[ExperimentFinding]:
        """Sentences with their numbers; `verdict` is "holds", "fails" or "depends"."""
        return self.record.findings

    @property
    def figures(self) -> dict[str, FigureBody]:
        """The data of the figures, by id."""
        return {figure.id: figure for figure in self.record.figures}

    def plot(self, figure: str) -> Figure:
        """A figure, drawn by matplotlib. Raises `NotFound`; `ImportError` without matplotlib."""
        from .experiment_figures import draw

        if figure not in self.figures:
            listed = ", ".join(self.figures)
            raise NotFound(f"{self.id} has no figure «{figure[:80]}». There are: {listed}.")
        return draw(labelled(self.id, self.figures[figure]))

    def save(self, folder: str | Path) -> Path:
        """Write result.json, the figures as SVG and PNG, and their data as CSV and npy into a folder.

        Without matplotlib there are no pictures. Raises `OSError`.
        """
        from .experiment_files import write_files

        return write_files(self.record, Path(folder))

    def __repr__(self) -> str:
        verdicts = ", ".join(f"{finding.id} {finding.verdict}" for finding in self.findings)
        return f"<Experiment {self.id}: {len(self.record.figures)} figures; {verdicts or 'no findings'}>"


def checked_call(
    parameters: Mapping[str, Any] | None, named: Mapping[str, Any], seed: object
) -> tuple[JsonObject, int]:
    """The parameters of a call, from a mapping and from arguments, and its seed. Raises `Unprocessable`."""
    if parameters is not None and not isinstance(parameters, Mapping):
        raise checks.invalid_argument("parameters", parameters, 'is no mapping, e.g. {"length": 50}')
    given = dict(parameters or {})
    if twice := sorted(given.keys() & named.keys()):
        raise Unprocessable(f"{twice[0]}: it is given twice, in parameters= and beside it.", field=twice[0])
    return checks.plain_json("parameters", given | dict(named)), checks.seed(seed)


@contextmanager
def experiment_listener(progress: object) -> Iterator[ExperimentListener]:
    """A context with the listener for `progress`: the given function, a progress bar, or one that does nothing.
    Raises `Unprocessable`."""
    if callable(progress):
        yield progress
    elif progress is True:
        with ProgressBars() as bars:
            yield _Bar(bars)
    elif progress is False or progress is None:
        yield lambda event: None
    else:
        raise checks.invalid_argument(
            "progress",
            progress,
            'is neither a function nor a bool. A parameter of that name: parameters={"progress": …}',
        )


class _Bar:
    """A listener that moves a progress bar."""

    def __init__(self, bars: ProgressBars) -> None:
        self._bars = bars

    def __call__(self, event: Event) -> None:
        if isinstance(event, ExperimentAcceptedEvent):
            self._task = self._bars.add(event.id, None, "steps")
        elif isinstance(event, ExperimentProgressEvent):
            self._bars.update(self._task, event.done, event.total)
        elif isinstance(event, ExperimentDoneEvent):
            self._bars.finish(self._task)


def heard(event: Event, listener: ExperimentListener) -> Experiment | None:
    """Pass an event on; the experiment, where it was the last. Raises the problem of an `error`."""
    if isinstance(event, ErrorEvent):
        raise problem_from_body(event.problem)
    listener(event)
    return Experiment(event.result) if isinstance(event, ExperimentDoneEvent) else None
