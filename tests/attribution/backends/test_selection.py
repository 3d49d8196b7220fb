"""The backend selector takes correct backends, not wrong or slow ones. During a trial the old backend answers."""

from __future__ import annotations

import logging
import threading
import time

import pytest
import torch
from gradoscope.attribution.backends.backend import Backend, BackendTrial, EagerBackend, agree
from gradoscope.attribution.backends.batching import SIZES, BatchSizes, count_saved_bytes
from gradoscope.attribution.backends.selection import BackendSelector, prepared
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.gradients import take_gradients
from gradoscope.attribution.score import Score
from torch import Tensor, nn

from tests.support.nets import Tiny, random_picture, relative, wrap

PICTURES = torch.stack([random_picture(seed=seed) for seed in range(4)])


class Normalised(Tiny):
    def __init__(self) -> None:
        super().__init__()
        self.second = nn.Sequential(self.second, nn.BatchNorm2d(8))


class Scaled(Backend):
    """Some backend: its gradients are `factor` times the right ones."""

    def __init__(self, classifier, factor: float = 1, error: Exception | None = None) -> None:  # type: ignore[no-untyped-def]
        self.name, self.sizes = "new", SIZES[0]
        self.classifier, self.factor, self.error = classifier, factor, error

    def gradients(self, pictures: Tensor, score: Score) -> Tensor:
        if self.error:
            raise self.error
        return self.factor * take_gradients(self.classifier, pictures, score)


def selector(network: nn.Module, room: bool = True, kind: str = "pytorch", **options: int) -> BackendSelector:
    return BackendSelector(wrap(network), kind, lambda size: room, **options)


def engine_of(backend: BackendSelector, score: Score, **options: int) -> Engine:
    return Engine(backend.classifier, score, backend, **options)


def test_folded_weights_are_used_once_they_are_proven() -> None:
    backend = selector(Normalised())
    expected = take_gradients(backend.classifier, PICTURES, Score(1))
    engine = engine_of(backend, Score(1))
    assert torch.equal(engine.gradients(PICTURES), expected), "while a backend is tried, the answer is the old one's"
    assert backend.backend.name == "folded"
    assert backend.bytes > 0
    assert torch.allclose(engine.gradients(PICTURES), expected, rtol=1e-4, atol=1e-6)
    backend.release()
    assert backend.backend.name == "plain"
    assert backend.bytes == 0
    engine.gradients(PICTURES)
    engine.gradients(PICTURES)
    assert backend.backend.name == "folded", "made anew where it is asked for again"


def test_no_backend_is_made_without_room_or_when_switched_off() -> None:
    for backend in (selector(Normalised(), room=False), selector(Normalised(), kind="none")):
        for _ in range(3):
            engine_of(backend, Score(1)).gradients(PICTURES)
        assert backend.backend.name == "plain"
        assert backend.bytes == 0


class SeenLogits:
    """A rule that changes nothing, and keeps the logits that it is given."""

    def __init__(self) -> None:
        self.met: list[Tensor] = []

    def recording(self) -> None:
        return None

    def __call__(self, logits: Tensor) -> None:
        self.met.append(logits)

    def remove(self) -> None:
        pass


def test_rules_go_by_the_network_itself() -> None:
    """A rule is attached to the classifier's own graph, whatever backend computes gradients without a rule."""
    engine, rule = engine_of(selector(Normalised()), Score(1)), SeenLogits()
    engine.gradients(PICTURES)
    engine.gradients(PICTURES, rule)
    assert [type(logits) for logits in rule.met] == [Tensor]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"factor": 1.2}, "off"),
        ({"factor": float("nan")}, "off"),
        ({"error": RuntimeError("no such thing")}, "no such thing"),
        ({"error": MemoryError()}, "MemoryError"),
    ],
)
def test_wrong_backends_are_left_alone(given: dict[str, object], words: str, caplog: pytest.LogCaptureFixture) -> None:
    classifier = wrap(Tiny())
    trial = BackendTrial(EagerBackend("old", classifier), Scaled(classifier, **given))
    with caplog.at_level(logging.INFO):
        found = trial.run(PICTURES, Score(0))
    assert torch.equal(found, take_gradients(classifier, PICTURES, Score(0)))
    assert trial.ended
    assert trial.better is None
    assert [words in record.getMessage() for record in caplog.records] == [True]


