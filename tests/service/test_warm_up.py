"""Before a worker is ready its default model is loaded, and its quickest backend found, where that is soon made."""

from __future__ import annotations

import threading

import pytest
from gradoscope.attribution.backends.backend import BackendTrial
from gradoscope.attribution.backends.batching import SIZES
from gradoscope.attribution.gradients import take_gradients
from gradoscope.pipeline.context import Context
from gradoscope.service import warm_up as warming
from gradoscope.service.warm_up import end_trials, warm_up
from gradoscope.settings import Settings

GRADIENTS = ("gradients",)


class Compiled:
    """Stands for a compiled backend, which is right; `may_end` holds its making up."""

    name, sizes, max_batch = "compiled", (4,), None
    may_end = threading.Event()

    def __init__(self, classifier, batch):
        assert self.may_end.wait(60)
        self.classifier = classifier

    def gradients(self, pictures, score):
        return take_gradients(self.classifier, pictures, score)


@pytest.fixture
def context(tmp_path, monkeypatch):
    monkeypatch.setattr("gradoscope.attribution.backends.selection.CompiledBackend", Compiled)
    monkeypatch.setattr("gradoscope.attribution.backends.selection.available", lambda classifier: True)
    # by no clock: beside other tests any pass may be slow
    monkeypatch.setattr("gradoscope.attribution.backends.selection.MAX_SECONDS", 10**6)
    monkeypatch.setattr(BackendTrial, "_decide", lambda trial: trial.__dict__.update(ended=True, better=trial.new))
    Compiled.may_end.clear()
    yield lambda kind: Context.open(Settings(store=tmp_path / "store", acceleration=kind))
    Compiled.may_end.set()


def test_the_first_request_finds_its_backend_made(context):
    context = context("auto")
    Compiled.may_end.set()
    loaded = warm_up(context)
    model = context.settings.default_model
    end_trials(context, loaded)
    assert loaded.backend.name == "compiled"
    assert not context.zoo.advance_backends(), "nothing is left for idle moments"
    assert context.throughput.backend(model, GRADIENTS) == "compiled"
    assert context.throughput.seconds(model, GRADIENTS, 1, loaded.size) == pytest.approx(loaded.backend.seconds)


def test_a_slow_compiler_holds_no_start_up(context, monkeypatch):
    monkeypatch.setattr(warming, "COMPILE_SECONDS", 0.01)
    context = context("auto")
    loaded = warm_up(context)
    end_trials(context, loaded)
    assert loaded.backend.name in ("plain", "folded")
    assert context.throughput.backend(context.settings.default_model, GRADIENTS) == loaded.backend.name
    assert context.zoo.advance_backends(), "it goes on in idle moments"
    Compiled.may_end.set()
    loaded.backend.settle(60)
    assert loaded.backend.name == "compiled"


@pytest.mark.parametrize(("kind", "name"), [("none", "plain"), ("pytorch", "folded")])
def test_without_a_compiler_the_last_pass_is_recorded(context, kind, name):
    context = context(kind)
    loaded = warm_up(context)
    end_trials(context, loaded)
    assert loaded.backend.name == name
    assert not loaded.backend.begun
    assert context.throughput.seconds(context.settings.default_model, GRADIENTS, 1, loaded.size) is not None


def test_the_sizes_of_the_stand_in_are_those_of_no_other_backend():
    assert Compiled.sizes not in SIZES
