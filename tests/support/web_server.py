"""The application behind its real HTTP server, in this process, with an executor that computes nothing."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from gradoscope.contract.catalogue import Catalogue
from gradoscope.contract.estimates import Estimates
from gradoscope.contract.events import Event, ResultEvent
from gradoscope.contract.jobs import Estimate, Explain, Job, Labels, Predict, RunExperiment
from gradoscope.contract.predictions import LabelList, Predictions
from gradoscope.contract.problems import Unavailable
from gradoscope.contract.server import RefreshResult
from gradoscope.contract.wire import WireModel
from gradoscope.service.telemetry import Telemetry
from gradoscope.settings import Settings
from gradoscope.web.application import create_app
from gradoscope.web.server import Server, uvicorn_config

from tests.support.contract import accepted, catalogue, done, experiment_done


class Idle:
    """An executor that answers everything at once, or when `gate` is opened; remembers what it was asked, and how many
    jobs have ended: answered, or left by the client."""

    unready: str | None = None
    has_catalogue = True  # if False, `catalogue` fails, as before a worker is ready

    def __init__(self, settings: Settings) -> None:
        self.telemetry = Telemetry()
        self.asked: list[tuple[Job, str]] = []
        self.ended = 0
        self.gate = threading.Event()
        self.gate.set()

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def catalogue(self) -> Catalogue:
        if not self.has_catalogue:
            raise Unavailable("Nothing is known yet.")
        return catalogue()

    def drain(self) -> None: ...

    def forget(self, explanation: str) -> None: ...

    async def submit(self, job: Job, client: str = "") -> AsyncGenerator[Event, None]:
        self.asked.append((job, client))
        try:
            if isinstance(job, Explain):
                yield accepted(id=job.id)
            if isinstance(job, RunExperiment):
                yield experiment_done().accepted(seconds=0.1)
            while not self.gate.is_set():
                await asyncio.sleep(0.01)
            if isinstance(job, RunExperiment):
                yield experiment_done()
            else:
                yield done(job.id) if isinstance(job, Explain) else ResultEvent(result=nothing(job))
        finally:
            self.ended += 1


def nothing(job: Job) -> WireModel:
    """An empty answer to a small job."""
    if isinstance(job, Predict):
        return Predictions(predictions=[])
    if isinstance(job, Labels):
        return LabelList(labels=[])
    return Estimates(model="none", estimates=[]) if isinstance(job, Estimate) else RefreshResult()


class RunningServer:
    """The running server: its address, executor and application, and clients for it."""

    def __init__(self, port: int, executor: Idle, server: Server, app: FastAPI) -> None:
        self.port, self.executor, self.server, self.app = port, executor, server, app
        self.url = f"http://127.0.0.1:{port}"

    def client(self, address: str = "127.0.0.1", **options: Any) -> httpx.Client:
        """A client of its own; with another loopback address to come from, where the system has that."""
        transport = httpx.HTTPTransport(local_address=address)
        return httpx.Client(base_url=self.url, transport=transport, timeout=30, **options)

    def alive(self) -> bool:
        with self.client() as client:
            return client.get("/healthz").status_code == 200

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def raw(self, data: bytes) -> Answer:
        """Send bytes as they are, and read until the server closes."""
        with self.connect() as connection:
            connection.sendall(data)
            return read(connection)


class Answer:
    """A raw answer: the first one of what came."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        head, _, rest = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        found = re.match(r"HTTP/1\.1 (\d{3})", lines[0])
        self.status = int(found[1]) if found else None
        self.headers = httpx.Headers([tuple(line.split(": ", 1)) for line in lines[1:] if ": " in line])
        self.content = rest[: int(self.headers.get("content-length", len(rest)))]

    def json(self) -> Any:
        return json.loads(self.content)


def read(connection: socket.socket) -> Answer:
    """Everything until the server closes."""
    pieces = []
    try:
        while piece := connection.recv(65536):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return Answer(b"".join(pieces))


def read_one(connection: socket.socket) -> Answer:
    """One answer by its Content-Length; the connection stays open."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(1)
    length = int(Answer(data).headers["content-length"])
    while length > 0:
        piece = connection.recv(length)
        assert piece, data
        data, length = data + piece, length - len(piece)
    return Answer(data)


@contextmanager
def serving(store: Path, **settings: Any) -> Iterator[RunningServer]:
    """A server on a free port, in a thread, until the block ends."""
    made = Settings(store=store, **settings)
    executors: list[Idle] = []

    def executor(settings: Settings) -> Idle:
        executors.append(Idle(settings))
        return executors[0]

    app = create_app(made, executor)
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(uvicorn_config(app, made), app, "here")
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            threading.Event().wait(0.01)
        yield RunningServer(listener.getsockname()[1], executors[0], server, app)
    finally:
        server.should_exit = True
        executors[0].gate.set()
        thread.join(30)
        listener.close()
