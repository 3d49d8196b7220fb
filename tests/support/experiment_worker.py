"""A worker process that computes nothing, for jobs of the lab: it answers with how many it has run and cancelled."""

from __future__ import annotations

from contextlib import suppress
from multiprocessing.connection import Connection

from gradoscope.contract.experiment_events import ExperimentProgressEvent
from gradoscope.settings import Settings

from tests.support.contract import catalogue, experiment_done

FOR_EVER = "for_ever"  # an experiment that never ends


def work(connection: Connection, settings: Settings) -> None:
    """As `gradoscope.service.worker.work`."""
    connection.send(("ready", catalogue()))
    runs = cancelled = 0
    unended = set()
    with suppress(EOFError, OSError):
        while True:
            message = connection.recv()
            if message[0] == "stop":
                return
            if message[0] == "cancel":
                cancelled += message[1] in unended
            if message[0] != "run":
                continue
            number, job = message[1:3]
            done = experiment_done(**({"cancelled": cancelled} if job.experiment == "cancelled" else {}))
            connection.send(("event", number, done.accepted(seconds=1)))
            if job.experiment == FOR_EVER:
                unended.add(number)
                continue
            if job.experiment != "cancelled":
                runs += 1
                done = experiment_done(runs=runs)
            connection.send(("event", number, ExperimentProgressEvent(done=1, total=1)))
            connection.send(("event", number, done))
