"""Reads event streams in tests."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np


@contextmanager
def stream(http: httpx.Client, files: Any = None, **fields: Any) -> Iterator[Iterator[tuple[str, Any]]]:
    """The events of a streamed explanation as (name, data); leaving the block closes the connection."""
    headers = {"accept": "text/event-stream"}
    with http.stream("POST", "/api/v1/explanations", files=files, data=fields, headers=headers) as response:
        assert response.status_code == 200, response.read()
        yield read_events(response)


def read_events(response: httpx.Response) -> Iterator[tuple[str, Any]]:
    """The events of an answer, as (name, data)."""
    name, data = "", ""
    for line in response.iter_lines():
        if line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            data = line[5:].strip()
        elif not line and data:
            yield name, json.loads(data)
            data = ""


def decode(encoded: dict[str, Any]) -> np.ndarray:
    values = np.frombuffer(base64.b64decode(encoded["data"]), encoded["dtype"]).reshape(encoded["shape"])
    return values.astype(np.float64) * encoded["scale"]
