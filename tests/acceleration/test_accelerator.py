"""The accelerator: right ways are taken, wrong and slow ones left alone, and an answer is never a trial's."""

from __future__ import annotations

import copy
import logging

import pytest
import torch
from gradoscope.acceleration.accelerator import Accelerator
from gradoscope.acceleration.batching import SIZES, Sizes, weighed
from gradoscope.acceleration.ways import Eager, Trial, agree
from gradoscope.attribution.engine import Engine, take_gradients
from gradoscope.attribution.score import Score
from nets import Tiny, random_picture, wrap
from torch import Tensor, nn

PICTURES = torch.stack([random_picture(seed=seed) for seed in range(4)])


class Normalised(Tiny):
    def __init__(self) -> None:
        super().__init__()
        self.second = nn.Sequential(self.second, nn.BatchNorm2d(8))


class Way:
    """Some way: its gradients are `factor` times the right ones."""

    def __init__(self, classifier, factor: float = 1, error: Exception | None = None) -> None:  # type: ignore[no-untyped-def]
        self.name, self.sizes = "new", SIZES
        self.classifier, self.factor, self.error = classifier, factor, error

    def gradients(self, pictures: Tensor, score: Score) -> Tensor:
        if self.error:
            raise self.error
        return self.factor * take_gradients(self.classifier, pictures, score)


def accelerated(network: nn.Module, room: bool = True, kind: str = "pytorch", **options: int):  # type: ignore[no-untyped-def]
    classifier = wrap(network)
    classifier.accelerator = Accelerator(classifier, kind, lambda size: room, **options)
    return classifier


def test_folded_weights_are_used_once_they_are_proven() -> None:
    classifier = accelerated(Normalised())
    expected = take_gradients(classifier, PICTURES, Score(1))
    engine = Engine(classifier, Score(1))
    assert torch.equal(engine.gradients(PICTURES), expected), "while a way is tried, the answer is the old one's"
    assert classifier.accelerator.way.name == "folded"
    assert classifier.accelerator.bytes > 0
    assert torch.allclose(engine.gradients(PICTURES), expected, rtol=1e-4, atol=1e-6)
    classifier.accelerator.release()
    assert classifier.accelerator.way.name == "plain"
    assert classifier.accelerator.bytes == 0
    engine.gradients(PICTURES)
    engine.gradients(PICTURES)
    assert classifier.accelerator.way.name == "folded", "made anew where it is asked for again"


def test_nothing_is_made_where_there_is_no_room_or_no_wish() -> None:
    for classifier in (accelerated(Normalised(), room=False), accelerated(Normalised(), kind="none")):
        for _ in range(3):
            Engine(classifier, Score(1)).gradients(PICTURES)
        assert classifier.accelerator.way.name == "plain"
        assert classifier.accelerator.bytes == 0


def test_rules_go_by_the_network_itself() -> None:
    """The graph that a rule is put on is the classifier's, whatever way the plain gradients take."""
    classifier = accelerated(Normalised())
    engine, met = Engine(classifier, Score(1)), []
    engine.gradients(PICTURES)
    engine.gradients(PICTURES, met.append)
    assert [type(logits) for logits in met] == [Tensor]


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ({"factor": 1.2}, "off"),
        ({"factor": float("nan")}, "off"),
        ({"error": RuntimeError("no such thing")}, "no such thing"),
        ({"error": MemoryError()}, "MemoryError"),
    ],
)
def test_wrong_ways_are_left_alone(way: dict[str, object], words: str, caplog: pytest.LogCaptureFixture) -> None:
    classifier = wrap(Tiny())
    trial = Trial(Eager("old", classifier), Way(classifier, **way))
    with caplog.at_level(logging.INFO):
        given = trial.run(PICTURES, Score(0))
    assert torch.equal(given, take_gradients(classifier, PICTURES, Score(0)))
    assert trial.ended
    assert trial.better is None
    assert [words in record.getMessage() for record in caplog.records] == [True]


def test_slow_ways_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that the test turns."""
    classifier, now = wrap(Tiny()), [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    class Timed(Way):
        seconds = 1.0

        def gradients(self, pictures: Tensor, score: Score) -> Tensor:
            now[0] += self.seconds
            return super().gradients(pictures, score)

    for seconds, better in ((2.0, False), (0.5, True)):
        old, new = Timed(classifier), Timed(classifier)
        new.seconds = seconds
        trial = Trial(old, new)
        for _ in range(3):
            assert not trial.ended
            trial.run(PICTURES, Score(0))
        assert trial.ended
        assert (trial.better is new) is better


def test_agreement_is_by_the_bounds() -> None:
    """Median ≤ 1e-2, worst ≤ 1e-1; zero gradients agree with zero gradients only."""
    right = torch.ones(4, 3, 8, 8)
    off = torch.tensor([0.0, 0.001, 0.005, 0.09]).view(4, 1, 1, 1)
    assert agree(right * (1 + off), right)
    assert not agree(right * (1 + 2 * off), right)
    assert not agree(right * 1.02, right)
    assert agree(0 * right, 0 * right)
    assert not agree(right, 0 * right)
    assert not agree(0 * right, right)
    assert not agree(right * float("nan"), right)


def test_a_copy_of_a_classifier_has_no_accelerator() -> None:
    assert copy.deepcopy(accelerated(Tiny())).accelerator is None


def test_sizes_are_tried_and_the_quickest_kept() -> None:
    sizes, tried = Sizes(), []
    for _ in range(12):
        count = sizes.next
        tried.append(count)
        sizes.note(count, count * {2: 0.02, 4: 0.015, 8: 0.0149}[count])
    assert tried == [2, 2, 2, 4, 4, 4, 8, 8, 8, 4, 4, 4]


def test_sizes_stay_small_where_a_pass_takes_long() -> None:
    sizes = Sizes()
    for seconds, expected in ((0.9, 1), (0.9, 1)):
        sizes.note(2, seconds)
        assert sizes.next == expected
    quick = Sizes()
    quick.note(2, 0.25)
    assert quick.next == 2
    for _ in range(2):
        quick.note(2, 0.25)
    assert quick.next == 4
    for _ in range(3):
        quick.note(4, 0.5)
    assert quick.next == 2, "8 would take a second"


def test_memory_budget_limits_the_micro_batch() -> None:
    classifier = wrap(Tiny())
    with weighed(classifier) as weight:
        take_gradients(classifier, PICTURES, Score(0))
    each = weight.bytes / len(PICTURES)
    assert each > 4 * 3 * 8 * 8
    limited = accelerated(Tiny(), batch_bytes=int(2.5 * each))
    engine = Engine(limited, Score(0), micro_batch=4)
    assert torch.equal(engine.gradients(PICTURES), take_gradients(limited, PICTURES, Score(0)))
    assert engine.micro_batch == 2
    assert [len(batch) for batch in engine.batches(range(5))] == [2, 2, 1]
