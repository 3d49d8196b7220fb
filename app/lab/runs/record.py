"""The file of a run: JSON lines, format `gradoscope-run`, version 1.

The first line is the head (`Head`). Each other line is an activation (`ActivationLine`), named before the first step
that counts its dead units, or a recorded step (`StepLine`). Lists of a step go by the layers of the head, or by the
activations in the order of their lines; null stands where there is no value. A file whose last line was cut off, as
a process that is killed leaves it, is read without that line.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...contract.problems import Unprocessable

FORMAT = "gradoscope-run"
VERSION = 1
MAX_BYTES = 4 * 2**20  # of a file that is read; what is written stays below half of it by default
MAX_LINES = 50_000
MAX_LAYERS = 256
MAX_ACTIVATIONS = 256
MAX_SILENT = 8  # entries of `silent` for one activation
MAX_NAME = 200
FIELD = "run"

Name = Annotated[str, Field(max_length=MAX_NAME)]
Size = Annotated[float, Field(ge=0, allow_inf_nan=False)] | None
Count = Annotated[int, Field(ge=0, le=2**53)]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class LayerInfo(_Line):
    """A layer: the parameters that one module owns, or one parameter of a recurrent module."""

    name: Name
    kind: Name = ""
    parameters: Annotated[int, Field(ge=1, le=2**53)]


class Head(_Line):
    """The first line."""

    format: Literal["gradoscope-run"]
    version: Literal[1]
    every: Annotated[int, Field(ge=1, le=2**53)]
    created: Name = ""
    model: Name = ""
    optimizer: Name = ""
    torch: Name = ""
    notes: list[Literal["compiled"]] = Field([], max_length=8)
    layers: list[LayerInfo] = Field(min_length=1, max_length=MAX_LAYERS)


class ActivationInfo(_Line):
    """A ReLU, by its place in the model, and how many units it has: channels, or features."""

    name: Name
    units: Annotated[int, Field(ge=1, le=2**31)]


class ActivationLine(_Line):
    activation: ActivationInfo


class StepLine(_Line):
    """A recorded step of the optimizer, counted from 0.

    `gradient` is ‖g‖ of each layer as the optimizer got it; `update` is ‖Δw‖ / ‖w‖. `dead` counts the units that were
    zero for the whole batch; `silent` says of these how many fired last at which recorded step (−1: at none).
    `uncounted` says in how many modules other activations were seen, whose units are not counted; it stands where that
    has changed. `noise` is (tr Σ, |G|²), estimates of the gradient's variance for one sample and of the true gradient's
    square.
    """

    step: Count
    seconds: Size = None
    samples: Count | None = None
    passes: Count | None = None
    gradient: list[Size] = Field(max_length=MAX_LAYERS)
    update: list[Size] = Field([], max_length=MAX_LAYERS)
    not_finite: list[Count] = Field([], max_length=MAX_LAYERS)
    dead: list[Count | None] = Field([], max_length=MAX_ACTIVATIONS)
    silent: list[list[tuple[Annotated[int, Field(ge=-1, le=2**53)], Count]]] = Field([], max_length=MAX_ACTIVATIONS)
    noise: tuple[float, float] | None = None
    noise_from: Literal["micro_batches", "successive"] | None = None
    uncounted: dict[Name, Count] = Field({}, max_length=32)


@dataclass(frozen=True)
class Run:
    """A run as arrays: a row for each recorded step, a column for each layer or activation; NaN where there is none.

    A gradient that was not finite is infinite in `gradient`.
    """

    head: Head
    activations: list[ActivationInfo]
    steps: np.ndarray
    """(S,) int64, rising"""
    samples: np.ndarray
    """(S,) in one step, all its backward passes together"""
    passes: np.ndarray
    """(S,) backward passes of a step"""
    gradient: np.ndarray
    """(S, L) ‖g‖"""
    update: np.ndarray
    """(S, L) ‖Δw‖ / ‖w‖"""
    dead: np.ndarray
    """(S, A) units that were zero for the whole batch"""
    silent: list[list[tuple[int, int]]]
    """by activation, of the last step: (the recorded step at which they fired last or −1, how many units)"""
    noise: np.ndarray
    """(S, 2) tr Σ and |G|²"""
    noise_from: str | None
    uncounted: dict[str, int]
    """in how many modules activations were seen whose units are not counted, by their kinds"""

    @property
    def names(self) -> list[str]:
        return [layer.name for layer in self.head.layers]

    @property
    def parameters(self) -> np.ndarray:
        """(L,) how many numbers a layer has."""
        return np.array([layer.parameters for layer in self.head.layers], dtype=float)


def read_run(data: bytes) -> Run:
    """The run of a file. Raises `Unprocessable`, which says what is wrong and where."""
    if len(data) > MAX_BYTES:
        raise refusal(f"it has {len(data):,} bytes; the limit is {MAX_BYTES:,}. Record with a smaller max_bytes")
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    whole = not lines[-1].strip()  # the last line was ended
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        raise refusal("it is empty")
    if len(numbered) > MAX_LINES:
        raise refusal(f"it has {len(numbered):,} lines; the limit is {MAX_LINES:,}")
    head = _head(numbered[0][1])
    activations: list[ActivationInfo] = []
    steps: list[StepLine] = []
    for number, line in numbered[1:]:
        try:
            read = _line(number, line)
        except Unprocessable:
            if not whole and number == numbered[-1][0]:
                break  # it was being written when the process ended
            raise
        if isinstance(read, ActivationLine):
            activations.append(read.activation)
        else:
            _check(read, number, head, activations, steps[-1].step if steps else -1)
            steps.append(read)
    if len(activations) > MAX_ACTIVATIONS:
        raise refusal(f"it names {len(activations):,} activations; the limit is {MAX_ACTIVATIONS}")
    if not steps:
        raise refusal("it holds no recorded step. One is written at the first step of the optimizer")
    return _arrays(head, activations, steps)


def refusal(reason: str) -> Unprocessable:
    return Unprocessable(f"This is no file of a run: {reason}.", field=FIELD).coded("run_file", reason=reason)


def _head(line: bytes) -> Head:
    try:
        return Head.model_validate_json(line)
    except ValidationError as invalid:
        fault = invalid.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, fault["loc"]))
        if place == "version":
            raise refusal(f"line 1 names a version that is not {VERSION}; a newer Gradoscope may read it") from invalid
        if place and place != "format":
            raise refusal(f"line 1, {place[:80]}: {fault['msg']}") from invalid
        raise refusal(f'line 1 is not the head that gradoscope.watch writes, {{"format": "{FORMAT}", …}}') from invalid


def _line(number: int, line: bytes) -> ActivationLine | StepLine:
    model = ActivationLine if b'"activation"' in line else StepLine
    try:
        return model.model_validate_json(line)
    except ValidationError as invalid:
        fault = invalid.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, fault["loc"]))[:80]
        raise refusal(f"line {number}{', ' + place if place else ''}: {fault['msg']}") from invalid


def _check(line: StepLine, number: int, head: Head, activations: list[ActivationInfo], before: int) -> None:
    """Raise `Unprocessable` where a step contradicts the lines before it."""
    layers, known = len(head.layers), len(activations)
    if line.step <= before:
        raise refusal(f"line {number}: step {line.step} stands after step {before}")
    if len(line.gradient) != layers or len(line.update) not in (0, layers):
        raise refusal(f"line {number}: the head names {layers} layers, and the step has values of another number")
    if len(line.dead) > known or len(line.silent) > known:
        raise refusal(f"line {number}: it counts units of {max(len(line.dead), len(line.silent))} activations; "
                      f"{known} are named before it")  # fmt: skip
    if any(place >= layers for place in line.not_finite):
        raise refusal(f"line {number}, not_finite: there is no such layer")
    if any(count is not None and count > one.units for count, one in zip(line.dead, activations, strict=False)):
        raise refusal(f"line {number}, dead: more units than the activation has")
    for entries, one in zip(line.silent, activations, strict=False):
        if sum(count for _, count in entries) > one.units or any(last >= line.step for last, _ in entries):
            raise refusal(f"line {number}, silent: the numbers contradict each other")
    if line.noise is not None and not all(map(math.isfinite, line.noise)):
        raise refusal(f"line {number}, noise: it is not finite")


def _arrays(head: Head, activations: list[ActivationInfo], lines: list[StepLine]) -> Run:
    count = len(lines)
    gradient = np.full((count, len(head.layers)), np.nan)
    update = gradient.copy()
    dead = np.full((count, len(activations)), np.nan)
    noise = np.full((count, 2), np.nan)
    for row, line in enumerate(lines):
        gradient[row] = _numbers(line.gradient)
        gradient[row, line.not_finite] = np.inf
        if line.update:
            update[row] = _numbers(line.update)
        dead[row, : len(line.dead)] = _numbers(line.dead)
        if line.noise is not None:
            noise[row] = line.noise
    silent = lines[-1].silent + [[]] * (len(activations) - len(lines[-1].silent))
    return Run(
        head,
        activations,
        np.array([line.step for line in lines], dtype=np.int64),
        _numbers([line.samples for line in lines]),
        _numbers([line.passes for line in lines]),
        gradient,
        update,
        dead,
        silent,
        noise,
        next((line.noise_from for line in reversed(lines) if line.noise_from), None),
        next((line.uncounted for line in reversed(lines) if line.uncounted), {}),
    )


def _numbers(values: list[float | None] | list[int | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)
