"""The client of a Gradoscope server."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

import httpx2

from ..contract.catalogue import MethodBody, Methods, MetricBody, Metrics, Models, SampleBody, Samples
from ..contract.estimates import EstimateBody, Estimates
from ..contract.experiments import ExperimentBody, ExperimentResult, Experiments
from ..contract.flows import GradientFlow
from ..contract.jobs import Fit, Quality
from ..contract.predictions import Classes, FoundClass, Prediction, Predictions
from ..contract.problems import NotFound
from ..contract.records import Explanation as Record
from ..contract.version import VERSION
from . import requests as calls
from .arguments import ExplainArguments, FlowArguments, Options
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
from .results import Explanation
from .runs import run_bytes

TIMEOUT = httpx2.Timeout(660, connect=10)  # a server's default deadline is 600 s


class Client:
    """A client of a Gradoscope server; also a context manager that closes its connections.

    Error responses are raised as `gradoscope.Problem`. Up to `retries` times a request that is answered 429 or 503 is
    sent again after the time that the server names. `options` go to httpx's client: `transport`, `verify`, …
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8000", key: str | None = None, *, retries: int = 0,
        timeout: float | httpx2.Timeout | None = TIMEOUT, **options: Any,
    ) -> None:  # fmt: skip
        self.url, self.retries = url.rstrip("/"), retries
        self._http = httpx2.Client(base_url=self.url, timeout=timeout, headers=headers(key, VERSION), **options)
        self._titles: dict[str, str] | None = None

    def explain(
        self, image: Picture | None = None, *, progress: bool | Listener = False, **arguments: Unpack[ExplainArguments]
    ) -> Explanation:
        """Explain a picture, and wait until all maps are there: one for each model × target × method.

        Other arguments: `sample` instead of `image`, `model`, `methods`, `target`, `against`, `score`, `options`,
        `seed`, `fit`, `size`, `metrics`, see `arguments.SharedArguments`. `progress=True` shows progress bars; a
        function is called with each event. Raises `Problem`.
        """
        if progress is False:
            return self._explanation_of(parse_response(Record, self._send(calls.explain(image, arguments))))
        with self.explain_stream(image, **arguments) as stream, listener_for(progress) as listener:
            for event in stream:
                listener(event)
        return stream.explanation

    def explain_stream(self, image: Picture | None = None, **arguments: Unpack[ExplainArguments]) -> Stream:
        """Explain a picture: events as they happen, with progress and preliminary maps. For use in a `with` statement.

        Closing the stream, or leaving the block, ends the computation on the server. Raises `Problem`.
        """
        return Stream(self, self._send(calls.explain(image, arguments, calls.EVENTS), stream=True))

    def predict(
        self, image: Picture | None = None, *, sample: str | None = None, model: str | Sequence[str] | None = None,
        top_k: int = 5, fit: Fit | None = None, size: int | tuple[int, int] | None = None,
    ) -> list[Prediction]:  # fmt: skip
        """The likeliest classes of a picture, for each model."""
        response = self._send(calls.predict(image, sample, model, top_k, fit, size))
        return parse_response(Predictions, response).predictions

    def gradient_flow(self, image: Picture | None = None, **arguments: Unpack[FlowArguments]) -> GradientFlow:
        """The gradient's norm at every layer between score and picture, and where it vanishes.

        Other arguments: `sample`, `model`, `target`, `against`, `score`, `fit`, `size`, see `arguments.FlowArguments`.
        Raises `Problem`.
        """
        return parse_response(GradientFlow, self._send(calls.gradient_flow(image, arguments)))

    def estimate(
        self, model: str | None = None, methods: str | Sequence[str] | None = None, options: Options | None = None,
        size: int | tuple[int, int] | None = None, metrics: str | Sequence[str] | None = None,
        quality: Quality | None = None,
    ) -> list[EstimateBody]:  # fmt: skip
        """Gradient evaluations and seconds of each method, and of metrics of its map, before anything is computed."""
        return parse_response(
            Estimates, self._send(calls.estimate(model, methods, options, size, metrics, quality))
        ).estimates

    def models(self) -> Models:
        """The models with the state of their weights, the default model, and cards that cannot be used."""
        return parse_response(Models, self._send(calls.get("/models")))

    def methods(self) -> list[MethodBody]:
        """The methods in historical order, each with the JSON Schema of its parameters."""
        return parse_response(Methods, self._send(calls.get("/methods"))).methods

    def metrics(self) -> list[MetricBody]:
        """Metrics of maps, each with the JSON Schema of its parameters."""
        return parse_response(Metrics, self._send(calls.get("/metrics"))).metrics

    def measure(
        self, explanation: str | Explanation, panel: str, metrics: str | Sequence[str] = "all", *,
        options: Options | None = None,
    ) -> Explanation:  # fmt: skip
        """Measure how far a panel's map can be trusted; `metrics` are ids, or "all". Returns the explanation with the
        results.

        Raises `Problem`.
        """
        call = calls.measure(explanation if isinstance(explanation, str) else explanation.id, panel, metrics, options)
        return self._explanation_of(parse_response(Record, self._send(call)))

    def add_map(
        self, explanation: str | Explanation, values: Any, title: str, *, beside: str | None = None
    ) -> Explanation:
        """Put a map that was made elsewhere beside those of an explanation: `values`, (H, W) or (C, H, W), of the size
        that the model saw. It gets model and class of the panel `beside`, by its id; the first one if none is named.

        Returns the explanation with the map, which is the last one. Raises `Problem`.
        """
        call = calls.add_map(explanation if isinstance(explanation, str) else explanation.id, values, title, beside)
        return self._explanation_of(parse_response(Record, self._send(call)))

    def experiments(self) -> list[ExperimentBody]:
        """The experiments of the lab, each with its question and the JSON Schema of its parameters."""
        return parse_response(Experiments, self._send(calls.get("/experiments"))).experiments

    def experiment(
        self, id: str, parameters: Mapping[str, Any] | None = None, *, seed: int = 0,
        progress: bool | ExperimentListener = False, **named: Any,
    ) -> Experiment:  # fmt: skip
        """Run an experiment of the lab: `client.experiment("through_time", length=50)`.

        Parameters are arguments, or stand in the mapping `parameters`. `progress=True` shows a bar; a function is
        called with each event: `accepted`, `progress`, `partial` with the figures so far, `done`. Raises `Problem`.
        """
        given, number = checked_call(parameters, named, seed)
        if progress is False:
            return Experiment(parse_response(ExperimentResult, self._send(calls.experiment(id, given, number))))
        with experiment_listener(progress) as listener:
            response = self._send(calls.experiment(id, given, number, calls.EVENTS), stream=True)
            with closing(response), connection_as_problem(self.url):
                for message in httpx2.EventSource(response):
                    event = experiment_event_of(message)
                    if event is not None and (found := heard(event, listener)) is not None:
                        return found
        raise stream_ended()

    def read_run(self, file: str | Path | bytes) -> Experiment:
        """What the file of a run says that `gradoscope.watch` recorded: figures, numbers and findings, as those of an
        experiment. Raises `Problem`, and `OSError` where the file cannot be read."""
        return Experiment(parse_response(ExperimentResult, self._send(calls.read_run(run_bytes(file)))))

    def samples(self) -> list[SampleBody]:
        """Pictures that ship with the server."""
        return parse_response(Samples, self._send(calls.get("/samples"))).samples

    def classes(self, model: str, query: str = "", limit: int = 20) -> list[FoundClass]:
        """Classes of a model whose label matches, best match first."""
        return parse_response(Classes, self._send(calls.classes(model, query, limit))).classes

    def get(self, id: str) -> Explanation:
        """An earlier explanation by its id. Raises `NotFound` if it is gone."""
        return self._explanation_of(parse_response(Record, self._send(calls.explanation(id))))

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
        """Send a call and return the response. Raises `Problem`."""
        if self._http.is_closed:
            raise client_closed(self.url)
        for left in range(self.retries, -1, -1):
            with connection_as_problem(self.url), ExitStack() as on_error:
                request = self._http.build_request(call.method, call.path, **call.arguments)
                response = self._http.send(request, stream=stream)
                on_error.callback(response.close)
                if response.is_success:
                    on_error.pop_all()
                    return response
                response.read()
            seconds = retry_pause(response, left)
            if seconds is None:
                break
            time.sleep(seconds)
        raise problem_of(response) or stream_ended()

    def _explanation_of(self, record: Record) -> Explanation:
        return Explanation(record, RemoteParts(self, record.id))

    def titles(self) -> Mapping[str, str]:
        """The methods' titles by id; requested once."""
        if self._titles is None:
            self._titles = {method.id: method.title for method in self.methods()}
        return self._titles


