"""The records of explanations, as a store keeps them: JSON objects outside, `Explanation` inside."""

from __future__ import annotations

import logging

from pydantic import ValidationError

from ..contract.records import Explanation
from .stores import AnyStore

log = logging.getLogger(__name__)


def load_record(store: AnyStore, id: str) -> Explanation | None:
    """The record of an explanation; None where there is none, or where what is kept is no record."""
    body = store.load(id)
    if body is None:
        return None
    try:
        return Explanation.model_validate(body)
    except ValidationError as error:
        fault = error.errors()[0]
        log.warning("a stored record cannot be read: %s: %s", ".".join(map(str, fault["loc"])), fault["msg"])
        return None
