"""The base of everything that crosses the wire or a process border, or is kept in the store."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

JsonObject = dict[str, Any]
"""An object of JSON whose fields somebody else declares: a method's parameters and diagnostics, a metric's figures."""


class WireModel(BaseModel):
    """A value with one JSON form: in answers, in events, in the store, in files.

    The JSON holds the fields that were set, in the order in which they are declared. A field with a default that was
    not set is absent: so a record of an earlier version is written as it was read.
    """

    def to_dict(self) -> JsonObject:
        """The value as JSON has it."""
        return self.model_dump(mode="json", exclude_unset=True)
