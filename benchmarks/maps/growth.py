"""How time and memory grow: over steps, pictures and image size. `make bench-growth`"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from gradoscope.attribution.memory import release_freed_memory
from gradoscope.images.decode import decode
from gradoscope.images.preprocess import preprocess, requested_input
from gradoscope.images.samples import read_sample, samples
from gradoscope.zoo.zoo import Zoo

from . import memory, plot, report
from .measure import Times, print_progress, time_call
from .own_methods import PATH_METHODS, engine_of, ours
from .run import RESULTS, machine
from .subjects import REAL, Subject, load

STEPS = (25, 50, 100, 200, 400, 700, 1000)
PICTURES = (1, 2, 4, 8, 12, 16)
SIZES = (128, 192, 256, 320, 384, 448, 512)
FEW = 12  # steps where something else grows
PARTS = ("steps", "pictures", "size")


@dataclass
class Series:
    """Seconds over x, a list of rounds for each point; and the memory that a run took beyond what was there, MiB."""

    part: str
    name: str
    x: list[float]
    seconds: list[list[float]]
    more: list[float]

    @property
    def medians(self) -> list[float]:
        return [Times(tuple(found)).median for found in self.seconds]


@dataclass(frozen=True)
class Fit:
    """The least-squares line, its R², and the largest distance of a point from it as a share of the point."""

    slope: float
    intercept: float
    r2: float
    worst: float


def fit(x: list[float], y: list[float]) -> Fit:
    slope, intercept = np.polyfit(x, y, 1).tolist()
    values = np.array(y)
    away = values - (slope * np.array(x) + intercept)
    spread = float(((values - values.mean()) ** 2).sum())
    r2 = 1 - float((away**2).sum()) / spread if spread else 1.0
    return Fit(slope, intercept, r2, float(np.max(np.abs(away) / np.maximum(values, 1e-9))))


def grow(subject: Subject, parts: tuple[str, ...], rounds: int, engine_kind: str = "pytorch") -> list[Series]:
    found = []
    for part in parts:
        for name, points in RUNS[part](subject, engine_kind):
            xs, calls = [x for x, _ in points], [call for _, call in points]
            print_progress(f"  {part}: {name}")
            calls[0]()
            seconds: list[list[float]] = [[] for _ in calls]
            more = [0.0] * len(calls)
            for _ in range(rounds):
                for number, call in enumerate(calls):
                    release_freed_memory()  # else a run finds the pages of the one before
                    base = memory.reset(subject.device)
                    seconds[number].append(time_call(call, subject.device))
                    more[number] = max(more[number], memory.high_water(subject.device) - base)
            found.append(Series(part, name, xs, seconds, more))
    return found


Points = list[tuple[float, Callable[[], Any]]]


def over_steps(subject: Subject, engine_kind: str) -> Iterator[tuple[str, Points]]:
    for method in PATH_METHODS:
        run = ours(subject, method, engine_kind)
        yield report.title(method), [(steps, lambda run=run, steps=steps: run(steps)) for steps in STEPS]


def over_pictures(subject: Subject, engine_kind: str) -> Iterator[tuple[str, Points]]:
    """Integrated gradients of the samples, one after the other."""
    spec = Zoo(subject.settings).spec(subject.name)
    seen = [preprocess(decode(read_sample(name), subject.settings.max_pixels), spec.input) for name in samples()]
    xs = [torch.from_numpy(s.pixels).to(subject.device) for s in seen]
    runs = [ours(dataclasses.replace(subject, x=x), PATH_METHODS[0], engine_kind) for x in xs]

    def all_of(count: int) -> None:
        for number in range(count):
            runs[number % len(runs)](FEW)

    yield f"{report.title(PATH_METHODS[0])}, {FEW} steps", [(n, lambda n=n: all_of(n)) for n in PICTURES]


def over_size(subject: Subject, engine_kind: str) -> Iterator[tuple[str, Points]]:
    """Integrated gradients of the picture at other input sizes, in the pipeline's way; x in megapixels."""
    zoo = Zoo(subject.settings)
    spec = zoo.spec(subject.name)
    points: Points = []
    for side in SIZES:
        own = requested_input(spec.input, None, (side, side))
        pixels = preprocess(decode(read_sample("cat"), subject.settings.max_pixels), own).pixels
        view = dataclasses.replace(
            subject,
            classifier=zoo.load(subject.name, (side, side)).classifier,
            x=torch.from_numpy(pixels).to(subject.device),
        )
        run = ours(view, PATH_METHODS[0], engine_kind)
        run(2 * engine_of(view, engine_kind).micro_batch)
        points.append((side * side / 1e6, lambda run=run: run(FEW)))
    yield f"{report.title(PATH_METHODS[0])}, {FEW} steps", points


