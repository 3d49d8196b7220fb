"""The arguments of `explain` and `gradient_flow`, the same with and without a server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict, TypeVar

from ..contract.arrays import ScoreKind
from ..contract.jobs import Fit
from ..contract.problems import Unprocessable
from .pictures import Picture, read_bytes

Target = int | Literal["top"]
Options = Mapping[str, Mapping[str, Any]]
T = TypeVar("T")


class SharedArguments(TypedDict, total=False):
    """The arguments of `explain` beside picture and model.

    `sample` is the id of a shipped picture, instead of `image`. `methods` are ids; the default is the six methods.
    `target` is a class index, or "top" for each model's top class, or several; `against` is another class to contrast
    it with; `score` is the number that is explained. `options` are parameters by method, `{"smooth_grad": {"samples":
    100}}`; `seed` is for stochastic methods. `fit` and `size`, a side or (height, width), change the model's input.
    `metrics` are ids of metrics to measure of each map, or "all"; `options` may also hold their parameters.
    """

    sample: str | None
    methods: str | Sequence[str] | None
    target: Target | Sequence[Target] | None
    against: int | None
    score: ScoreKind
    options: Options | None
    seed: int
    fit: Fit | None
    size: int | tuple[int, int] | None
    metrics: str | Sequence[str] | None


class ExplainArguments(SharedArguments, total=False):
    """The arguments of `explain` beside the picture; `model` is an id, or several."""

    model: str | Sequence[str] | None


class FlowArguments(TypedDict, total=False):
    """The arguments of `gradient_flow` beside the picture."""

    sample: str | None
    model: str | None
    target: Target | None
    against: int | None
    score: ScoreKind
    fit: Fit | None
    size: int | tuple[int, int] | None


@dataclass(frozen=True)
class Arguments:
    """The arguments of `explain`, with defaults."""

    sample: str | None = None
    model: str | Sequence[str] | None = None
    methods: str | Sequence[str] | None = None
    target: Target | Sequence[Target] | None = None
    against: int | None = None
    score: ScoreKind = "logit"
    options: Options | None = field(default_factory=dict)
    seed: int = 0
    fit: Fit | None = None
    size: int | tuple[int, int] | None = None
    metrics: str | Sequence[str] | None = None

    @property
    def models(self) -> tuple[str, ...]:
        return as_tuple(self.model)

    @property
    def method_ids(self) -> tuple[str, ...]:
        """The ids of the methods."""
        return as_tuple(self.methods)

    @property
    def targets(self) -> tuple[Target, ...]:
        return as_tuple(self.target)

    @property
    def sides(self) -> str | None:
        """The size as a form field: HEIGHTxWIDTH."""
        return as_sides(self.size)

    def form(self) -> dict[str, str | int | Sequence[str]]:
        """The form fields of POST /explanations, without the picture; only fields that are set."""
        given: dict[str, str | int | Sequence[str] | None] = {
            "sample": self.sample,
            "model": self.models,
            "method": self.method_ids,
            "target": [str(target) for target in self.targets],
            "against": None if self.against is None else str(self.against),
            "score": self.score,
            "options": json.dumps(self.options) if self.options else None,
            "seed": str(self.seed),
            "fit": self.fit,
            "size": self.sides,
            "metrics": as_tuple(self.metrics),
        }
        return {name: value for name, value in given.items() if value is not None and value != () and value != []}


def as_tuple(given: T | Sequence[T] | None) -> tuple[T, ...]:
    """None, one value or a sequence as a tuple; a string counts as one value."""
    if given is None:
        return ()
    if isinstance(given, Sequence) and not isinstance(given, str):
        return tuple(given)
    return (given,)


def as_sides(size: int | tuple[int, int] | None) -> str | None:
    """A side, or (height, width), as HEIGHTxWIDTH."""
    return None if size is None else "x".join(str(int(side)) for side in as_tuple(size))


def picture_of(image: Picture | None, sample: str | None) -> bytes | None:
    """The bytes to send; None for a sample. Raises `Unprocessable` if both or neither are given."""
    if (image is None) == (sample is None):
        said = "none is" if image is None else "both are"
        raise Unprocessable(f'Give exactly one picture: image, or sample="cat"; {said} given.', field="image")
    return None if image is None else read_bytes(image)
