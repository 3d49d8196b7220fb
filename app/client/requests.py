"""The HTTP requests of the synchronous client and of the asyncio client."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict
from urllib.parse import quote

import numpy as np

from ..contract.arrays import npy
from ..contract.jobs import Fit
from ..contract.parsing import SURROGATE
from ..contract.uploaded_map import checked_title, uploaded_values
from ..contract.wire import JsonObject
from . import checks
from .arguments import (
    Arguments,
    ExplainArguments,
    FlowArguments,
    Options,
    as_tuple,
    checked_flow,
    picture_bytes,
    quality_of,
    size_text,
)
from .pictures import Picture
from .results import Explanation

BASE = "/api/v1"
JSON = "application/json"
EVENTS = "text/event-stream"


Field = str | int | Sequence[str]
Fields = dict[str, Field]


class RequestArguments(TypedDict, total=False):
    """Arguments of httpx's `build_request`."""

    headers: dict[str, str]
    data: Fields
    files: dict[str, tuple[str, bytes]]
    params: Fields
    content: bytes


@dataclass(frozen=True)
class ApiCall:
    """A request, which may be sent several times."""

    method: str
    path: str
    data: Fields = field(default_factory=dict)
    picture: bytes | None = None
    map: bytes | None = None
    run: bytes | None = None
    params: Fields = field(default_factory=dict)
    accept: str = JSON
    json: bytes | None = None

    def __post_init__(self) -> None:
        """Raises `Unprocessable` for text that cannot be sent."""
        for name, value in (*self.data.items(), *self.params.items()):
            for text in (value,) if isinstance(value, (str, int)) else value:
                if SURROGATE.search(str(text)):
                    raise checks.invalid_argument(name, text, "holds half of a surrogate pair, which is no text")

    @property
    def arguments(self) -> RequestArguments:
        """The keyword arguments for httpx's `build_request`."""
        given: RequestArguments = {"headers": {"accept": self.accept}}
        if self.data:
            given["data"] = self.data
        if self.picture is not None:
            given["files"] = {"image": ("image", self.picture)}
        if self.map is not None:
            given["files"] = {"map": ("map.npy", self.map)}
        if self.run is not None:
            given["files"] = {"run": ("run.jsonl", self.run)}
        if self.params:
            given["params"] = self.params
        if self.json is not None:
            given["content"] = self.json
            given["headers"]["content-type"] = JSON
        return given


def get(path: str, **params: Any) -> ApiCall:
    return ApiCall("GET", BASE + path, params=params)


def explain(image: Picture | None, arguments: ExplainArguments, accept: str = JSON) -> ApiCall:
    """POST /explanations."""
    call = Arguments.checked(arguments)
    picture = picture_bytes(image, call.sample)
    return ApiCall("POST", f"{BASE}/explanations", call.form(), picture, accept=accept)


def predict(image: Picture | None, sample: str | None, models: Any, top_k: int, fit: Fit | None, size: Any) -> ApiCall:
    """POST /predictions."""
    picture = picture_bytes(image, sample)
    sides = size_text(checks.size(size))
    given = {"sample": sample, "model": as_tuple(models), "top_k": str(top_k), "fit": fit, "size": sides}
    return ApiCall("POST", f"{BASE}/predictions", _without_none(given), picture)


def gradient_flow(image: Picture | None, arguments: FlowArguments) -> ApiCall:
    """POST /gradient-flows."""
    picture = picture_bytes(image, arguments.get("sample"))
    call = checked_flow(arguments)
    given = {name: None if value is None else str(value) for name, value in call.items() if name != "size"}
    return ApiCall(
        "POST", f"{BASE}/gradient-flows", _without_none({**given, "size": size_text(call.get("size"))}), picture
    )


def estimate(
    model: str | None, methods: Any, options: Options | None, size: Any, metrics: Any, quality: Any = None
) -> ApiCall:
    """POST /estimates."""
    options_text = json.dumps(checks.options(options))
    given = {"model": model, "method": checks.ids("methods", methods), "options": options_text}
    given |= {"size": size_text(checks.size(size)), "metrics": checks.ids("metrics", metrics)}
    given["quality"] = quality_of(quality)
    return ApiCall("POST", f"{BASE}/estimates", _without_none(given))


def experiment(id: str, parameters: JsonObject, seed: int, accept: str = JSON) -> ApiCall:
    """POST /experiments/{id}."""
    body = json.dumps({"parameters": parameters, "seed": seed}).encode()
    return ApiCall("POST", f"{BASE}/experiments/{_segment(id)}", accept=accept, json=body)


def read_run(data: bytes) -> ApiCall:
    """POST /runs."""
    return ApiCall("POST", f"{BASE}/runs", run=data)


def measure(id: str, panel: str, metrics: Any, options: Options | None) -> ApiCall:
    """POST /explanations/{id}/panels/{panel}/metrics."""
    path = f"{BASE}/explanations/{_segment(id)}/panels/{_segment(panel)}/metrics"
    given = {"metrics": checks.ids("metrics", metrics), "options": json.dumps(checks.options(options))}
    return ApiCall("POST", path, _without_none(given))


def add_map(id: str, values: Any, title: str, beside: str | None) -> ApiCall:
    """POST /explanations/{id}/maps; `values` is an array, or a tensor, (H, W) or (C, H, W). Raises `Unprocessable`."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    array = np.asarray(values)
    if array.dtype.hasobject:
        raise checks.invalid_argument("values", values, "is no array of numbers")
    checked = uploaded_values(npy(array))
    given = {"title": checked_title(title), "panel": beside}
    return ApiCall("POST", f"{BASE}/explanations/{_segment(id)}/maps", _without_none(given), map=npy(checked))


def classes(model: str, query: str, limit: int) -> ApiCall:
    return get(f"/models/{_segment(model)}/classes", query=query, limit=limit)


def explanation(id: str) -> ApiCall:
    return get(f"/explanations/{_segment(id)}")


def part(id: str, path: str) -> ApiCall:
    """A part of an explanation, by its path below the explanation's URL."""
    return ApiCall("GET", f"{BASE}/explanations/{_segment(id)}/{quote(path)}", accept="*/*")


def forget(which: str | Explanation) -> ApiCall:
    return ApiCall("DELETE", f"{BASE}/explanations/{_segment(which if isinstance(which, str) else which.id)}")


def _segment(text: str) -> str:
    return quote(text, safe=":")


def _without_none(given: Mapping[str, Field | None]) -> Fields:
    return {name: value for name, value in given.items() if value is not None and value != ()}
