"""A server's answers: what was asked for, or the problem that says why not."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from ..contract.events import Event, parse_event
from ..contract.problems import BY_STATUS, BadAnswer, NotReached, Problem, ProblemBody, problem_from_body

M = TypeVar("M", bound=BaseModel)
AGAIN = (429, 503)  # statuses after which the same request may succeed
SHOWN = 200  # characters of what a stranger answers


def problem_of(response: httpx2.Response) -> Problem | None:
    """The problem that an answer tells of; None where it tells of none. It must have been read where there is one."""
    if response.is_success:
        return None
    try:
        return problem_from_body(ProblemBody.model_validate_json(response.content))
    except ValidationError:
        return _strange(response)


def _strange(response: httpx2.Response) -> Problem:
    """Of an answer that is no problem's: by a proxy before the server, or by another server."""
    kind = BY_STATUS.get(response.status_code, BadAnswer)
    problem = kind(
        f"{response.url.host} answers {response.status_code} {response.reason_phrase}, without a word of Gradoscope's: "
        f"{response.text[:SHOWN].strip() or 'nothing'}",
        retry_after=wait_of(response),
    )
    problem.status = response.status_code
    return problem


def wait_of(response: httpx2.Response) -> int | None:
    """Seconds after which the server wants to be asked again; None where it does not say."""
    said = response.headers.get("retry-after", "")
    if said.isdecimal():
        return int(said)
    try:  # a proxy may name a time instead (RFC 9110, 10.2.3)
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(0, math.ceil(until.timestamp() - time.time()))


def pause(response: httpx2.Response, left: int) -> int | None:
    """Seconds to wait before a request is made again, of which `left` may be; None where it is not to be."""
    return wait_of(response) if left > 0 and response.status_code in AGAIN else None


def parsed(kind: type[M], response: httpx2.Response) -> M:
    """An answer as it should be. Raises `BadAnswer`."""
    try:
        return kind.model_validate_json(response.content)
    except ValidationError as error:
        raise bad(response, error) from error


def bad(response: httpx2.Response, error: ValidationError) -> BadAnswer:
    """What is raised of an answer of another shape."""
    fault = error.errors()[0]
    place = ".".join(map(str, fault["loc"])) or "the whole"
    return BadAnswer(
        f"{response.url.path} answers with something else than a Gradoscope server of this version does "
        f"({place}: {fault['msg']}). Is it one?"
    )


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Within: a connection that fails is a problem."""
    try:
        yield
    except httpx2.TimeoutException as error:
        raise NotReached(
            f"{url} did not answer in time ({type(error).__name__}). Give the client a longer timeout."
        ) from error
    except httpx2.TransportError as error:
        reason = str(error).strip() or type(error).__name__
        raise NotReached(f"{url} cannot be reached ({reason}). Does «gradoscope serve» run there?") from error


def event_of(message: httpx2.ServerSentEvent) -> Event | None:
    """An event of a stream; None for a kind that is not known here. Raises `ValidationError`."""
    return parse_event(message.event, message.json())


def ended() -> NotReached:
    """What is raised of a stream that ends in the middle."""
    return NotReached("The stream ended before the explanation was done. Ask again: what was done is kept.")


def closed(url: str) -> NotReached:
    """What is raised of a client that was closed: arrays are fetched when they are first asked for."""
    return NotReached(f"The client of {url} is closed. Ask for `values` before that, or get the explanation anew.")


def place(part: str) -> str:
    """Where a part of an explanation is, below its address."""
    kind, _, id = part.partition(":")
    if kind == "map":
        panel, metric, name = id.split(":", 2)
        return f"panels/{panel}/metrics/{metric}/{name}.npy"
    return {"image": "image.png", "input": f"inputs/{id}.png", "panel": f"panels/{id}.npy"}[kind]


def headers(key: str | None, version: str) -> dict[str, str]:
    """What goes along with every request."""
    own = {"user-agent": f"gradoscope/{version}"}
    return own if key is None else own | {"authorization": f"Bearer {key}"}
