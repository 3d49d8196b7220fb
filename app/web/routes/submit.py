"""Handlers submit jobs to the executor; if the client leaves, its job is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from fastapi import Request

from ...contract.events import DoneEvent, ErrorEvent, Event
from ...contract.jobs import Job
from ...contract.problems import problem_from_body
from ...contract.wire import WireModel
from ...service.executor import Executor

T = TypeVar("T")
M = TypeVar("M", bound=WireModel)


class ClientLeft(Exception):
    """The client closed the connection before the response was ready; nobody reads the response."""


def client_of(request: Request) -> str:
    """The client's name, as set by the middleware."""
    return getattr(request.state, "client", "")


async def run_for_client(request: Request, executor: Executor, job: Job, kind: type[M]) -> M:
    """Run a job while the client stays connected. Returns the data of its final event; raises its problem."""
    return await while_connected(request, run_job(executor, job, kind, client_of(request)))


async def run_job(executor: Executor, job: Job, kind: type[M], client: str = "") -> M:
    """Run a job. Returns the data of its final event; raises its problem."""
    async with aclosing(executor.submit(job, client)) as events:
        final = raise_if_error(await final_event(events))
    value = final.record if isinstance(final, DoneEvent) else getattr(final, "result", None)
    assert isinstance(value, kind)
    return value


async def final_event(events: AsyncGenerator[Event, None]) -> Event:
    async for event in events:
        if event.final:
            return event
    raise AssertionError("an executor's last event is final")


def raise_if_error(event: Event) -> Event:
    """Returns `event`; raises the problem if it is an error."""
    if isinstance(event, ErrorEvent):
        raise problem_from_body(event.problem)
    return event


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`. If the client leaves, cancels it and raises `ClientLeft`."""
    task = asyncio.ensure_future(work)
    disconnect = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientLeft
        return task.result()
    finally:
        for started in (task, disconnect):
            started.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(task, disconnect, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