class RemoteParts:
    """The parts of an explanation on a server, fetched when they are read."""

    def __init__(self, client: Client, id: str) -> None:
        self._client, self._id = client, id
        self.url: str | None = client.url

    def read(self, name: str) -> bytes | None:
        try:
            return self._client._send(calls.part(self._id, part_path(name))).content
        except NotFound:
            return None

    def titles(self) -> Mapping[str, str]:
        return self._client.titles()


class Stream(Iterator[Event]):
    """The events of a running explanation. Closing the stream ends the computation on the server."""

    def __init__(self, client: Client, response: httpx2.Response) -> None:
        self._explanation: Explanation | None = None
        self._client, self._events = client, iter(httpx2.EventSource(response))
        self.close = weakref.finalize(self, response.close)

    @property
    def explanation(self) -> Explanation:
        """The explanation; available after the event `Done`."""
        if self._explanation is None:
            raise stream_ended()
        return self._explanation

    def __next__(self) -> Event:
        """The next event. Raises `Problem` if the computation or the connection fails."""
        while self._explanation is None and self.close.alive:
            with connection_as_problem(self._client.url):
                message = next(self._events, None)
            if message is None:
                raise stream_ended()
            parsed = event_of(message)
            event = None if parsed is None else client_event(parsed, self._client._explanation_of)
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
