"""Small responses about the server itself: health, a refreshed catalogue, a session."""

from __future__ import annotations

from pydantic import Field

from .wire import WireModel


class Refreshed(WireModel):
    """Cards and weights were looked at again."""


class Health(WireModel):
    status: str


class SessionBody(WireModel):
    name: str = Field(description="whose key it is")
