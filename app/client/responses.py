"""Parses a server's responses, and turns errors into `Problem`s."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from ..contract.events import Event, parse_event
from ..contract.experiment_events import parse_experiment_event
from ..contract.problem_body import ProblemBody
from ..contract.problems import BY_STATUS, BadAnswer, NotReached, Problem, Unprocessable, problem_from_body

M = TypeVar("M", bound=BaseModel)
RETRYABLE = (429, 503)  # statuses after which a retry may succeed
KEY = re.compile("[!-~]+")
MAX_QUOTED = 200  # characters of a response that is not Gradoscope's in an error message


def problem_of(response: httpx2.Response) -> Problem | None:
    """The problem in a response; None for a success. For an error, the response's body must have been read before."""
    if response.is_success:
        return None
    try:
        return problem_from_body(ProblemBody.model_validate_json(response.content))
    except ValidationError:
        return _foreign_problem(response)


def _foreign_problem(response: httpx2.Response) -> Problem:
    """The problem for an error response that is not Gradoscope's, for example a proxy's."""
    kind = BY_STATUS.get(response.status_code, BadAnswer)
    problem = kind(
        f"{response.url.host} answers {response.status_code} {response.reason_phrase}, without a word of Gradoscope's: "
        f"{response.text[:MAX_QUOTED].strip() or 'nothing'}",
        retry_after=retry_after(response),
    )
    problem.status = response.status_code
    return problem


def retry_after(response: httpx2.Response) -> int | None:
    """The seconds in a response's Retry-After; None if it has none."""
    retry_after_text = response.headers.get("retry-after", "")
    if retry_after_text.isdecimal():
        return int(retry_after_text)
    try:  # a proxy may send a date instead of seconds (RFC 9110, 10.2.3)
        until = parsedate_to_datetime(retry_after_text)
    except ValueError:
        return None
    return max(0, math.ceil(until.timestamp() - time.time()))


def retry_pause(response: httpx2.Response, left: int) -> int | None:
    """Seconds to wait before a retry; None for no retry. `left` is how many retries remain.

    A response without Retry-After is not retried.
    """
    return retry_after(response) if left > 0 and response.status_code in RETRYABLE else None


def parse_response(kind: type[M], response: httpx2.Response) -> M:
    """Parse and check a response's body. Raises `BadAnswer`."""
    try:
        return kind.model_validate_json(response.content)
    except ValidationError as error:
        raise bad_answer(response, error) from error


def bad_answer(response: httpx2.Response, error: ValidationError) -> BadAnswer:
    """The problem for a response with an unexpected body."""
    fault = error.errors()[0]
    location = ".".join(map(str, fault["loc"])) or "the whole"
    return BadAnswer(
        f"{response.url.path} answers with something else than a Gradoscope server of this version does "
        f"({location}: {fault['msg']}). Is it one?"
    )


@contextmanager
def connection_as_problem(url: str) -> Iterator[None]:
    """A context that turns connection errors into problems."""
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
    """An event of a stream; None for a kind that this client does not know. Raises `ValidationError`."""
    return parse_event(message.event, message.json())


def experiment_event_of(message: httpx2.ServerSentEvent) -> Event | None:
    """An event of an experiment's stream; None for a kind that this client does not know. Raises
    `ValidationError`."""
    return parse_experiment_event(message.event, message.json())


def stream_ended() -> NotReached:
    """The problem for a stream that ended too early."""
    return NotReached("The stream ended before the explanation was done. Ask again: what was done is kept.")


def client_closed(url: str) -> NotReached:
    """The problem for a request by a closed client: an explanation's arrays are fetched when first read."""
    return NotReached(f"The client of {url} is closed. Ask for `values` before that, or get the explanation anew.")


def part_path(part: str) -> str:
    """The path of a part of an explanation, below the explanation's URL.

    `part` is `image`, `input:MODEL`, `panel:PANEL`, or `map:PANEL:METRIC:NAME`, each with ids.
    """
    kind, _, id = part.partition(":")
    if kind == "map":
        panel, metric, name = id.split(":", 2)
        return f"panels/{panel}/metrics/{metric}/{name}.npy"
    return {"image": "image.png", "input": f"inputs/{id}.png", "panel": f"panels/{id}.npy"}[kind]


def headers(key: str | None, version: str) -> dict[str, str]:
    """The headers of every request. Raises `Unprocessable` for a key that no header can hold."""
    common = {"user-agent": f"gradoscope/{version}"}
    if key is None or not key.strip():
        return common
    if not KEY.fullmatch(key.strip()):  # a line of a file ends with a line break
        raise Unprocessable("key: an API key is of printable ASCII characters without spaces.", field="key")
    return common | {"authorization": f"Bearer {key.strip()}"}
