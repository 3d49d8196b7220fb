"""The number that is explained."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from ..wire import ScoreKind


@dataclass(frozen=True)
class Score:
    """S(x): the logit, log-probability or probability of class `target`; with `against`, a difference of logits.

    logit: y_t, or y_t − y_a · log_probability: log softmax(y)_t · probability: softmax(y)_t; the sigmoid of y_t instead
    of the softmax where each class stands for itself (`multilabel`).
    """

    target: int
    kind: ScoreKind = "logit"
    against: int | None = None
    multilabel: bool = False

    def __post_init__(self) -> None:
        if self.against is not None and (self.kind != "logit" or self.against == self.target):
            raise ValueError("`against` goes with score = logit and must differ from the target")

    def __call__(self, logits: Tensor) -> Tensor:
        """(N, classes) → (N,)"""
        if self.kind == "log_probability":
            return (logsigmoid(logits) if self.multilabel else logits.log_softmax(-1))[:, self.target]
        if self.kind == "probability":
            return (logits.sigmoid() if self.multilabel else logits.softmax(-1))[:, self.target]
        if self.against is not None:
            return logits[:, self.target] - logits[:, self.against]
        return logits[:, self.target]
