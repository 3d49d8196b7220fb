"""What probing passes tell of how a network answers, before anything is explained with it.

Networks that people bring have habits: feature maps flattened by `view`, statistics of the batch, dropout that eval
mode does not reach, a softmax at the end. Each would make maps wrong without a word, or fail.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from .activation import activation_fault
from .autograd_graph import kind
from .classifier import Classifier
from .memory import out_of_memory
from .outputs import Logits, NoLogits
from .torch_state import clean_state

Ending = Literal["logits", "probabilities", "log_probabilities", "sigmoids"]
SAME = 1e-3  # of the logits' range: up to this, answers in passes of other sizes differ by rounding only
STEADY = 1e-4  # the same between repeated passes; strict, because maps may vary much more than logits
CALLS = 8  # of a network whose answers are random, to measure how much they vary
SUM_TOLERANCE = 1e-4  # how far probabilities of all classes may be from 1 together
# Operations that change the shape of an answer, and not its values.
SHAPES = frozenset("View UnsafeView ReshapeAlias Squeeze Unsqueeze Select Slice Clone Alias Cat Index".split())


@dataclass(frozen=True)
class Behaviour:
    """How a network answers the same picture again, and beside other pictures.

    `classes` is the number of its logits. `spread` is the standard deviation of the logits over calls with the same
    picture, and `change` their largest change by other pictures of the pass, both as a share of the range of the logits
    of a picture; `change` is None where the network takes one picture at a time only. `ending` says whether the logits
    are really probabilities, by a softmax or each by a sigmoid, or their logarithms. `part` is the output that was
    taken, of several `candidates`, each with its number of classes.
    """

    classes: int
    spread: float = 0.0
    change: float | None = 0.0
    ending: Ending = "logits"
    part: str | None = None
    candidates: tuple[tuple[str, int], ...] = ()

    @property
    def random(self) -> bool:
        """Whether the same picture gets different answers."""
        return self.spread > STEADY

    @property
    def batch_dependent(self) -> bool:
        """Whether other pictures of a pass change the answer for a picture."""
        return self.change is None or self.change > SAME


_known: WeakKeyDictionary[Classifier, Behaviour] = WeakKeyDictionary()


def behaviour_of(classifier: Classifier) -> Behaviour:
    """How a classifier answers; probed once for each classifier, when it is first asked for. See `observe`."""
    if classifier not in _known:
        _known[classifier] = observe(classifier)
    return _known[classifier]


def observe(classifier: Classifier) -> Behaviour:
    """Ask the network the same picture twice, alone and beside another one, and set its `calling` accordingly.

    Raises `NoLogits` where there are no logits in its answer, or not by the activation that was named, and whatever the
    network raises for a single picture.
    """
    with clean_state(), torch.no_grad():
        pictures = classifier.noise_pictures(2)
        first = _settle_layout(classifier, pictures[:1])
        alone = first.values[0]
        again = classifier.answer(classifier.to_memory_format(pictures[:1])).values[0]
        spread = 0.0 if torch.equal(alone, again) else _spread(classifier, pictures[:1])
        change, rows = _change(classifier, pictures, alone)
        answers = torch.cat((first.values, rows))
        if classifier.activation is not None:
            _check_activation(classifier, answers)
        of_logits = classifier.activation is not None or classifier.scalar is not None
        found = Behaviour(
            len(alone), spread, change, "logits" if of_logits else _ending(classifier, pictures[:1], answers),
            first.part, first.candidates if len(first.candidates) > 1 else (),
        )  # fmt: skip
    if found.batch_dependent:
        classifier.use_contiguous()  # channels last is quicker for batches only; contiguous is PyTorch's default
    classifier.calling = replace(classifier.calling, one_by_one=found.batch_dependent or found.random)
    if found.classes == 1 and len(classifier.labels) == 2:
        classifier.use_two_classes()
    return found


def _check_activation(classifier: Classifier, answers: Tensor) -> None:
    """Raise `NoLogits` where answers, (N, classes), are no probabilities of the activation that was named."""
    assert classifier.activation is not None
    tolerance = max(SUM_TOLERANCE, 4 * torch.finfo(answers.dtype).eps)
    fault = activation_fault(answers, classifier.activation, tolerance)
    if fault is not None:
        raise NoLogits(f"activation: the network does not end in a {classifier.activation}: {fault}. Leave it out")


def _settle_layout(classifier: Classifier, picture: Tensor) -> Logits:
    """The answer for a picture, (1, C, H, W): channels last, or contiguous where the network fails with that."""
    try:
        return classifier.answer(classifier.to_memory_format(picture))
    except RuntimeError as error:
        if out_of_memory(error) or not classifier.use_contiguous():
            raise
    return classifier.answer(classifier.to_memory_format(picture))


def _spread(classifier: Classifier, picture: Tensor) -> float:
    """The standard deviation of the logits over several calls with one picture, as a share of their range."""
    calls = torch.stack(
        [classifier.answer(classifier.to_memory_format(picture)).values[0].double() for _ in range(CALLS)]
    )
    return float(calls.std(0).square().mean().sqrt()) / _range(calls.mean(0))


def _change(classifier: Classifier, pictures: Tensor, alone: Tensor) -> tuple[float | None, Tensor]:
    """How much the second picture changes the answer for the first, and the answers of the pass of both."""
    try:
        rows = classifier.answer(classifier.to_memory_format(pictures.flip(0))).values
    except Exception as error:
        if out_of_memory(error):
            raise
        return None, alone[None]
    if rows.shape[1] != len(alone):
        return None, alone[None]
    return float((rows[1] - alone).abs().max()) / _range(alone), rows


def _range(logits: Tensor) -> float:
    """The range of the logits of a picture; the size of a single one. Never 0, nor so small that rounding counts."""
    largest = float(logits.abs().max())
    size = float(logits.max() - logits.min()) if len(logits) > 1 else largest
    return max(size, 1e-2 * largest, 1e-12)


def _ending(classifier: Classifier, picture: Tensor, answers: Tensor) -> Ending:
    """Whether answers, (N, classes), are probabilities or their logarithms.

    That each is a sigmoid shows in the graph of a picture, (1, C, H, W): logits from 0 to 1 are nothing unusual.
    """
    rows, tolerance = answers.double(), max(SUM_TOLERANCE, 4 * torch.finfo(answers.dtype).eps)
    if not bool(rows.isfinite().all()):
        return "logits"
    if rows.shape[1] > 1 and bool((rows >= 0).all()) and bool(((rows.sum(1) - 1).abs() < tolerance).all()):
        return "probabilities"
    if rows.shape[1] > 1 and bool((rows <= 0).all()) and bool((rows.logsumexp(1).abs() < tolerance).all()):
        return "log_probabilities"
    if bool(((rows >= 0) & (rows <= 1)).all()) and _last_operation(classifier, picture) == "Sigmoid":
        return "sigmoids"
    return "logits"


def _last_operation(classifier: Classifier, picture: Tensor) -> str | None:
    """The kind of the last operation that changes the values of an answer; None if there is no graph."""
    with torch.enable_grad():
        node = classifier.answer(classifier.to_memory_format(picture).clone().requires_grad_()).values.grad_fn
    while node is not None and kind(node) in SHAPES:
        node = next((child for child, _ in node.next_functions if child is not None), None)
    return None if node is None else kind(node)