RUNS: dict[str, Callable[[Subject, str], Iterator[tuple[str, Points]]]] = {
    "steps": over_steps,
    "pictures": over_pictures,
    "size": over_size,
}
ACROSS = {"steps": "steps", "pictures": "pictures", "size": "megapixels of input"}


def main(model: str, parts: tuple[str, ...], rounds: int, engine_kind: str, write: bool) -> None:
    """Measure the parts, keep them beside those of before, print the tables and write the page's part."""
    subject = load(model)
    found = grow(subject, parts, rounds, engine_kind)
    path = RESULTS / "growth" / f"{model}.json"
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {"series": []}
    others = [Series(**entry) for entry in kept["series"] if entry["part"] not in parts]
    series = sorted([*others, *found], key=lambda s: PARTS.index(s.part))
    about = {"model": model, "engine": engine_kind, "rounds": rounds, "machine": machine(subject.device)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**about, "series": [asdict(s) for s in series]}, indent=1), "utf-8")
    text = page_part(about, series)
    print(text)
    if write:
        report.DOCS.joinpath("speed-growth.svg").write_text(drawing(model, series), "utf-8")
        report.write("growth", text)


def table(series: list[Series]) -> str:
    lines = [
        "| over | what | from | to | line | R² | farthest point |",
        "| --- | --- | ---: | ---: | --- | ---: | ---: |",
    ]
    for s in series:
        line = fit(s.x, s.medians)
        lines.append(
            f"| {ACROSS[s.part]} | {s.name} | {s.x[0]:g}: {s.medians[0]:.2f} s | {s.x[-1]:g}: {s.medians[-1]:.2f} s "
            f"| {line.intercept * 1e3:.0f} ms + {line.slope * 1e3:.1f} ms each | {line.r2:.4f} | {line.worst:.0%} |"
        )
    return "\n".join(lines)


def memory_table(series: list[Series]) -> str:
    steps = [s for s in series if s.part == "steps"]
    if not steps:
        return ""
    lines = [
        "Memory at the peak beyond what was there before, MiB:",
        "",
        "| | " + " | ".join(f"{x:g} steps" for x in steps[0].x) + " |",
        "| --- |" + " ---: |" * len(steps[0].x),
    ]
    return "\n".join([*lines, *(f"| {s.name} | " + " | ".join(f"{m:.0f}" for m in s.more) + " |" for s in steps)])


def page_part(about: dict[str, Any], series: list[Series]) -> str:
    machine_ = about["machine"]
    return "\n\n".join(
        [
            "## How it grows",
            f"{about['model']}, engine {about['engine']}, {machine_['date']}, {machine_['processor']}, "
            f"{machine_['threads']} threads, PyTorch {machine_['versions']['torch']}; medians of {about['rounds']} "
            "rounds, and the line of least squares through them.",
            table(series),
            memory_table(series),
            "![Time and memory over steps, pictures and size](speed-growth.svg)",
        ]
    )


def drawing(model: str, series: list[Series]) -> str:
    panels = []
    for part in PARTS:
        mine = [s for s in series if s.part == part]
        if mine:
            lines = {s.name: fit(s.x, s.medians) for s in mine}
            panels.append(
                plot.Panel(
                    f"Time over {ACROSS[part]}",
                    ACROSS[part],
                    "seconds",
                    {s.name: list(zip(s.x, s.medians, strict=True)) for s in mine},
                    {name: (line.slope, line.intercept) for name, line in lines.items()},
                )
            )
    steps = [s for s in series if s.part == "steps"]
    if steps:
        flat = {s.name: fit(s.x, s.more) for s in steps}
        panels.append(
            plot.Panel(
                "Memory over steps",
                "steps",
                "MiB",
                {s.name: list(zip(s.x, s.more, strict=True)) for s in steps},
                {name: (line.slope, line.intercept) for name, line in flat.items()},
            )
        )
    return plot.lines(f"{model}: growth", panels)


__all__ = ["PARTS", "REAL", "main"]
