"""The arguments of `explain` and `gradient_flow`, the same with and without a server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self, TypedDict, TypeVar, cast, get_args

from ..contract.arrays import ScoreKind
from ..contract.jobs import ClassName, Fit, Quality
from ..contract.parsing import one_of, parse_class, parse_target
from ..contract.problems import Unprocessable
from ..contract.wire import JsonObject
from . import checks
from .pictures import Picture, read_bytes

Target = int | str
Options = Mapping[str, Mapping[str, Any]]
T = TypeVar("T")


class PlainArguments(TypedDict, total=False):
    """The arguments of `explain` beside picture, model and score; see `SharedArguments`."""

    sample: str | None
    methods: str | Sequence[str] | None
    target: Target | Sequence[Target] | None
    against: Target | None
    options: Options | None
    quality: Quality | None
    seed: int
    fit: Fit | None
    size: int | tuple[int, int] | None
    metrics: str | Sequence[str] | None


class SharedArguments(PlainArguments, total=False):
    """The arguments of `explain` beside picture and model.

    `sample` is the id of a shipped picture, instead of `image`. `methods` are ids; the default is the six methods.
    `target` is a class by its index or its label, or "top" for each model's top class, or several of these; `against`
    is another class to contrast it with; `score` is the number that is explained. `options` are parameters by method,
    `{"smooth_grad": {"samples": 100}}`; `quality`, "quick", "good" or "exact", sets those that `options` does not.
    `seed` is for stochastic methods. `fit` and `size`, a side or (height, width),
    change the model's input. `metrics` are ids of metrics to measure of each map, or "all"; `options` may also hold
    their parameters.
    """

    score: ScoreKind


class ExplainArguments(SharedArguments, total=False):
    """The arguments of `explain` beside the picture; `model` is an id, or several."""

    model: str | Sequence[str] | None


class FlowArguments(TypedDict, total=False):
    """The arguments of `gradient_flow` beside the picture."""

    sample: str | None
    model: str | None
    target: Target | None
    against: Target | None
    score: ScoreKind
    fit: Fit | None
    size: int | tuple[int, int] | None


# arguments of `explain` that are checked elsewhere
OTHER = ("image", "model", "progress", "input", "labels", "output", "activation")
OF_INPUT = ("mean", "std", "channels", "transform", "interpolation", "crop_fraction", "resize")
HINTS = {
    **{name: f'It belongs into input=, as in input={{"{name}": …}}.' for name in OF_INPUT},
    **dict.fromkeys(
        ("input", "labels", "output", "activation"), "It is of a network in memory: see gradoscope.explain."
    ),
}


@dataclass(frozen=True)
class Arguments:
    """The arguments of `explain`, with defaults."""

    sample: str | None = None
    model: str | Sequence[str] | None = None
    methods: str | Sequence[str] | None = None
    target: Target | Sequence[Target] | None = None
    against: Target | None = None
    score: ScoreKind = "logit"
    options: Options | None = field(default_factory=dict)
    quality: Quality | None = None
    seed: int = 0
    fit: Fit | None = None
    size: int | tuple[int, int] | None = None
    metrics: str | Sequence[str] | None = None

    @classmethod
    def checked(cls, given: Mapping[str, Any]) -> Self:
        """The arguments, with integers of NumPy and torch as ints. Raises `Unprocessable`, which names the argument."""
        checks.check_names(given, [one.name for one in fields(cls)], HINTS, OTHER)
        checked: dict[str, Any] = {
            name: CHECKS[name](value) if name in CHECKS else value for name, value in given.items()
        }
        return cls(**checked)

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
    def classes(self) -> tuple[ClassName | None, ...]:
        """The targets as a job has them."""
        return tuple(parse_target(target) if isinstance(target, str) else target for target in self.targets)

    @property
    def class_against(self) -> ClassName | None:
        return parse_class(self.against) if isinstance(self.against, str) else self.against

    @property
    def parameters(self) -> dict[str, JsonObject]:
        """The options as a job has them."""
        return {method: dict(given) for method, given in (self.options or {}).items()}

    @property
    def sides(self) -> str | None:
        """The size as a form field: HEIGHTxWIDTH."""
        return size_text(self.size)

    def form(self) -> dict[str, str | int | Sequence[str]]:
        """The form fields of POST /explanations, without the picture; only fields that are set."""
        given: dict[str, str | int | Sequence[str] | None] = {
            "sample": self.sample,
            "model": self.models,
            "method": self.method_ids,
            "target": [str(target) for target in self.targets],
            "against": None if self.against is None else str(self.against),
            "score": self.score,
            "options": json.dumps(self.parameters) if self.options else None,
            "quality": self.quality,
            "seed": str(self.seed),
            "fit": self.fit,
            "size": self.sides,
            "metrics": as_tuple(self.metrics),
        }
        return {name: value for name, value in given.items() if value is not None and value != () and value != []}


def _score(value: object) -> ScoreKind:
    if callable(value):
        raise Unprocessable(
            "score: a function makes the score of a network in memory only: gradoscope.explain(…, model=module, "
            f"score=function). A server takes one of {', '.join(get_args(ScoreKind))}.",
            field="score",
        )
    return cast(ScoreKind, one_of("score", value, get_args(ScoreKind)))


def quality_of(value: object) -> Quality | None:
    """A quality by its name. Raises `Unprocessable`."""
    return None if value is None else cast(Quality, one_of("quality", value, get_args(Quality)))


def _fit(value: object) -> Fit | None:
    return None if value is None else cast(Fit, one_of("fit", value, get_args(Fit)))


def _against(value: object) -> ClassName | None:
    return None if value is None else checks.class_index_or_label("against", value)


def _sample(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise checks.invalid_argument("sample", value, "is no sample's id")


CHECKS: dict[str, Callable[[Any], Any]] = {
    "sample": _sample,
    "methods": lambda value: checks.ids("methods", value),
    "target": lambda value: checks.target_classes("target", value),
    "against": _against,
    "score": _score,
    "options": checks.options,
    "quality": quality_of,
    "seed": checks.seed,
    "fit": _fit,
    "size": checks.size,
    "metrics": lambda value: checks.ids("metrics", value),
}


def checked_flow(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `gradient_flow`, checked in the same way. Raises `Unprocessable`."""
    checks.check_names(given, ("image", *FlowArguments.__annotations__), {})
    call = Arguments.checked(given)
    if len(call.targets) > 1:
        raise Unprocessable("target: the gradient flow is of one class.", field="target")
    return {**{name: getattr(call, name) for name in given}, "target": next(iter(call.targets), None)}


def as_tuple(given: T | Sequence[T] | None) -> tuple[T, ...]:
    """None, one value or a sequence as a tuple; a string counts as one value."""
    if given is None:
        return ()
    if isinstance(given, Sequence) and not isinstance(given, str):
        return tuple(given)
    return (given,)


def size_text(size: int | tuple[int, int] | None) -> str | None:
    """A side, or (height, width), as HEIGHTxWIDTH."""
    return None if size is None else "x".join(str(int(side)) for side in as_tuple(size))


def picture_bytes(image: Picture | None, sample: str | None) -> bytes | None:
    """The bytes to send; None for a sample. Raises `Unprocessable` if both or neither are given."""
    if (image is None) == (sample is None):
        said = "none is" if image is None else "both are"
        raise Unprocessable(f'Give exactly one picture: image, or sample="cat"; {said} given.', field="image")
    return None if image is None else read_bytes(image)
