"""The same client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self, Unpack

import httpx2

from ..contract.catalogue import MethodBody, Methods, MetricBody, Metrics, Models, SampleBody, Samples
from ..contract.estimates import EstimateBody, Estimates
from ..contract.events import DoneEvent
from ..contract.flows import GradientFlow
from ..contract.jobs import Fit
from ..contract.predictions import ClassBody, Classes, Prediction, Predictions
from ..contract.problems import NotFound
from ..contract.records import Explanation as Record
from ..contract.version import VERSION
from . import requests as calls
from .arguments import ExplainArguments, FlowArguments, Options
from .client import TIMEOUT
from .events import Done, Event, Listener, typed
from .pictures import Picture
from .progress import listening
from .requests import ApiCall
from .responses import closed, ended, event_of, headers, parsed, pause, place, problem_of, reaching
from .results import Explanation, InMemoryParts, part_names

AT_ONCE = 8  # parts of an explanation that are fetched side by side


class AsyncClient:
    """As `Client`, to be awaited. An explanation comes with all its arrays and pictures, so that nothing waits later.

    Cancelling the task that waits ends the computation on the server.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8000", key: str | None = None, *, retries: int = 0,
        timeout: float | httpx2.Timeout | None = TIMEOUT, **options: Any,
    ) -> None:  # fmt: skip
        self.url, self.retries = url.rstrip("/"), retries
        own = headers(key, VERSION)
        self._http = httpx2.AsyncClient(base_url=self.url, timeout=timeout, headers=own, **options)
        self._titles: dict[str, str] | None = None

    async def explain(
        self, image: Picture | None = None, *, progress: bool | Listener = False, **asked: Unpack[ExplainArguments]
    ) -> Explanation:
        """Explain a picture, and wait until all maps are there; see `Client.explain`. Raises `Problem`."""
        if progress is False:
            return await self._whole(parsed(Record, await self._send(calls.explain(image, asked))))
        async with await self.explain_stream(image, **asked) as stream:
            with listening(progress) as listener:
                async for event in stream:
                    listener(event)
        return stream.explanation

    async def explain_stream(self, image: Picture | None = None, **asked: Unpack[ExplainArguments]) -> AsyncStream:
        """Explain a picture: events as they happen. To be used by `async with await …`. Raises `Problem`."""
        return AsyncStream(self, await self._send(calls.explain(image, asked, calls.EVENTS), stream=True))

    async def predict(
        self, image: Picture | None = None, *, sample: str | None = None, model: str | Sequence[str] | None = None,
        top_k: int = 5, fit: Fit | None = None, size: int | tuple[int, int] | None = None,
    ) -> list[Prediction]:  # fmt: skip
        """The likeliest classes of a picture, for each model."""
        response = await self._send(calls.predict(image, sample, model, top_k, fit, size))
        return parsed(Predictions, response).predictions

    async def gradient_flow(self, image: Picture | None = None, **asked: Unpack[FlowArguments]) -> GradientFlow:
        """The gradient's norm at every layer between a picture and its score, and what is in its way. Also `sample`,
        `model`, `target`, `against`, `score`, `fit`, `size`, as `question.FlowAsked` says. Raises `Problem`."""
        return parsed(GradientFlow, await self._send(calls.gradient_flow(image, asked)))

    async def estimate(
        self, model: str | None = None, methods: str | Sequence[str] | None = None, options: Options | None = None,
        size: int | tuple[int, int] | None = None, metrics: str | Sequence[str] | None = None,
    ) -> list[EstimateBody]:  # fmt: skip
        """Gradient evaluations and seconds of each method, and of metrics of its map, before anything is computed."""
        response = await self._send(calls.estimate(model, methods, options, size, metrics))
        return parsed(Estimates, response).estimates

    async def models(self) -> Models:
        """The models, with where their weights are; which is the default; cards that cannot be used."""
        return parsed(Models, await self._send(calls.get("/models")))

    async def methods(self) -> list[MethodBody]:
        """The methods in historical order, each with the JSON Schema of its parameters."""
        return parsed(Methods, await self._send(calls.get("/methods"))).methods

    async def metrics(self) -> list[MetricBody]:
        """What can be measured of a map, each with the JSON Schema of its parameters."""
        return parsed(Metrics, await self._send(calls.get("/metrics"))).metrics

    async def measure(
        self, explanation: str | Explanation, panel: str, metrics: str | Sequence[str] = "all", *,
        options: Options | None = None,
    ) -> Explanation:  # fmt: skip
        """Measure how far a panel's map can be trusted, by metrics' ids or "all"; the explanation, with what was found.

        Raises `Problem`.
        """
        call = calls.measure(explanation if isinstance(explanation, str) else explanation.id, panel, metrics, options)
        return await self._whole(parsed(Record, await self._send(call)))

    async def samples(self) -> list[SampleBody]:
        """Pictures that ship with the server."""
        return parsed(Samples, await self._send(calls.get("/samples"))).samples

    async def classes(self, model: str, query: str = "", limit: int = 20) -> list[ClassBody]:
        """Classes of a model whose label matches, best match first."""
        return parsed(Classes, await self._send(calls.classes(model, query, limit))).classes

    async def get(self, id: str) -> Explanation:
        """An explanation that was made before, by its id. Raises `NotFound` where it is gone."""
        return await self._whole(parsed(Record, await self._send(calls.explanation(id))))

    async def forget(self, explanation: str | Explanation) -> None:
        """Remove an explanation from the server, its picture included."""
        await self._send(calls.forget(explanation))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _send(self, call: ApiCall, stream: bool = False) -> httpx2.Response:
        """The answer to a call. Raises `Problem`."""
        if self._http.is_closed:
            raise closed(self.url)
        for left in range(self.retries, -1, -1):
            with reaching(self.url):
                async with AsyncExitStack() as unless_right:
                    request = self._http.build_request(call.method, call.path, **call.arguments)
                    response = await self._http.send(request, stream=stream)
                    unless_right.push_async_callback(response.aclose)
                    if response.is_success:
                        unless_right.pop_all()
                        return response
                    await response.aread()
            seconds = pause(response, left)
            if seconds is None:
                break
            await asyncio.sleep(seconds)
        raise problem_of(response) or ended()

    async def _whole(self, record: Record) -> Explanation:
        """An explanation with all its parts."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def fetch(name: str) -> tuple[str, bytes | None]:
            async with gate:
                try:
                    return name, (await self._send(calls.part(record.id, place(name)))).content
                except NotFound:  # gone meanwhile
                    return name, None

        if self._titles is None:
            self._titles = {method.id: method.title for method in await self.methods()}
        fetched = await asyncio.gather(*map(fetch, part_names(record)))
        return Explanation(
            record, InMemoryParts({n: data for n, data in fetched if data is not None}, self._titles, self.url)
        )


class AsyncStream(AsyncIterator[Event]):
    """The events of an explanation that is being made; closing it ends the computation on the server."""

    def __init__(self, client: AsyncClient, response: httpx2.Response) -> None:
        self._explanation: Explanation | None = None
        self._client, self._response = client, response
        self._events = aiter(httpx2.EventSource(response))

    @property
    def explanation(self) -> Explanation:
        """What has come of it; once `Done` has come."""
        if self._explanation is None:
            raise ended()
        return self._explanation

    async def __anext__(self) -> Event:
        """The next event. Raises `Problem` where the computation has failed, or the connection."""
        while not self._response.is_closed:
            with reaching(self._client.url):
                message = await anext(self._events, None)
            if message is None:
                raise ended()
            told = event_of(message)
            if isinstance(told, DoneEvent):
                self._explanation = await self._client._whole(told.record)
                await self.aclose()
                return Done(self._explanation)
            if told is not None and (event := typed(told, _never)) is not None:
                return event
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End it."""
        await self._response.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _never(record: Record) -> Explanation:
    raise AssertionError("`done` is not read here")
