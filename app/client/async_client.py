"""The client of a Gradoscope server for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

import httpx2

from ..contract.catalogue import MethodBody, Methods, MetricBody, Metrics, Models, SampleBody, Samples
from ..contract.estimates import EstimateBody, Estimates
from ..contract.events import DoneEvent
from ..contract.experiments import ExperimentBody, ExperimentResult, Experiments
from ..contract.flows import GradientFlow
from ..contract.jobs import Fit, Quality
from ..contract.predictions import Classes, FoundClass, Prediction, Predictions
from ..contract.problems import NotFound
from ..contract.records import Explanation as Record
from ..contract.version import VERSION
from . import requests as calls
from .arguments import ExplainArguments, FlowArguments, Options
from .client import TIMEOUT
from .events import Done, Event, Listener, client_event
from .experiments import Experiment, ExperimentListener, checked_call, experiment_listener, heard
from .pictures import Picture
from .progress import listener_for
from .requests import ApiCall
from .responses import (
    client_closed,
    connection_as_problem,
    event_of,
    experiment_event_of,
    headers,
    parse_response,
    part_path,
    problem_of,
    retry_pause,
    stream_ended,
)
from .results import Explanation, InMemoryParts, part_names
from .runs import run_bytes

MAX_PARALLEL = 8  # parts of an explanation that are fetched concurrently


class AsyncClient:
    """Like `Client`, with coroutines. An explanation comes with all its arrays and pictures, so nothing blocks later.

    Cancelling the waiting task ends the computation on the server.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8000", key: str | None = None, *, retries: int = 0,
        timeout: float | httpx2.Timeout | None = TIMEOUT, **options: Any,
    ) -> None:  # fmt: skip
        self.url, self.retries = url.rstrip("/"), retries
        default_headers = headers(key, VERSION)
        self._http = httpx2.AsyncClient(base_url=self.url, timeout=timeout, headers=default_headers, **options)
        self._titles: dict[str, str] | None = None

    async def explain(
        self, image: Picture | None = None, *, progress: bool | Listener = False, **arguments: Unpack[ExplainArguments]
    ) -> Explanation:
        """Explain a picture, and wait until all maps are there; see `Client.explain`. Raises `Problem`."""
        if progress is False:
            return await self._explanation_of(parse_response(Record, await self._send(calls.explain(image, arguments))))
        async with await self.explain_stream(image, **arguments) as stream:
            with listener_for(progress) as listener:
                async for event in stream:
                    listener(event)
        return stream.explanation

    async def explain_stream(self, image: Picture | None = None, **arguments: Unpack[ExplainArguments]) -> AsyncStream:
        """Explain a picture: events as they happen. To be used by `async with await …`. Raises `Problem`."""
        return AsyncStream(self, await self._send(calls.explain(image, arguments, calls.EVENTS), stream=True))

    async def predict(
        self, image: Picture | None = None, *, sample: str | None = None, model: str | Sequence[str] | None = None,
        top_k: int = 5, fit: Fit | None = None, size: int | tuple[int, int] | None = None,
    ) -> list[Prediction]:  # fmt: skip
        """The likeliest classes of a picture, for each model."""
        response = await self._send(calls.predict(image, sample, model, top_k, fit, size))
        return parse_response(Predictions, response).predictions

    async def gradient_flow(self, image: Picture | None = None, **arguments: Unpack[FlowArguments]) -> GradientFlow:
        """The gradient's norm at every layer between score and picture, and where it vanishes.

        Other arguments: `sample`, `model`, `target`, `against`, `score`, `fit`, `size`, see `arguments.FlowArguments`.
        Raises `Problem`.
        """
        return parse_response(GradientFlow, await self._send(calls.gradient_flow(image, arguments)))

    async def estimate(
        self, model: str | None = None, methods: str | Sequence[str] | None = None, options: Options | None = None,
        size: int | tuple[int, int] | None = None, metrics: str | Sequence[str] | None = None,
        quality: Quality | None = None,
    ) -> list[EstimateBody]:  # fmt: skip
        """Gradient evaluations and seconds of each method, and of metrics of its map, before anything is computed."""
        response = await self._send(calls.estimate(model, methods, options, size, metrics, quality))
        return parse_response(Estimates, response).estimates

    async def models(self) -> Models:
        """The models with the state of their weights, the default model, and cards that cannot be used."""
        return parse_response(Models, await self._send(calls.get("/models")))

    async def methods(self) -> list[MethodBody]:
        """The methods in historical order, each with the JSON Schema of its parameters."""
        return parse_response(Methods, await self._send(calls.get("/methods"))).methods

    async def metrics(self) -> list[MetricBody]:
        """Metrics of maps, each with the JSON Schema of its parameters."""
        return parse_response(Metrics, await self._send(calls.get("/metrics"))).metrics

    async def measure(
        self, explanation: str | Explanation, panel: str, metrics: str | Sequence[str] = "all", *,
        options: Options | None = None,
    ) -> Explanation:  # fmt: skip
        """Measure how far a panel's map can be trusted; `metrics` are ids, or "all". Returns the explanation with the
        results.

        Raises `Problem`.
        """
        call = calls.measure(explanation if isinstance(explanation, str) else explanation.id, panel, metrics, options)
        return await self._explanation_of(parse_response(Record, await self._send(call)))

    async def add_map(
        self, explanation: str | Explanation, values: Any, title: str, *, beside: str | None = None
    ) -> Explanation:
        """Put a map that was made elsewhere beside those of an explanation: `values`, (H, W) or (C, H, W), of the size
        that the model saw. It gets model and class of the panel `beside`, by its id; the first one if none is named.

        Returns the explanation with the map, which is the last one. Raises `Problem`.
        """
        call = calls.add_map(explanation if isinstance(explanation, str) else explanation.id, values, title, beside)
        return await self._explanation_of(parse_response(Record, await self._send(call)))

    async def experiments(self) -> list[ExperimentBody]:
        """The experiments of the lab, each with its question and the JSON Schema of its parameters."""
        return parse_response(Experiments, await self._send(calls.get("/experiments"))).experiments

    async def experiment(
        self, id: str, parameters: Mapping[str, Any] | None = None, *, seed: int = 0,
        progress: bool | ExperimentListener = False, **named: Any,
    ) -> Experiment:  # fmt: skip
        """Run an experiment of the lab; see `Client.experiment`. Raises `Problem`."""
        given, number = checked_call(parameters, named, seed)
        if progress is False:
            return Experiment(parse_response(ExperimentResult, await self._send(calls.experiment(id, given, number))))
        with experiment_listener(progress) as listener:
            response = await self._send(calls.experiment(id, given, number, calls.EVENTS), stream=True)
            async with aclosing(response):
                with connection_as_problem(self.url):
                    async for message in httpx2.EventSource(response):
                        event = experiment_event_of(message)
                        if event is not None and (found := heard(event, listener)) is not None:
                            return found
        raise stream_ended()

    async def read_run(self, file: str | Path | bytes) -> Experiment:
        """What the file of a run says; see `Client.read_run`. Raises `Problem`, `OSError`."""
        data = await asyncio.to_thread(run_bytes, file)
        return Experiment(parse_response(ExperimentResult, await self._send(calls.read_run(data))))

    async def samples(self) -> list[SampleBody]:
        """Pictures that ship with the server."""
        return parse_response(Samples, await self._send(calls.get("/samples"))).samples

    async def classes(self, model: str, query: str = "", limit: int = 20) -> list[FoundClass]:
        """Classes of a model whose label matches, best match first."""
        return parse_response(Classes, await self._send(calls.classes(model, query, limit))).classes

    async def get(self, id: str) -> Explanation:
        """An earlier explanation by its id. Raises `NotFound` if it is gone."""
        return await self._explanation_of(parse_response(Record, await self._send(calls.explanation(id))))

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
        """Send a call and return the response. Raises `Problem`."""
        if self._http.is_closed:
            raise client_closed(self.url)
        for left in range(self.retries, -1, -1):
            with connection_as_problem(self.url):
                async with AsyncExitStack() as on_error:
                    request = self._http.build_request(call.method, call.path, **call.arguments)
                    response = await self._http.send(request, stream=stream)
                    on_error.push_async_callback(response.aclose)
                    if response.is_success:
                        on_error.pop_all()
                        return response
                    await response.aread()
            seconds = retry_pause(response, left)
            if seconds is None:
                break
            await asyncio.sleep(seconds)
        raise problem_of(response) or stream_ended()

    async def _explanation_of(self, record: Record) -> Explanation:
        """An explanation with all its parts."""
        semaphore = asyncio.Semaphore(MAX_PARALLEL)

        async def fetch(name: str) -> tuple[str, bytes | None]:
            async with semaphore:
                try:
                    return name, (await self._send(calls.part(record.id, part_path(name)))).content
                except NotFound:  # deleted meanwhile
                    return name, None

        if self._titles is None:
            self._titles = {method.id: method.title for method in await self.methods()}
        fetched = await asyncio.gather(*map(fetch, part_names(record)))
        return Explanation(
            record, InMemoryParts({n: data for n, data in fetched if data is not None}, self._titles, self.url)
        )


class AsyncStream(AsyncIterator[Event]):
    """The events of a running explanation. Closing the stream ends the computation on the server."""

    def __init__(self, client: AsyncClient, response: httpx2.Response) -> None:
        self._explanation: Explanation | None = None
        self._client, self._response = client, response
        self._events = aiter(httpx2.EventSource(response))

    @property
    def explanation(self) -> Explanation:
        """The explanation; available after the event `Done`."""
        if self._explanation is None:
            raise stream_ended()
        return self._explanation

    async def __anext__(self) -> Event:
        """The next event. Raises `Problem` if the computation or the connection fails."""
        while not self._response.is_closed:
            with connection_as_problem(self._client.url):
                message = await anext(self._events, None)
            if message is None:
                raise stream_ended()
            server_event = event_of(message)
            if isinstance(server_event, DoneEvent):
                self._explanation = await self._client._explanation_of(server_event.record)
                await self.aclose()
                return Done(self._explanation)
            if server_event is not None and (event := client_event(server_event, _never_called)) is not None:
                return event
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the stream."""
        await self._response.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _never_called(record: Record) -> Explanation:
    raise AssertionError("`done` is not read here")
