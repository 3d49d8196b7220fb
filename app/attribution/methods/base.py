"""The base classes of attribution methods, what they take and return, and the registry of all methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NotRequired, TypedDict, TypeVar

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from ..behaviour import behaviour_of
from ..plugins import plugins
from ..registry import PluginFault, Registry
from ..torch_state import clean_state

if TYPE_CHECKING:
    from ..classifier import Classifier
    from ..engine import Engine
    from ..shared_gradients import Walk


class Parameters(BaseModel):
    """Base class for the parameters of a method or metric. Each field declares its bounds, default and help text."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class NoParameters(Parameters):
    """This method has nothing to set."""


@dataclass(frozen=True)
class Paper:
    title: str
    url: str


@dataclass(frozen=True)
class Progress:
    """`done` of `total` evaluations. `estimate` is the map computed so far, (C, H, W); None if there is none yet."""

    done: int
    total: int
    estimate: Tensor | None = None


class CompletenessError(TypedDict):
    """The sum that a map should have (`expected`), the sum that it has (`attributed`), and the signed relative error.

    If the relative error is not defined, it is None and `reason` says why. Beside it, what is known of how it would
    change: `half_error`, the relative error with every other gradient of a path (root mean square of both halves);
    `standard_error`, that of a sum over random samples, relative too. `parts`, where not the map sums but so many parts
    that it was made of, before their magnitudes were taken.
    """

    expected: float
    attributed: float
    relative_error: float | None
    reason: NotRequired[str]
    half_error: NotRequired[float]
    standard_error: NotRequired[float]
    parts: NotRequired[int]


class Diagnostics(TypedDict, total=False):
    """What a method reports beside its map. Each method's docstring names the keys that it sets.

    A dictionary, so that a plug-in's method can report more keys than these.
    """

    gradient_evaluations: int
    forward_evaluations: int
    completeness: CompletenessError
    converged: bool  # path methods with a tolerance: whether it was reached
    change: float | None  # relative L2 change of the map when the steps were last doubled; None if they never were
    # path methods without a tolerance: half the relative L2 distance of two maps, each of every other gradient
    error_estimate: float | None
    # methods that average over random samples: the standard error of the map, relative L2; None of too few samples
    standard_error: float | None
    # SmoothGrad: the expected distance from the map of very many samples, relative to that one's size; None: unknown
    limit_error: float | None
    layer: str  # CAMs: the layer whose feature maps were used
    guided_activations: int  # activations that the modified backward rule was applied to
    gates: int  # gates (such as the sigmoid of squeeze-and-excitation), which that rule leaves alone
    layers: int  # LRP: convolutions and dense layers of the pass, those of gates too
    superpixels: int  # LIME and Kernel SHAP: how many the picture was divided into
    rescaled: int  # DeepLIFT: nonlinearities that the rescale rule was applied to


@dataclass(frozen=True)
class Attribution:
    """A finished map. `values` are signed, (C, H, W); C is the picture's, or 1 for CAMs and occlusion."""

    values: Tensor
    diagnostics: Diagnostics = field(default_factory=Diagnostics)


# How a map relates to the gradient: it is the gradient, a mean of gradients, the result of a modified backward rule,
# or something else.
RelationToGradient = Literal["gradient", "mean", "rule", "other"]
# What a method is built on: gradients at or near the picture, an integral along a path, the feature maps of a layer, a
# changed backward pass, attention weights, or changes of the picture. Lists of methods are grouped by it.
Family = Literal["gradient", "path", "cam", "rule", "attention", "perturbation", "other"]
QUALITIES = ("quick", "good", "exact")
Maps = tuple[Tensor, Diagnostics]  # values (N, C, H, W), and one set of diagnostics that holds for all N
Steps = Generator[Progress, None, Attribution]  # yields progress after every micro-batch, returns the finished map
P = TypeVar("P", bound=Parameters)


