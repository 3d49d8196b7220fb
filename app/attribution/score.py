"""The score, which is the number that an attribution explains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor
from torch.nn.functional import logsigmoid

ScoreKind = Literal["logit", "log_probability", "probability"]


@dataclass(frozen=True)
class Score:
    """S(x): the logit, log-probability or probability of class `target`; with `against`, a difference of logits.

    logit: y_t, or y_t − y_a · log_probability: log softmax(y)_t · probability: softmax(y)_t; for independent classes
    (`multilabel`) the sigmoid of y_t instead of the softmax. `target` is a class for all pictures of a pass, or one for
    each.
    """

    target: int | tuple[int, ...]
    kind: ScoreKind = "logit"
    against: int | None = None
    multilabel: bool = False

    def __post_init__(self) -> None:
        targets = (self.target,) if isinstance(self.target, int) else self.target
        if self.against is not None and (self.kind != "logit" or self.against in targets):
            raise ValueError("`against` goes with score = logit and must differ from the target")

    def __call__(self, logits: Tensor) -> Tensor:
        """(N, classes) → (N,)"""
        if self.kind == "log_probability":
            return self.of_target(logsigmoid(logits) if self.multilabel else logits.log_softmax(-1))
        if self.kind == "probability":
            return self.of_target(logits.sigmoid() if self.multilabel else logits.softmax(-1))
        if self.against is not None:
            return self.of_target(logits) - logits[:, self.against]
        return self.of_target(logits)

    def part(self, rows: slice) -> Score:
        """The score of some of the pictures of a pass."""
        return self if isinstance(self.target, int) else replace(self, target=self.target[rows])

    def of_target(self, values: Tensor) -> Tensor:
        """The values of the targets: (N, classes) → (N,)."""
        if isinstance(self.target, int):
            return values[:, self.target]
        if len(self.target) != len(values):
            raise ValueError(f"{len(self.target)} targets for {len(values)} pictures")
        return values[range(len(values)), self.target]
