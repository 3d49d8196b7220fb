"""One tree of problems (RFC 9457): everything that can be refused or can fail says what happened and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypedDict

from . import request_id

if TYPE_CHECKING:  # a process that decodes pictures raises problems, and has no room for pydantic
    from .problem_body import ProblemBody
    from .wire import JsonObject


class FieldFault(TypedDict):
    """A field of a request that is at fault, and why; as `Problem.errors` lists it."""

    field: str
    detail: str


class Problem(Exception):
    """A refusal or failure that a client is told about.

    `status` is the HTTP status, `detail` says what happened and what to do, `field` names the offending
    request field, and `errors` lists several fields where more than one is at fault. `request_id` is the id of the
    request at the server that a client has it from. `code` and `values` say the same as `detail` for programs: a page
    in another language has a sentence for the code (static/texts/LANGUAGE/refusals.json).
    """

    status = 400
    title = "Bad request"
    headers: ClassVar[Mapping[str, str]] = {}  # of an answer that tells of it
    request_id: str | None = None
    code = ""

    def __init__(
        self,
        detail: str,
        *,
        field: str | None = None,
        errors: Sequence[FieldFault] = (),
        retry_after: int | None = None,
    ) -> None:
        detail = _writable(detail)
        super().__init__(detail)
        self.detail = detail
        faults = errors or ([FieldFault(field=field, detail=detail)] if field else [])
        self.errors = [
            FieldFault(field=_writable(fault["field"]), detail=_writable(fault["detail"])) for fault in faults
        ]
        self.retry_after = retry_after
        self.values: Mapping[str, str | int] = {}

    def coded(self, code: str, **values: str | int) -> Self:
        """The problem with its code, and the values of its detail."""
        self.code = code
        self.values = {name: _writable(value) if isinstance(value, str) else value for name, value in values.items()}
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self), self.detail, self.errors, self.retry_after, dict(self.__dict__))

    @property
    def type(self) -> str:
        return f"urn:gradoscope:problem:{self.title.lower().replace(' ', '-')}"

    def body(self) -> ProblemBody:
        """The problem as a client gets it; with the id of the request, by which the log can be searched."""
        from .problem_body import FieldError, ProblemBody

        body = ProblemBody(type=self.type, title=self.title, status=self.status, detail=self.detail)
        if self.code:
            body.code, body.values = self.code, dict(self.values)
        if self.errors:
            body.errors = [FieldError(**fault) for fault in self.errors]
        if self.retry_after is not None:
            body.retry_after = self.retry_after
        if id := request_id.current() or self.request_id:
            body.request_id = id
        return body

    def to_dict(self) -> JsonObject:
        """The `application/problem+json` body."""
        return self.body().to_dict()


def _writable(text: str) -> str:
    """A text that every encoding can write: halves of surrogate pairs, which a client may have sent, become `?`."""
    return text.encode("utf-8", "replace").decode()


def _revive(
    kind: type[Problem],
    detail: str,
    errors: list[FieldFault],
    retry_after: int | None,
    attributes: Mapping[str, Any],
) -> Problem:
    """The problem again, with all that was set on it: status and title too, where a server has sent them."""
    problem = kind(detail, errors=errors, retry_after=retry_after)
    problem.__dict__.update(attributes)
    return problem


class MalformedRequest(Problem):
    pass


class Unauthorized(Problem):
    """An API key is asked for, and is missing or unknown."""

    status = 401
    title = "API key needed"
    headers = MappingProxyType({"www-authenticate": 'Bearer realm="gradoscope"'})


class Forbidden(Problem):
    status = 403
    title = "Forbidden"


class NotFound(Problem):
    status = 404
    title = "Not found"


class MethodNotAllowed(Problem):
    status = 405
    title = "Method not allowed"


class TooSlow(Problem):
    """The request did not come in time; the connection is closed."""

    status = 408
    title = "Too slow"
    headers = MappingProxyType({"connection": "close"})


class TooLarge(Problem):
    status = 413
    title = "Too large"


class UnsupportedPicture(Problem):
    status = 415
    title = "Unsupported picture format"


class WrongHost(Problem):
    status = 421
    title = "Host not allowed"


class Unprocessable(Problem):
    """A parameter is unknown or out of its bounds, or a picture cannot be decoded."""

    status = 422
    title = "Unprocessable"


class TooDemanding(Unprocessable):
    """Decoding a picture took more time or memory than is granted, or ended the process that does it."""

    title = "Picture too demanding"


class Refused(Unprocessable):
    """This method cannot explain this model rightly, so it does not: the reason is in `detail`."""

    title = "Method refused"


class BadAnswer(Problem):
    """To a client: what has come is not what a Gradoscope server answers."""

    status = 502
    title = "Bad answer"


class TooManyRequests(Problem):
    status = 429
    title = "Too many requests"


class HeadTooLarge(Problem):
    status = 431
    title = "Head too large"


class ComputationFailed(Problem):
    """The computation broke off or gave values that are not finite; nothing is shown instead of something wrong."""

    status = 503
    title = "Computation failed"


class NotImplementedHere(Problem):
    """A part of HTTP that this server does not have, such as a transfer coding."""

    status = 501
    title = "Not implemented"


class VersionNotSupported(Problem):
    """The connection is closed: what such a client makes of one that stays open is not known."""

    status = 505
    title = "HTTP version not supported"
    headers = MappingProxyType({"connection": "close"})


class Unavailable(Problem):
    status = 503
    title = "Unavailable"


class NotReached(Unavailable):
    """To a client: the server does not answer, or the connection broke off."""

    title = "Server not reached"


class DeadlinePassed(Problem):
    status = 504
    title = "Deadline passed"


class OutOfMemory(Problem):
    status = 507
    title = "Not enough memory"


class NotStored(Problem):
    """What is to be kept cannot be: the store's folder cannot be written, or its disk fails."""

    status = 507
    title = "Cannot be stored"
    default_detail = (
        "Gradoscope cannot write to its store, so nothing can be explained now; predictions need none. The log has the "
        "reason."
    )


class StorageFull(NotStored):
    title = "Storage full"
    default_detail = (
        "The disk of Gradoscope's store is full, so nothing can be explained now; predictions need none. Make room on "
        "it, or lower GRADOSCOPE_STORE_BYTES."
    )


BY_STATUS: dict[int, type[Problem]] = {
    400: MalformedRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    408: TooSlow,
    413: TooLarge,
    422: Unprocessable,
    429: TooManyRequests,
    501: NotImplementedHere,
    503: Unavailable,
    504: DeadlinePassed,
    505: VersionNotSupported,
}


def problem_from_body(body: ProblemBody) -> Problem:
    """The problem that a body tells of, to be raised again."""
    kind = next((k for k in _kinds(Problem) if k.title == body.title), BY_STATUS.get(body.status, Problem))
    errors = [FieldFault(field=error.field, detail=error.detail) for error in body.errors]
    problem = kind(body.detail, errors=errors, retry_after=body.retry_after).coded(body.code, **body.values)
    problem.status, problem.title, problem.request_id = body.status, body.title, body.request_id
    return problem


def _kinds(kind: type[Problem]) -> Iterator[type[Problem]]:
    for below in kind.__subclasses__():
        yield from _kinds(below)
        yield below
