"""What a reader of a map should know, in plain words."""

from __future__ import annotations

from pydantic import Field

from .wire import JsonObject, WireModel


class NoteBody(WireModel):
    """A sentence about a map, or about a network, that a reader should know."""

    code: str
    detail: str = Field(description="the sentence, in English")
    values: JsonObject = Field(
        {},
        description="the numbers and names in the sentence; absent where there are none",
        exclude_if=lambda values: not values,
    )
