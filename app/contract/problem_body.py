"""A problem as it is sent: the body of `application/problem+json`."""

from __future__ import annotations

from operator import not_

from pydantic import Field

from .wire import WireModel


class FieldError(WireModel):
    field: str
    detail: str


class ProblemBody(WireModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field("", exclude_if=not_, description="what `detail` says, for programs; absent where there is none")
    values: dict[str, str | int] = Field({}, exclude_if=not_, description="the values in `detail`, by their names")
    errors: list[FieldError] = Field([])
    retry_after: int | None = None
    request_id: str | None = None
