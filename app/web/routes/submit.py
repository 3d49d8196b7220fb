"""Handlers ask the executor; a client that leaves takes its question with it."""

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
    """The connection was closed before the answer was ready; nobody reads what is answered now."""


def client_of(request: Request) -> str:
    """Who asks, as the middleware has found out."""
    return getattr(request.state, "client", "")


async def answer(request: Request, executor: Executor, job: Job, kind: type[M]) -> M:
    """What comes of a job, while the client waits for it: a value of that `kind`. Raises its problem."""
    return await while_connected(request, result(executor, job, kind, client_of(request)))


async def result(executor: Executor, job: Job, kind: type[M], client: str = "") -> M:
    """What comes of a job: a value of that `kind`. Raises its problem."""
    async with aclosing(executor.submit(job, client)) as events:
        final = checked(await last(events))
    value = final.record if isinstance(final, DoneEvent) else getattr(final, "result", None)
    assert isinstance(value, kind)
    return value


async def last(events: AsyncGenerator[Event, None]) -> Event:
    async for event in events:
        if event.final:
            return event
    raise AssertionError("an executor's last event is final")


def checked(event: Event) -> Event:
    """`event`, or the problem that it tells of."""
    if isinstance(event, ErrorEvent):
        raise problem_from_body(event.problem)
    return event


async def while_connected(request: Request, asked: Coroutine[Any, Any, T]) -> T:
    """The result of `asked`, which is cancelled when the client leaves; then raises `ClientLeft`."""
    task = asyncio.ensure_future(asked)
    leaving = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientLeft
        return task.result()
    finally:
        for started in (task, leaving):
            started.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(task, leaving, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
