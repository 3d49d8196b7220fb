"""What is to be known of a result or a model, in plain words."""

from __future__ import annotations

from pydantic import Field

from .wire import JsonObject, WireModel


class Note(WireModel):
    code: str = Field(description="which note it is; the page has its words in each language by this")
    detail: str = Field(description="the note in English")
    values: JsonObject = Field(description="what the sentence names: numbers, parts of the network")
