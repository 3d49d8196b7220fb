"""How long until something is seen? Cold starts, fresh pictures, answers from the store. `make bench-latency`

Asserts nothing, prints a table: milliseconds in the client, on loopback, median, 95th percentile, least and most.
Every fresh picture has pixels of its own, so that no answer comes from the store.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from PIL import Image

from tests.support.paths import sample
from tests.support.server import Server
from tests.support.streams import stream

from .server_start import started

CHEAP = ("vanilla_gradient", "guided_backprop", "grad_cam")
PAUSE = 0.1  # seconds from one request to the next: what was cancelled has ended by then
# as few samples and steps as possible: what is measured is the time to answer, not to compute
OPTIONS = json.dumps(
    {
        "smooth_grad": {"samples": 1},
        "integrated_gradients": {"steps": 1},
        "blur_integrated_gradients": {"steps": 1},
    }
)
Figures = dict[str, list[float]]


def fresh(name: str = "cat.jpg", scale: int = 1, kind: str = "PNG") -> dict[str, tuple[str, bytes]]:
    """A sample for upload, with 4×4 random pixels in its middle."""
    picture = Image.open(io.BytesIO(sample(name))).convert("RGB")
    picture = picture.resize((picture.width * scale, picture.height * scale))
    middle = (picture.width // 2, picture.height // 2)
    picture.paste(tuple(os.urandom(3)), (*middle, middle[0] + 4 * scale, middle[1] + 4 * scale))
    out = io.BytesIO()
    picture.save(out, kind)
    return {"image": (name, out.getvalue())}


@contextmanager
def clocked(figures: Figures, name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    figures[name].append(time.perf_counter() - began)


def cold_start(figures: Figures, folder: Path) -> None:
    """From the start of the process to the page, and to the six maps of a picture that is sent at once."""
    files = fresh()
    folder.mkdir()
    with started(folder / "store", folder / "log", answers="/", poll=0.01) as (http, began):
        figures["cold: / answers"].append(time.perf_counter() - began)
        with stream(http, files) as events:
            for name, data in events:
                if name == "prediction" or (name == "panel" and data["panel"]["method"] in CHEAP) or name == "done":
                    title = {"panel": "three cheap maps", "done": "six maps"}.get(name, name)
                    figures[f"cold: {title}"].append(time.perf_counter() - began)
    cheap = figures["cold: three cheap maps"]
    cheap[-3:] = [max(cheap[-3:])]


def first_sight(figures: Figures, http: httpx.Client) -> None:
    """A fresh picture and all six methods: until its classes, its first map, the cheap three, the first partial."""
    files = fresh()
    began = time.perf_counter()
    cheap = 0
    seen: set[str] = set()
    with stream(http, files) as events:
        for name, _data in events:
            marks = {"accepted": "accepted", "prediction": "predictions", "partial": "first partial map"}
            if name == "panel":
                cheap += 1
                marks["panel"] = {1: "first map", 3: "three cheap maps"}.get(cheap, "")
            label = marks.get(name, "")
            if label and label not in seen:
                seen.add(label)
                figures[f"fresh: {label}"].append(time.perf_counter() - began)
            if {"first partial map", "three cheap maps"} <= seen:
                break
    time.sleep(PAUSE)


def predicting(figures: Figures, http: httpx.Client) -> None:
    for label, files in (("451×300", fresh()), ("12 MP JPEG", fresh(scale=9, kind="JPEG"))):
        with clocked(figures, f"POST /predictions, {label}"):
            assert http.post("/api/v1/predictions", files=files).status_code == 200
    files = fresh(scale=9, kind="JPEG")
    began = time.perf_counter()
    with stream(http, files, method="grad_cam") as events:
        for name, _data in events:
            if name in ("prediction", "panel"):
                figures[f"fresh, 12 MP JPEG: {name}"].append(time.perf_counter() - began)


def known(figures: Figures, http: httpx.Client, number: int) -> None:
    """Of a picture that was explained before: the same again, another class, another model."""
    files = fresh()
    first = http.post("/api/v1/explanations", files=files, data={"options": OPTIONS}).json()
    time.sleep(PAUSE)
    for label, fields in {
        "the same six by from=": {"files": None, "data": {"from": first["id"], "options": OPTIONS}},
        "the same six, sent again": {"files": files, "data": {"options": OPTIONS}},
    }.items():
        with clocked(figures, f"stored: {label}"):
            answer = http.post("/api/v1/explanations", **fields).json()
        assert all(panel["from_store"] for panel in answer["panels"])
    panel = first["panels"][0]
    with clocked(figures, "stored: one panel by from="):
        http.post("/api/v1/explanations", data={"from": first["id"], "method": panel["method"]})
    with clocked(figures, "stored: its .npy as float16"):
        http.get(panel["urls"]["npy"], params={"dtype": "float16"})
    for label, fields in {
        "Grad-CAM of another class": {"method": "grad_cam", "target": number},
        "predictions again": None,
    }.items():
        with clocked(figures, f"known picture: {label}"):
            if fields:
                http.post("/api/v1/explanations", data={"from": first["id"], **fields})
            else:
                http.post("/api/v1/predictions", data={"from": first["id"]})


def show(figures: Figures) -> None:
    print(f"{'milliseconds':46}{'median':>8}{'p95':>8}{'least':>8}{'most':>8}{'n':>5}")
    for name, seconds in figures.items():
        values = sorted(1000 * value for value in seconds)
        middle = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
        high = values[min(len(values) - 1, round(0.95 * len(values)))]
        print(f"{name:46}{middle:8.0f}{high:8.0f}{values[0]:8.0f}{values[-1]:8.0f}{len(values):5}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--starts", type=int, default=3)
    arguments = parser.parse_args()
    figures: Figures = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.starts):
            cold_start(figures, Path(folder) / f"cold{number}")
        server = Server(Path(folder) / "store")
        try:
            warming: Figures = defaultdict(list)
            for number in range(arguments.requests + 2):
                taken = figures if number >= 2 else warming
                first_sight(taken, server.http)
                predicting(taken, server.http)
                known(taken, server.http, number)
        finally:
            server.stop()
    show(figures)


if __name__ == "__main__":
    main()
