"""Any number that a function makes of what a network answers, as the score that is explained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from .answers import described, shape_of
from .errors import Refused
from .memory import out_of_memory

# What a network answers for N pictures → the score of each, (N,)
ScoreFunction = Callable[[Any], Any]
MAX_NAME = 80  # characters


class ScoreFailed(Refused, RuntimeError):
    """A score function fails on a network's answer, or does not return a number for each picture.

    A `RuntimeError` too, so that a network is called in another way where that avoids the error: see
    `Classifier.adapt`.
    """


@dataclass(frozen=True)
class ScalarOutput:
    """S(x) = function(answer of the network), (N,), in place of logits: a classifier with it has one column, no
    classes and no probabilities.

    `function` takes the answer as the network returns it: a tensor, tuple, dictionary or object.
    """

    function: ScoreFunction
    name: str

    @classmethod
    def of(cls, function: ScoreFunction) -> ScalarOutput:
        """Named as the function is; «lambda» where it has no name."""
        return cls(function, _name_of(function))

    def __call__(self, answer: object, count: int) -> Tensor:
        """The scores of `count` pictures: (count, 1). Raises `ScoreFailed`."""
        try:
            scores = self.function(answer)
        except Exception as error:
            if out_of_memory(error):
                raise
            said = next(iter(str(error).splitlines()), "")[:200]
            reason = f"{type(error).__name__}: {said}".removesuffix(": ")
            raise ScoreFailed(
                f"score: «{self.name}» fails on the network's answer ({reason}). The answer for {_pictures(count)} is "
                f"{described(answer)}."
            ) from error
        if not isinstance(scores, Tensor) or not scores.is_floating_point() or tuple(scores.shape) != (count,):
            raise ScoreFailed(
                f"score: «{self.name}» must return a tensor of floats with one number for each picture, ({count},) for "
                f"{_pictures(count)}, not {shape_of(scores)}. Choose or sum over all dimensions but the first, "
                f"as in answer.sum((1, 2, 3)). The answer is {described(answer)}."
            )
        return scores[:, None]

    def __deepcopy__(self, memo: dict[int, Any]) -> ScalarOutput:
        """Itself: what the function holds (a mask, another picture's embedding) is not the network's."""
        return self


def _pictures(count: int) -> str:
    return f"{count} picture{'s' if count > 1 else ''}"


def _name_of(function: ScoreFunction) -> str:
    while isinstance(function, partial):
        function = function.func
    name = getattr(function, "__name__", type(function).__name__)
    return "lambda" if name == "<lambda>" else str(name)[:MAX_NAME]
