"""Small responses about the server itself: health, a refreshed catalogue, a session."""

from __future__ import annotations

from pydantic import Field

from .wire import WireModel


class RefreshResult(WireModel):
    """The result of a refresh: model cards and weights have been checked again."""


class Health(WireModel):
    status: str


class SessionBody(WireModel):
    name: str = Field(description="whose key it is")
