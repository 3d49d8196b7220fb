"""Where the time of a request of six maps goes, and what REST costs beside the engine. `make bench-request`

Three sides in turns (A B C A B C …), each with the same fresh picture, Lite0 and 153 gradients:

- engine: the six methods one after the other on engines of the loaded model, from the picture's tensor to arrays;
- pipeline: the same as a job in this process, from the bytes of the picture, with store and events, without a wire;
- REST: the same over HTTP, from a server of its own on loopback, all events read.

Then further jobs are run while a thread looks a thousand times a second where the pipeline is: that gives the share of
each part. It costs a little itself, so those jobs are not among the three sides.

Prints a table and the ratio REST / engine; with --write it goes to docs/speed.md. The exit status is 1 where the ratio
is above 1.05.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from types import FrameType

from gradoscope.service.threads import share_cores

share_cores()  # before PyTorch is imported, as the worker does

import gradoscope  # noqa: E402
import torch  # noqa: E402
from gradoscope.attribution.memory import keep_freed_memory  # noqa: E402
from gradoscope.contract.jobs import Explain  # noqa: E402
from gradoscope.pipeline import pipeline  # noqa: E402
from gradoscope.pipeline.context import Context  # noqa: E402
from gradoscope.pipeline.model_input import InputImage, ModelInput, make_model_input  # noqa: E402
from gradoscope.pipeline.panel import compute, micro_batch, shared_passes  # noqa: E402
from gradoscope.pipeline.plan import check_panels, plan, set_targets  # noqa: E402
from gradoscope.settings import Settings  # noqa: E402

from tests.support.server import Server  # noqa: E402
from tests.support.streams import stream  # noqa: E402

from .latency import fresh  # noqa: E402
from .maps.own_methods import METHODS  # noqa: E402
from .maps.report import write  # noqa: E402

GOAL = 1.05
APP = str(Path(gradoscope.__file__).resolve().parent)
INTERVAL = 0.001  # seconds between two looks
# part of the request → files of app/ (or a function in one) on the stack; the first that is on it counts
PARTS = {
    "store": ("storage/",),
    "decoding the picture": ("images/decode", "images/decoder"),
    "what the model is shown, and predictions": ("images/preprocess", "pipeline/model_input"),
    "blurred pictures": ("attribution/methods/blur.py",),
    "partial maps": ("pipeline/panel.py:_partial",),
    "maps and records as bytes": ("contract/",),
    "passes": (
        "attribution/backends/",
        "attribution/gradients",
        "attribution/shared_forward",
        "attribution/classifier",
    ),
    "points, sums and noise of the methods": ("attribution/",),
}
REST_OF_PIPELINE = "the rest of the pipeline"


def drain(run: Iterator[object]) -> object:
    """Run a generator to its end; its result."""
    while True:
        try:
            next(run)
        except StopIteration as end:
            return end.value


class Sides:
    """One process's context and one server, with the same model."""

    def __init__(self, folder: Path) -> None:
        self.context = Context.open(Settings(store=folder / "own"))
        self.model = self.context.settings.default_model
        self.server = Server(folder / "served")
        self._ids = (f"{number:032x}" for number in itertools.count(1))

    def job(self, picture: bytes) -> Explain:
        return Explain(next(self._ids), picture, methods=METHODS)

    def engine(self, picture: bytes) -> float:
        """Seconds of the six methods alone; what the model is shown is made before."""
        context, job = self.context, self.job(picture)
        panels = plan(job, context.zoo, context.settings)
        image = drain(InputImage.open(job.picture, context, job.owner))
        assert isinstance(image, InputImage)
        shown = drain(make_model_input(context, image, self.model, job))
        assert isinstance(shown, ModelInput)
        loaded = shown.load(context.zoo)
        check_panels(panels, job, loaded)
        set_targets(panels, {self.model: shown.top_class})
        began = time.perf_counter()
        shared = shared_passes(panels, {self.model: shown}, context.zoo)
        for panel in panels:
            assert panel.target is not None
            score = loaded.score(panel.target, job.score, panel.against)
            own = loaded.engine(score, micro_batch(context.settings, loaded.size))
            passes = shared.get(panel.id)
            drain(compute(panel, passes.engine(score) if passes else own, shown.x, job.seed))
            if passes:
                passes.release()
        return time.perf_counter() - began

    def pipeline(self, picture: bytes) -> float:
        began = time.perf_counter()
        drain(pipeline.run(self.job(picture), self.context))
        return time.perf_counter() - began

    def rest(self, picture: bytes) -> float:
        began = time.perf_counter()
        with stream(self.server.http, {"image": ("picture.png", picture)}, method=list(METHODS)) as events:
            names = [name for name, _ in events]
        assert names[-1] == "done", names[-1]
        return time.perf_counter() - began

    def warm(self, seconds: float) -> None:
        """Both sides settle on their backends, as a worker does while it is idle."""
        self.context.zoo.load(self.model)
        ends = time.monotonic() + seconds
        while self.context.zoo.advance_backends() and time.monotonic() < ends:
            pass  # the server's worker does the same meanwhile
        time.sleep(max(0, ends - time.monotonic()))
        for side in (self.engine, self.pipeline, self.rest):
            side(fresh_bytes())


