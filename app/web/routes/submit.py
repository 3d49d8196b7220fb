"""Handlers ask the executor; a client that leaves takes its question with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from fastapi import Request

from ...contract.jobs import Event, Job
from ...contract.problems import problem_from_dict
from ...service.executor import Executor

T = TypeVar("T")


class ClientLeft(Exception):
    """The connection was closed before the answer was ready; nobody reads what is answered now."""


def client_of(request: Request) -> str:
    """Who asks, as the middleware has found out."""
    return getattr(request.state, "client", "")


async def answer(request: Request, executor: Executor, job: Job) -> dict[str, Any]:
    """The data of a job's final event, while the client waits for it. Raises its problem."""
    return await while_connected(request, result(executor, job, client_of(request)))


async def result(executor: Executor, job: Job, client: str = "") -> dict[str, Any]:
    """The data of a job's final event. Raises its problem."""
    async with aclosing(executor.submit(job, client)) as events:
        return await last(events)


async def last(events: AsyncGenerator[Event, None]) -> dict[str, Any]:
    async for event in events:
        if event.final:
            return checked(event).data
    raise AssertionError("an executor's last event is final")


def checked(event: Event) -> Event:
    """`event`, or the problem that it tells of."""
    if event.name == "error":
        raise problem_from_dict(event.data)
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
