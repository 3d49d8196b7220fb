"""The client of a Gradoscope server."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, Unpack

import httpx2

from ..contract.catalogue import MethodBody, Methods, MetricBody, Metrics, Models, SampleBody, Samples
from ..contract.estimates import EstimateBody, Estimates
from ..contract.flows import GradientFlow
from ..contract.jobs import Fit
from ..contract.predictions import ClassBody, Classes, Prediction, Predictions
from ..contract.problems import NotFound
from ..contract.records import Explanation as Record
from ..contract.version import VERSION
from . import requests as calls
from .arguments import ExplainArguments, FlowArguments, Options
from .events import Done, Event, Listener, typed
from .pictures import Picture
from .progress import listening
from .requests import ApiCall
from .responses import closed, ended, event_of, headers, parsed, pause, place, problem_of, reaching
from .results import Explanation

TIMEOUT = httpx2.Timeout(660, connect=10)  # a server's own deadline is 600 s where its operator has set no other


class Client:
    """A Gradoscope server, asked from Python; also a context manager that closes its connections.

    Refusals are raised as `gradoscope.Problem`. Where `retries` are allowed, a request that is answered 429 or 503 is
    made again after the seconds that the server names. `options` go to httpx's client: `transport`, `verify`, …
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8000", key: str | None = None, *, retries: int = 0,
        timeout: float | httpx2.Timeout | None = TIMEOUT, **options: Any,
    ) -> None:  # fmt: skip
        self.url, self.retries = url.rstrip("/"), retries
        self._http = httpx2.Client(base_url=self.url, timeout=timeout, headers=headers(key, VERSION), **options)
        self._titles: dict[str, str] | None = None

    def explain(
        self, image: Picture | None = None, *, progress: bool | Listener = False, **asked: Unpack[ExplainArguments]
    ) -> Explanation:
        """Explain a picture, and wait until all maps are there: one for each model × target × method.

        Also `sample`, instead of `image`; `model`, `methods`, `target`, `against`, `score`, `options`, `seed`, `fit`,
        `size`, `metrics`, as `question.Asked` says. `progress=True` shows bars meanwhile, a function is called with
        each event. Raises `Problem`.
        """
        if progress is False:
            return self._whole(parsed(Record, self._send(calls.explain(image, asked))))
        with self.explain_stream(image, **asked) as stream, listening(progress) as listener:
            for event in stream:
                listener(event)
        return stream.explanation

    def explain_stream(self, image: Picture | None = None, **asked: Unpack[ExplainArguments]) -> Stream:
        """Explain a picture: events as they happen, with progress and maps that sharpen. To be used by `with`.

        Closing the stream, or leaving its block, ends the computation on the server. Raises `Problem`.
        """
        return Stream(self, self._send(calls.explain(image, asked, calls.EVENTS), stream=True))

    def predict(
        self, image: Picture | None = None, *, sample: str | None = None, model: str | Sequence[str] | None = None,
        top_k: int = 5, fit: Fit | None = None, size: int | tuple[int, int] | None = None,
    ) -> list[Prediction]:  # fmt: skip
        """The likeliest classes of a picture, for each model."""
        response = self._send(calls.predict(image, sample, model, top_k, fit, size))
        return parsed(Predictions, response).predictions

    def gradient_flow(self, image: Picture | None = None, **asked: Unpack[FlowArguments]) -> GradientFlow:
        """The gradient's norm at every layer between a picture and its score, and what is in its way. Also `sample`,
        `model`, `target`, `against`, `score`, `fit`, `size`, as `question.FlowAsked` says. Raises `Problem`."""
        return parsed(GradientFlow, self._send(calls.gradient_flow(image, asked)))

    def estimate(
        self, model: str | None = None, methods: str | Sequence[str] | None = None, options: Options | None = None,
        size: int | tuple[int, int] | None = None, metrics: str | Sequence[str] | None = None,
    ) -> list[EstimateBody]:  # fmt: skip
        """Gradient evaluations and seconds of each method, and of metrics of its map, before anything is computed."""
        return parsed(Estimates, self._send(calls.estimate(model, methods, options, size, metrics))).estimates

    def models(self) -> Models:
        """The models, with where their weights are; which is the default; cards that cannot be used."""
        return parsed(Models, self._send(calls.get("/models")))

    def methods(self) -> list[MethodBody]:
        """The methods in historical order, each with the JSON Schema of its parameters."""
        return parsed(Methods, self._send(calls.get("/methods"))).methods

    def metrics(self) -> list[MetricBody]:
        """What can be measured of a map, each with the JSON Schema of its parameters."""
        return parsed(Metrics, self._send(calls.get("/metrics"))).metrics

    def measure(
        self, explanation: str | Explanation, panel: str, metrics: str | Sequence[str] = "all", *,
        options: Options | None = None,
    ) -> Explanation:  # fmt: skip
        """Measure how far a panel's map can be trusted, by metrics' ids or "all"; the explanation, with what was found.

        Raises `Problem`.
        """
        call = calls.measure(explanation if isinstance(explanation, str) else explanation.id, panel, metrics, options)
        return self._whole(parsed(Record, self._send(call)))

    def samples(self) -> list[SampleBody]:
        """Pictures that ship with the server."""
        return parsed(Samples, self._send(calls.get("/samples"))).samples

    def classes(self, model: str, query: str = "", limit: int = 20) -> list[ClassBody]:
        """Classes of a model whose label matches, best match first."""
        return parsed(Classes, self._send(calls.classes(model, query, limit))).classes

    def get(self, id: str) -> Explanation:
        """An explanation that was made before, by its id. Raises `NotFound` where it is gone."""
        return self._whole(parsed(Record, self._send(calls.explanation(id))))

    def forget(self, explanation: str | Explanation) -> None:
        """Remove an explanation from the server, its picture included."""
        self._send(calls.forget(explanation))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, call: ApiCall, stream: bool = False) -> httpx2.Response:
        """The answer to a call. Raises `Problem`."""
        if self._http.is_closed:
            raise closed(self.url)
        for left in range(self.retries, -1, -1):
            with reaching(self.url), ExitStack() as unless_right:
                request = self._http.build_request(call.method, call.path, **call.arguments)
                response = self._http.send(request, stream=stream)
                unless_right.callback(response.close)
                if response.is_success:
                    unless_right.pop_all()
                    return response
                response.read()
            seconds = pause(response, left)
            if seconds is None:
                break
            time.sleep(seconds)
        raise problem_of(response) or ended()

    def _whole(self, record: Record) -> Explanation:
        return Explanation(record, RemoteParts(self, record.id))

    def titles(self) -> Mapping[str, str]:
        """The methods' titles by id; asked for once."""
        if self._titles is None:
            self._titles = {method.id: method.title for method in self.methods()}
        return self._titles