def test_slow_backends_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that the test turns."""
    classifier, now = wrap(Tiny()), [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    class Timed(Scaled):
        seconds = 1.0

        def gradients(self, pictures: Tensor, score: Score) -> Tensor:
            now[0] += self.seconds
            return super().gradients(pictures, score)

    for seconds, better, rounds in ((2.0, False, 3), (0.9, True, 3), (0.5, True, 2)):
        old, new = Timed(classifier), Timed(classifier)
        new.seconds = seconds
        trial = BackendTrial(old, new)
        for _ in range(rounds):  # two are enough where it is quicker by far
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


def test_sizes_are_tried_and_the_quickest_kept() -> None:
    sizes, tried = BatchSizes(), []
    for _ in range(12):
        count = sizes.next
        tried.append(count)
        sizes.note(count, count * {2: 0.02, 4: 0.015, 8: 0.0149}[count])
    assert tried == [2, 2, 2, 4, 4, 4, 8, 8, 8, 4, 4, 4]


def test_sizes_stay_small_where_a_pass_takes_long() -> None:
    sizes = BatchSizes()
    for seconds, expected in ((0.9, 1), (0.9, 1)):
        sizes.note(2, seconds)
        assert sizes.next == expected
    quick = BatchSizes()
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
    with count_saved_bytes(classifier) as saved:
        take_gradients(classifier, PICTURES, Score(0))
    each = saved.bytes / len(PICTURES)
    assert each > 4 * 3 * 8 * 8
    limited = selector(Tiny(), batch_bytes=int(2.5 * each))
    engine = engine_of(limited, Score(0), micro_batch=4)
    assert torch.equal(engine.gradients(PICTURES), take_gradients(limited.classifier, PICTURES, Score(0)))
    assert engine.micro_batch == 2
    assert [len(batch) for batch in engine.batches(range(5))] == [2, 2, 1]


def test_prepared() -> None:
    """Every trial is through, the compiled one among them where it can be; the results are the network's."""
    network = wrap(Normalised())
    quick = prepared(network, "auto")
    assert quick.classifier is network
    assert not quick.advance(), "nothing is left to try"
    actual = engine_of(quick, Score(1), micro_batch=0).gradients(PICTURES)
    assert relative(actual, take_gradients(network, PICTURES, Score(1))) < 1e-4
    assert not [thread for thread in threading.enumerate() if thread.name == "compile"]


def test_trials_go_on_in_idle_moments() -> None:
    """What a first request has begun is brought to its end without another one."""
    backend = selector(Normalised(), kind="auto")
    assert not backend.advance(), "nothing is begun unasked"
    for _ in range(8):
        engine_of(backend, Score(1), micro_batch=4).gradients(PICTURES)
    steps = 0
    while backend.advance():
        steps += 1
        assert steps < 10_000
        time.sleep(0.001)
    assert backend._trial is None
    expected = take_gradients(backend.classifier, PICTURES, Score(1))
    assert relative(engine_of(backend, Score(1)).gradients(PICTURES), expected) < 1e-4


