"""The benchmark measures what it says: on a tiny network, one round, few steps; never how long it takes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.memory import release_freed_memory
from gradoscope.settings import Settings

from benchmarks.maps import error, growth, memory, own_methods, plot, report, rounding, run, subjects
from benchmarks.maps.__main__ import parse
from benchmarks.maps.measure import Times, ratio, total
from benchmarks.maps.own_methods import METHODS, OURS, PATH_METHODS
from benchmarks.maps.peers import MAIN, main_peer
from tests.support.nets import Tiny, random_picture, wrap

SIDE, COUNT = 32, 3


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Files go to a temporary folder, and PyTorch's TF32 setting is restored."""
    for module in (error, subjects):
        monkeypatch.setattr(module, "WORK", tmp_path)
    tf32 = torch.backends.cudnn.allow_tf32
    yield
    torch.backends.cudnn.allow_tf32 = tf32


def tiny() -> subjects.Subject:
    classifier, theirs = wrap(Tiny(), side=SIDE), wrap(Tiny(), side=SIDE)
    return subjects.subject("tiny", Settings(device="cpu"), classifier, theirs, random_picture(side=SIDE))


def plan(**changes) -> run.Plan:
    usual = {"count": COUNT, "rounds": 2, "equal_error": True, "memory": False, "fine": 200}
    return run.Plan(**{**usual, **changes})


@pytest.mark.slow
def test_record_has_both_sides_of_every_method_and_equal_maps(tmp_path: Path) -> None:
    record = run.measure(tiny(), plan(defaults=True))
    for method in METHODS:
        for side in (f"{OURS} pytorch", main_peer(method).library):
            timing = report.pick(record.equal, method, side)
            assert timing.evaluations == (COUNT if own_methods.sampled(method) else 1)
            assert len(timing.seconds) == 2
            assert min(timing.seconds) > 0
    ours = [d for d in record.distances if d.bounded]
    assert {d.method for d in ours} == set(METHODS)
    assert max(d.value for d in ours) < 1e-5
    assert record.faults == []
    for method in PATH_METHODS:
        timing = report.pick(record.equal_error, method, f"{OURS} pytorch")
        assert timing.error <= record.goals[method]  # the peer's error
        assert report.pick(record.equal_error, method, main_peer(method).library).evaluations <= error.PEER_STEPS
    record.save(tmp_path)
    assert run.Record.read(tmp_path / "tiny.json") == record


@pytest.mark.slow
def test_tables_have_what_they_need(tmp_path: Path) -> None:
    record = run.measure(tiny(), plan(defaults=True))
    record.floor = {"ONNX Runtime": 0.001, "OpenVINO": 0.002}  # seconds of a forward pass in an inference runtime
    record.memory = {side: memory.Peak(100, 150) for side in (f"{OURS} pytorch", memory.PEERS)}
    text = report.page_part([record])
    for method in METHODS:
        assert text.count(f"| {report.title(method)} |") >= 3  # times, distances; paths at equal error
    assert " + ".join(MAIN) in text
    assert "default batches" in text
    assert record.machine["date"] in text
    assert "2 rounds" in text
    count = 3 * COUNT + 3  # evaluations: three methods sample, the other three take one pass
    assert f"{count} times: {2 * 0.001 * count:.2f} s" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    for before, line in pairwise(tables):
        if line.startswith("| ---"):
            assert before.count("|") == line.count("|")
    page = tmp_path / "speed.md"
    report.write("bench", "old", page)
    page.write_text(page.read_text() + "\nAnother part.\n")
    report.write("bench", text, page)
    assert text in page.read_text()
    assert "\nold\n" not in page.read_text()
    assert page.read_text().endswith("\nAnother part.\n")
    assert ElementTree.fromstring(report.overview([record])).tag.endswith("svg")


def test_an_engine_that_computes_something_else_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(Engine):
        def gradients(self, pictures, rule=None):  # type: ignore[no-untyped-def]
            return 1.2 * super().gradients(pictures, rule)

    monkeypatch.setitem(
        own_methods.ENGINES, "pytorch", lambda classifier, score, size: Wrong(classifier, score, micro_batch=size)
    )
    found = rounding.distances(tiny(), ["pytorch"], ["vanilla_gradient", "smooth_grad"], COUNT)
    said = rounding.faults(found)
    assert any(line.startswith("vanilla_gradient: Gradoscope pytorch") for line in said)
    assert any(line.startswith("smooth_grad: Gradoscope pytorch") for line in said)