class RemoteParts:
    """The parts of an explanation at a server, fetched when they are wanted."""

    def __init__(self, client: Client, id: str) -> None:
        self._client, self._id = client, id
        self.url: str | None = client.url

    def read(self, name: str) -> bytes | None:
        try:
            return self._client._send(calls.part(self._id, place(name))).content
        except NotFound:
            return None

    def titles(self) -> Mapping[str, str]:
        return self._client.titles()


class Stream(Iterator[Event]):
    """The events of an explanation that is being made; closing it ends the computation on the server."""

    def __init__(self, client: Client, response: httpx2.Response) -> None:
        self._explanation: Explanation | None = None
        self._client, self._events = client, iter(httpx2.EventSource(response))
        self.close = weakref.finalize(self, response.close)

    @property
    def explanation(self) -> Explanation:
        """What has come of it; once `Done` has come."""
        if self._explanation is None:
            raise ended()
        return self._explanation

    def __next__(self) -> Event:
        """The next event. Raises `Problem` where the computation has failed, or the connection."""
        while self._explanation is None and self.close.alive:
            with reaching(self._client.url):
                message = next(self._events, None)
            if message is None:
                raise ended()
            told = event_of(message)
            event = None if told is None else typed(told, self._client._whole)
            if isinstance(event, Done):
                self._explanation = event.explanation
                self.close()
            if event is not None:
                return event
        raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