def fresh_bytes() -> bytes:
    return fresh()["image"][1]


@contextmanager
def looked_at(seen: Counter[str]) -> Iterator[None]:
    """A context in which a thread counts, each millisecond, in what part this one is."""
    ident, over = threading.get_ident(), threading.Event()

    def look() -> None:
        while not over.wait(INTERVAL):
            if frame := sys._current_frames().get(ident):
                seen[part_of(frame)] += 1

    usual = sys.getswitchinterval()
    sys.setswitchinterval(INTERVAL / 2)
    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        sys.setswitchinterval(usual)


def part_of(frame: FrameType | None) -> str:
    places = []
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(APP):
            places.append(f"{file[len(APP) + 1 :]}:{frame.f_code.co_name}")
        frame = frame.f_back
    for part, prefixes in PARTS.items():
        if any(place.startswith(prefix) for place in places for prefix in prefixes):
            return part
    return REST_OF_PIPELINE


def table(seconds: dict[str, list[float]], seen: Counter[str]) -> list[str]:
    middle = {side: 1000 * median(values) for side, values in seconds.items()}
    spread = {side: f"{1000 * min(values):.0f}–{1000 * max(values):.0f}" for side, values in seconds.items()}
    names = {"engine": "engine alone", "pipeline": "pipeline in one process", "rest": "over REST"}
    lines = ["| six maps, 153 gradients | ms, median (least–most) |", "| --- | ---: |"]
    lines += [f"| {names[side]} | {middle[side]:.0f} ({spread[side]}) |" for side in seconds]
    of_rounds = [f"{rest / engine:.3f}" for rest, engine in zip(seconds["rest"], seconds["engine"], strict=True)]
    ratio = f"{middle['rest'] / middle['engine']:.3f}, of each round {', '.join(of_rounds)}."
    lines += ["", f"REST / engine: {ratio}", ""]
    lines += ["| part of the pipeline | ms | share |", "| --- | ---: | ---: |"]
    total = sum(seen.values())
    for part in (*PARTS, REST_OF_PIPELINE):
        share = seen[part] / total
        lines.append(f"| {part} | {share * middle['pipeline']:.1f} | {share:.1%} |")
    lines.append(f"| web process, pipe and HTTP (REST − pipeline) | {middle['rest'] - middle['pipeline']:.1f} | |")
    return lines


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--looks", type=int, default=4, help="jobs that are looked at")
    options.add_argument("--settle", type=float, default=20, help="seconds until both sides have found their backends")
    options.add_argument("--write", action="store_true", help="into docs/speed.md")
    arguments = options.parse_args()
    keep_freed_memory()
    torch.backends.cudnn.allow_tf32 = False
    seconds: dict[str, list[float]] = {"engine": [], "pipeline": [], "rest": []}
    seen: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        sides = Sides(Path(folder))
        try:
            sides.warm(arguments.settle)
            for _ in range(arguments.rounds):
                picture = fresh_bytes()
                for side, values in seconds.items():
                    values.append(getattr(sides, side)(picture))
            for _ in range(arguments.looks):
                picture = fresh_bytes()
                with looked_at(seen):
                    sides.pipeline(picture)
        finally:
            sides.server.stop()
    lines = table(seconds, seen)
    print("\n".join(lines))
    if arguments.write:
        write("request", "\n".join(lines))
    return 0 if median(seconds["rest"]) <= GOAL * median(seconds["engine"]) else 1


if __name__ == "__main__":
    sys.exit(main())