@pytest.mark.parametrize(("against", "faulty"), [("float64", True), ("captum", False)])
def test_the_median_is_of_distances_from_float64(against: str, faulty: bool) -> None:
    found = [rounding.Distance("integrated_gradients", "Gradoscope pytorch", against, 0.02, bounded=True)]
    assert bool(rounding.faults(found)) == faulty


def test_peers_run_the_same_network_in_the_usual_layout() -> None:
    subject = subjects.load("mobilenet_v3_small")
    theirs = dict(subject.theirs.named_parameters())
    for name, parameter in subject.classifier.named_parameters():
        assert torch.equal(parameter, theirs[name])
        assert theirs[name].is_contiguous()
        assert not theirs[name].requires_grad
    again = subjects.load("mobilenet_v3_small")
    assert all(torch.equal(p, theirs[name]) for name, p in again.theirs.named_parameters())


@pytest.mark.parametrize(
    ("error_at", "steps"),
    [
        (lambda n: 1 / n, 25),
        (lambda n: 0.0, error.LADDER[0]),
        (lambda n: 2 / n, 50),
        (lambda n: 4 / n, 100),
        (lambda n: 1.0, None),
        (lambda n: 0.03 if n == 10 else 1 / n, 25),  # a lucky number alone does not count
    ],
)
def test_fewest_steps_for_an_error(error_at, steps: int | None) -> None:
    expected = np.array([1.0, 0.0])
    need = error.needed(lambda n: np.array([1.0, error_at(n)]), expected, 0.04)
    assert need.steps == steps
    assert (need.error <= 0.04) == (steps is not None)


@pytest.mark.parametrize("method", PATH_METHODS)
def test_reference_is_the_integral(method: str) -> None:
    """It sums to the score's change, and is kept."""
    subject = tiny()
    reference = error.reference(subject, method, 400)
    end = subject.x * 0 if method == PATH_METHODS[0] else error.blur(subject.x, error.MAX_SIGMA)
    engine = own_methods.engine_of(subject)
    change = engine.scores(subject.x[None]) - engine.scores(end[None])
    assert float(reference.sum()) == pytest.approx(float(change), rel=0.02)
    (kept,) = (error.WORK / "references").iterdir()
    np.save(kept, np.ones(3))
    assert np.array_equal(error.reference(subject, method, 400), np.ones(3))


def test_spread_and_ratio() -> None:
    ours, theirs = Times((1.0, 2.0, 3.0)), Times((4.0, 6.0, 6.0))
    assert (ours.median, ours.ends, ours.quartiles) == (2.0, (1.0, 3.0), (1.5, 2.5))
    found = ratio(theirs, ours)
    assert (found.medians, found.low, found.high) == (3.0, 2.0, 4.0)
    assert total([ours, theirs]).seconds == (5.0, 8.0, 9.0)


@pytest.mark.slow
def test_growth_of_a_tiny_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "STEPS", (2, 4, 8))
    series = growth.grow(tiny(), ("steps",), 2)
    assert [(s.name, s.x, len(s.seconds[0])) for s in series] == [(report.title(m), [2, 4, 8], 2) for m in PATH_METHODS]
    assert "8 steps" in growth.memory_table(series)
    assert ElementTree.fromstring(growth.drawing("tiny", series)).tag.endswith("svg")
    line = growth.fit([1, 2, 4], [3.0, 5.0, 9.0])
    assert (line.slope, line.intercept, line.r2) == pytest.approx((2, 1, 1))
    assert growth.fit([1, 2, 3], [1.0, 5.0, 1.0]).r2 == pytest.approx(0)


def test_peak_memory_includes_what_was_freed_since() -> None:
    host = torch.device("cpu")
    release_freed_memory()  # what other tests left
    before = memory.reset(host)
    np.ones(64 * memory.MIB, np.uint8)
    assert memory.high_water(host) - before > 60
    release_freed_memory()
    assert memory.reset(host) - before < 10


def test_ticks_are_round() -> None:
    assert plot.ticks(1.2) == [0, 0.25, 0.5, 0.75, 1.0]
    assert plot.log_ticks(3, 60) == [5, 10, 20, 50]


def test_an_engine_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--engine", "imaginary"])
    assert "imaginary" in capsys.readouterr().err
    assert parse(["--engine", "both"]).engine == tuple(own_methods.ENGINES)