def test_a_broken_compiler_is_no_trouble(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def broken(classifier: object, batch: int) -> None:
        raise RuntimeError("no such instruction")

    monkeypatch.setattr("gradoscope.attribution.backends.selection.CompiledBackend", broken)
    monkeypatch.setattr("gradoscope.attribution.backends.selection.available", lambda classifier: True)
    with caplog.at_level(logging.INFO):
        quick = prepared(wrap(Normalised()), "auto")
    assert quick.backend.name == "folded"
    assert any("no such instruction" in record.getMessage() for record in caplog.records)
    network = quick.classifier.network
    assert quick.bytes == sum(t.numel() * 4 for t in (network.first.weight, network.second[0].weight))


def test_views_share_folded_weights() -> None:
    base = selector(Normalised())
    engine_of(base, Score(1)).gradients(PICTURES)
    view = base.classifier.view((12, 12))
    backend = BackendSelector(view, "pytorch", lambda size: False, base=base)
    pictures = torch.stack([random_picture(side=12, seed=seed) for seed in range(4)])
    expected = take_gradients(view, pictures, Score(1))
    for _ in range(2):
        actual = engine_of(backend, Score(1)).gradients(pictures)
    assert (backend.backend.name, backend.bytes) == ("folded", 0)
    assert relative(actual, expected) < 1e-5


class Quick(Scaled):
    """Stands for a compiled backend: right, and with one size of its own."""

    def __init__(self, classifier, batch: int) -> None:  # type: ignore[no-untyped-def]
        super().__init__(classifier)
        self.name, self.sizes = "compiled", (2 * batch,)


@pytest.fixture
def quick_compiler(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A compiler that makes `Quick` as soon as the event is set."""
    may_end = threading.Event()

    def compile(classifier, batch: int) -> Quick:  # type: ignore[no-untyped-def]
        assert may_end.wait(30)
        return Quick(classifier, batch)

    monkeypatch.setattr("gradoscope.attribution.backends.selection.CompiledBackend", compile)
    monkeypatch.setattr("gradoscope.attribution.backends.selection.available", lambda classifier: True)
    monkeypatch.setattr(BackendTrial, "_decide", lambda trial: trial.__dict__.update(ended=True, better=trial.new))
    return may_end


def test_what_is_begun_early_is_settled_before_the_first_request(quick_compiler: threading.Event) -> None:
    backend = selector(Normalised(), kind="auto")
    backend.begin(0.01)
    assert backend.begun
    assert backend.backend.name == "plain", "nothing is used before it is tried"
    backend.settle(0)  # not compiled in time: it goes on in idle moments
    assert backend.backend.name == "plain"
    quick_compiler.set()
    backend.settle(30)
    assert (backend.backend.name, backend.partial_batch_backend.name) == ("compiled", "folded")
    assert not backend.advance(), "nothing is left to try"
    backend.begin(0.01)
    backend.settle(30)
    assert backend.backend.name == "compiled"


def test_nothing_is_begun_early_where_passes_take_long_or_it_is_switched_off(quick_compiler: threading.Event) -> None:
    quick_compiler.set()
    slow, off, eager = (selector(Normalised(), kind=kind) for kind in ("auto", "none", "pytorch"))
    slow.begin(0.2)
    off.begin(0.01)
    eager.begin(0.01)
    for backend in (slow, off, eager):
        assert not backend.begun
        backend.settle(30)
        assert backend.backend.name == "plain"
    engine_of(eager, Score(1)).gradients(PICTURES)
    assert eager.backend.name == "folded"


def test_a_graph_on_wrong_folded_weights_is_dropped(
    quick_compiler: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiler works on folded weights before they are proven: where they are wrong, nobody uses its graph."""
    quick_compiler.set()
    monkeypatch.setattr(EagerBackend, "gradients", lambda self, x, s: _wrong_if_folded(self, x, s))
    backend = selector(Normalised(), kind="auto")
    backend.begin(0.01)
    backend.settle(30)
    assert (backend.backend.name, backend.begun, backend.bytes) == ("plain", False, 0)
    assert not backend.advance()


def _wrong_if_folded(backend: EagerBackend, pictures: Tensor, score: Score) -> Tensor:
    found = take_gradients(backend.classifier, pictures, score)
    return 2 * found if backend.name == "folded" else found
