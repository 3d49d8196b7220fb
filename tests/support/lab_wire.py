"""What the server answers for an experiment, made up: figures of every kind, findings, a stream of events."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Request, Route

from tests.support.browser import events

RUNS = "**/api/v1/experiments/*"
STEPS = list(range(1, 21))


def series(id: str, values: list[float | None], **more: Any) -> dict[str, Any]:
    return {"id": id, "title": id, "x": list(range(1, len(values) + 1)), "y": values, "low": [], "high": [], **more}


def axis(id: str, scale: str = "linear") -> dict[str, Any]:
    return {"id": id, "title": id, "scale": scale}


def lines(high: float = 1.0) -> dict[str, Any]:
    falling: list[float | None] = [high * 0.5**step for step in STEPS]
    band = {"low": [0.5 * high * 0.5**step for step in STEPS], "high": [2 * high * 0.5**step for step in STEPS]}
    rest = [series("theory", falling, style="dashed"), series("holes", [None, 0, *falling[2:]], style="points")]
    return {"x": axis("step"), "y": axis("size", "log"), "series": [series("falling", falling, **band), *rest]}


GRID: dict[str, Any] = {"columns": [0.0, 1.0, 2.0], "rows": [0.0, 1.0], "values": [[1.0, None, 3.0], [-4.0, 5.0, 6.0]]}
SURFACE = [[float((x - 2) ** 2 + (y - 2) ** 2) for x in range(5)] for y in range(5)]
KINDS: dict[str, dict[str, Any]] = {
    "lines": lines(),
    "bars": {
        "labels": ["one", "two"],
        "y": axis("share"),
        "series": [series("sum", [0.25, -0.75], x=[0, 1]), series("mean", [0.5, 0.5], x=[0, 1])],
    },
    "histogram": {"x": axis("weight"), "edges": [0, 1, 2, 4], "series": [series("count", [3, 5, 2], x=[])]},
    "matrix": {"values": [[1, -2.5], [None, 4]], "rows": ["a", "b"], "columns": ["c", "d"], "parameter": None},
    "heatmap": {"x": axis("k"), "y": axis("t"), **GRID, "scale": "linear", "signed": True},
    "contour": {
        "x": axis("x"),
        "y": axis("y"),
        "columns": [0, 1, 2, 3, 4],
        "rows": [0, 1, 2, 3, 4],
        "values": SURFACE,
        "scale": "linear",
        "paths": [series("sgd", [4.0, 3.0, 2.0], x=[0, 1, 2])],
        "start": None,
    },
    "graph": {
        "nodes": [
            {"id": "a", "title": "a", "value": 3, "gradient": 7, "inputs": [], "shares": []},
            {"id": "m", "title": "×", "value": 9, "gradient": 1, "inputs": ["a", "a"], "shares": [3, 3]},
            {"id": "s", "title": "+", "value": 12, "gradient": 1, "inputs": ["m", "a"], "shares": [1, 1]},
        ]
    },
    "grids": {
        "groups": [
            {
                "id": "forward",
                "title": "Forward",
                "grids": [
                    {
                        "id": "left",
                        "title": "Left",
                        "values": [[1, 2], [3, 4]],
                        "parameter": None,
                        "border": 1,
                        "outside": "0",
                        "sums": False,
                    }
                ],
            },
            {
                "id": "backward",
                "title": "Backward",
                "grids": [
                    {
                        "id": "total",
                        "title": "Total",
                        "values": [[1, 5], [0, -2]],
                        "parameter": None,
                        "border": 0,
                        "outside": "",
                        "sums": True,
                    }
                ],
            },
        ],
        "steps": [
            {"id": "start", "text": "Nothing yet.", "numbers": {}, "cells": []},
            {
                "id": "one",
                "text": "The first row.",
                "numbers": {},
                "cells": [
                    {"grid": "left", "rows": [-1, 0], "columns": [0, 1], "added": []},
                    {"grid": "total", "rows": [0], "columns": [0, 1], "added": [[1, 2]]},
                ],
            },
            {
                "id": "two",
                "text": "The second column.",
                "numbers": {},
                "cells": [
                    {"grid": "left", "rows": [1], "columns": [1], "added": []},
                    {"grid": "total", "rows": [0, 1], "columns": [1], "added": [[3], [-2]]},
                ],
            },
        ],
    },
    "table": {"columns": ["name", "value"], "rows": [["x", -4.0], ["y", None]]},
}


def figure(kind: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"id": f"my_{kind}", "kind": kind, "title": f"A figure of {kind}", "data": data or KINDS[kind]}


FINDINGS = [
    {"id": "first", "verdict": "holds", "text": "It is 1.", "numbers": {}},
    {"id": "second", "verdict": "fails", "text": "It is not 2.", "numbers": {}},
    {"id": "third", "verdict": "depends", "text": "It depends on 3.", "numbers": {}},
]


def asked(request: Request) -> dict[str, Any]:
    """The JSON that a run was asked with."""
    found: dict[str, Any] = json.loads(request.post_data or "")
    return found


def result(request: Request, kinds: tuple[str, ...] = ("lines",), **more: Any) -> dict[str, Any]:
    body = asked(request)
    return {
        "id": request.url.rsplit("/", 1)[1],
        "parameters": body["parameters"],
        "seed": body["seed"],
        "seconds": 0.012,
        "numbers": {"gap": 0.5, "list": [1, 2]},
        "figures": [figure(kind) for kind in kinds],
        "findings": FINDINGS,
        "versions": {},
        **more,
    }


def answer(route: Route, kinds: tuple[str, ...] = ("lines",), **more: Any) -> None:
    """Answers at once."""
    accepted = {"id": "x", "parameters": {}, "seed": 0, "seconds": 0.1}
    text = events(("accepted", accepted), ("done", result(route.request, kinds, **more)))
    route.fulfill(body=text, content_type="text/event-stream")