class Method(ABC, Generic[P]):
    """An attribution method. To add one, add a folder to this package with a subclass marked `@register`, or bring it
    in a package of your own: docs/plugins.md."""

    id: ClassVar[str]
    title: ClassVar[str]
    year: ClassVar[int]
    order: ClassVar[int] = 0  # position among the methods of the same year
    family: ClassVar[Family] = "other"
    paper: ClassVar[Paper]
    summary: ClassVar[str]
    strengths: ClassVar[tuple[str, ...]]
    weaknesses: ClassVar[tuple[str, ...]]
    default: ClassVar[bool] = False  # computed if a request names no method
    single_channel: ClassVar[bool] = False  # the map is (1, H, W), however many channels the picture has
    additive: ClassVar[bool] = False  # its values are parts of the score, and sum to its change
    multiplies_by_inputs: ClassVar[bool] = False  # the picture is a factor of its values, though they are not additive
    differentiates: ClassVar[bool] = True  # its evaluations are gradients; if False, forward passes
    transformers_only: ClassVar[bool] = False  # it follows attention among tokens, and refuses every other network
    relation_to_gradient: ClassVar[RelationToGradient] = "other"  # how its values relate to the gradient
    # parameters for each of QUALITIES; empty where a map is as exact as it can be, whatever one pays
    qualities: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    Parameters: ClassVar[type[Parameters]]

    def stochastic(self, parameters: P) -> bool:
        """Whether the result depends on the seed. If so, the seed is part of its cache key."""
        return False

    def at_quality(self, quality: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters for one of QUALITIES, and those that are given: these count more."""
        return {**self.qualities.get(quality, {}), **given}

    @abstractmethod
    def cost(self, parameters: P, size: tuple[int, int]) -> int:
        """Evaluations that a map of one picture of `size` needs (of which kind, says `differentiates`)."""

    def zero_note(self, parameters: P) -> str:
        """The code of the page's text `note.CODE` that says what a map of zeros means with these parameters."""
        return "zero"

    def check(self, classifier: Classifier, parameters: P) -> None:
        """Raise `Refused` if the method is not correct for this model, `InvalidParameter` for a wrong value."""

    def walks(self, parameters: P) -> tuple[Walk, ...]:
        """Where it takes gradients by `Engine.gradients_along`, if that is known before: what maps of a request have in
        common there is computed once."""
        return ()

    @abstractmethod
    def attribute(self, engine: Engine, picture: Tensor, parameters: P, seed: int) -> Steps:
        """Explain `picture`, (C, H, W) in [0, 1]; yields after every micro-batch."""

    def run(self, engine: Engine, picture: Tensor, seed: int = 0, **parameters: Any) -> Attribution:
        """Explain `picture`, (C, H, W) in [0, 1], and return the map. Parameters not given have their defaults.

        Raises `Refused` if the method cannot explain this model, pydantic's `ValidationError` for a parameter that is
        unknown or out of bounds, `InvalidParameter` for one that this model does not allow (a layer that it lacks).
        """
        checked: Any = self.Parameters.model_validate(parameters)
        with clean_state():
            behaviour_of(engine.classifier)  # how the network must be called
            self.check(engine.classifier, checked)
            steps = self.attribute(engine, engine.to_device(picture), checked, seed)
            while True:
                try:
                    next(steps)
                except StopIteration as end:
                    attribution: Attribution = end.value
                    return attribution


class OnePass(Method[P]):
    """A method that needs one evaluation per picture. Pictures with different classes can share a pass."""

    def cost(self, parameters: P, size: tuple[int, int]) -> int:
        return 1

    def layers(self, classifier: Classifier, parameters: P) -> tuple[str, ...]:
        """Names of the layers whose feature maps the method uses."""
        return ()

    @abstractmethod
    def maps(self, engine: Engine, pictures: Tensor, parameters: P) -> Maps:
        """Explain each of `pictures`, (N, C, H, W): their values, (N, C, H, W), and the diagnostics for all N."""

    def attribute(self, engine: Engine, picture: Tensor, parameters: P, seed: int) -> Steps:
        values, diagnostics = self.maps(engine, picture[None], parameters)
        yield Progress(1, 1, values[0])
        return Attribution(values[0], {"gradient_evaluations": 1, **diagnostics})


# the attributes that a method must declare
DECLARED = ("id", "title", "year", "paper", "summary", "strengths", "weaknesses", "Parameters")
_registry: Registry[Method[Any]] = Registry(
    lambda: plugins("methods"), "method", order=lambda m: (m.year, m.order, m.id), declared=DECLARED
)
M = TypeVar("M", bound=type[Method[Any]])


def qualities(name: str, quick: int, good: int, exact: int) -> Mapping[str, Mapping[str, Any]]:
    """A method's `qualities` where each is a value of the parameter `name`."""
    return {quality: {name: value} for quality, value in zip(QUALITIES, (quick, good, exact), strict=True)}


def register(method: M) -> M:
    _registry.register(method)
    return method


def methods() -> dict[str, Method[Any]]:
    """Every method by id, the oldest first."""
    return _registry.all()


def find_method(id: str) -> Method[Any]:
    """The method with this id. Raises `UnknownName`."""
    return _registry.find(id)


def method_faults() -> tuple[PluginFault, ...]:
    """The methods of plug-ins that could not be used, and why."""
    return _registry.faults()
