"""`gradoscope.experiment`: an experiment of the lab in this process, without a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import forks as forks  # from the first import on: it notes forks
from .experiments import Experiment, ExperimentListener, checked_call, experiment_listener, heard


def experiment(
    id: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    progress: bool | ExperimentListener = False,
    **named: Any,
) -> Experiment:
    """Run an experiment of the lab in this process, like `Client.experiment` on a server; it loads PyTorch.

    Parameters are arguments, or stand in the mapping `parameters`: `experiment("through_time", length=50)`.
    `progress=True` shows a bar; a function is called with each event. Raises `gradoscope.Problem`.
    """
    given, number = checked_call(parameters, named, seed)
    with experiment_listener(progress) as listener:
        return run_here(id, given, number, listener)


def run_here(id: str, parameters: Mapping[str, Any], seed: int, listener: ExperimentListener) -> Experiment:
    """Run an experiment in this process, and pass its events on. Raises `Problem`."""
    import torch

    from ..attribution.torch_state import in_clean_state
    from ..contract.jobs import RunExperiment
    from ..contract.problems import ComputationFailed
    from ..pipeline.experiment import experiment as run

    if forks.forked():  # the threads of OpenMP are not there any more: whoever asks them waits for ever
        torch.set_num_threads(1)
    running = in_clean_state(run(RunExperiment(id, dict(parameters), seed)))
    try:
        for event in running:
            if event is not None and (found := heard(event, listener)) is not None:
                return found
    finally:
        running.close()
    raise ComputationFailed("The computation ended without a result.")
