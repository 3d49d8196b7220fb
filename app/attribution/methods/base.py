"""What a method is: it declares itself and its parameters once, says what it needs and costs, and computes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NotRequired, TypedDict, TypeVar

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from ..plugins import plugins
from ..registry import PluginFault, Registry

if TYPE_CHECKING:
    from ..classifier import Classifier
    from ..engine import Engine


class Parameters(BaseModel):
    """Parameters of a method: bounds, default and help stand in the fields and nowhere else."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class NoParameters(Parameters):
    """This method has nothing to set."""


@dataclass(frozen=True)
class Paper:
    title: str
    url: str


@dataclass(frozen=True)
class Progress:
    """`done` of `total` evaluations; `estimate` is the attribution so far, (C, H, W), where the method has one."""

    done: int
    total: int
    estimate: Tensor | None = None


class CompletenessError(TypedDict):
    """What a map should sum to, what it does sum to, and the signed relative error; None with a `reason`."""

    expected: float
    attributed: float
    relative_error: float | None
    reason: NotRequired[str]


class Diagnostics(TypedDict, total=False):
    """What a method says beside its map; which of these, the method's docstring says.

    A dictionary, since a plug-in's method may say more than is listed here.
    """

    gradient_evaluations: int
    forward_evaluations: int
    completeness: CompletenessError
    converged: bool  # of sweeps along a path: whether they came within the tolerance
    change: float | None  # of the map by the last sweep, relative L2
    layer: str
    guided_activations: int
    gates: int
    rescaled: int


@dataclass(frozen=True)
class Attribution:
    """A finished map: `values` (C, H, W), signed; C is the picture's, or 1 for CAMs and occlusion."""

    values: Tensor
    diagnostics: Diagnostics = field(default_factory=Diagnostics)


Slopes = Literal["gradient", "mean", "rule", "other"]  # itself, a mean of it, by another rule of the backward pass
Maps = tuple[Tensor, Diagnostics]  # values (N, C, H, W), and the diagnostics of all of them
Steps = Generator[Progress, None, Attribution]
P = TypeVar("P", bound=Parameters)


class Method(ABC, Generic[P]):
    """An attribution method. To add one, add a folder to this package with a subclass marked `@register`, or bring it
    in a package of your own: docs/plugins.md."""

    id: ClassVar[str]
    title: ClassVar[str]
    year: ClassVar[int]
    order: ClassVar[int] = 0  # among the methods of its year
    paper: ClassVar[Paper]
    summary: ClassVar[str]
    strengths: ClassVar[tuple[str, ...]]
    weaknesses: ClassVar[tuple[str, ...]]
    default: ClassVar[bool] = False  # computed where a request names no method
    single_channel: ClassVar[bool] = False  # one value for a place, (1, H, W), whatever the picture's channels
    additive: ClassVar[bool] = False  # its values are parts of the score, else slopes of it or of no unit
    differentiates: ClassVar[bool] = True  # its evaluations are gradients, else forward passes
    slopes: ClassVar[Slopes] = "other"  # what its values are to the gradient
    Parameters: ClassVar[type[Parameters]]

    def stochastic(self, parameters: P) -> bool:
        """Whether the seed takes part in the result, and so in the key under which it is kept."""
        return False

    @abstractmethod
    def cost(self, parameters: P, size: tuple[int, int]) -> int:
        """Evaluations that a map needs: gradients (forwards for perturbation methods) of one picture of `size`."""

    def check(self, classifier: Classifier, parameters: P) -> None:
        """Raise `Refused` where this model cannot be explained rightly, `InvalidParameter` where a value is wrong."""

    @abstractmethod
    def attribute(self, engine: Engine, picture: Tensor, parameters: P, seed: int) -> Steps:
        """Explain `picture`, (C, H, W) in [0, 1]; yields after every micro-batch."""

    def run(self, engine: Engine, picture: Tensor, seed: int = 0, **parameters: Any) -> Attribution:
        """Explain `picture`, (C, H, W) in [0, 1], to the end; parameters that are not named have their defaults.

        Raises `Refused` where the method does not suit the model, pydantic's `ValidationError` for a parameter that is
        unknown or out of bounds, `InvalidParameter` for one that does not go with the model.
        """
        checked: Any = self.Parameters.model_validate(parameters)
        self.check(engine.classifier, checked)
        steps = self.attribute(engine, engine.place(picture), checked, seed)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                attribution: Attribution = end.value
                return attribution


class OnePass(Method[P]):
    """A method that takes one evaluation of a picture: several pictures can share a pass, each for its own class."""

    def cost(self, parameters: P, size: tuple[int, int]) -> int:
        return 1

    def layers(self, classifier: Classifier, parameters: P) -> tuple[str, ...]:
        """Names of the layers whose feature maps it asks for."""
        return ()

    @abstractmethod
    def maps(self, engine: Engine, pictures: Tensor, parameters: P) -> Maps:
        """Explain each of `pictures`, (N, C, H, W): their values, (N, C, H, W), and the diagnostics of all of them."""

    def attribute(self, engine: Engine, picture: Tensor, parameters: P, seed: int) -> Steps:
        values, diagnostics = self.maps(engine, picture[None], parameters)
        yield Progress(1, 1, values[0])
        return Attribution(values[0], {"gradient_evaluations": 1, **diagnostics})


DECLARED = ("id", "title", "year", "paper", "summary", "strengths", "weaknesses", "Parameters")
_registry: Registry[Method[Any]] = Registry(
    lambda: plugins("methods"), "method", order=lambda m: (m.year, m.order, m.id), declared=DECLARED
)
M = TypeVar("M", bound=type[Method[Any]])


def register(method: M) -> M:
    _registry.register(method)
    return method


def methods() -> dict[str, Method[Any]]:
    """Every method by id, in historical order."""
    return _registry.all()


def find_method(id: str) -> Method[Any]:
    """The method of that id. Raises `UnknownName`."""
    return _registry.find(id)


def method_faults() -> tuple[PluginFault, ...]:
    """The methods of other distributions that are left out."""
    return _registry.faults()
