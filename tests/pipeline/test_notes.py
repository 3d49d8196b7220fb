"""Notes on maps: why one is zero everywhere and what to do. And which engine computed each."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gradoscope.attribution.backends.selection import prepared
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.methods.base import find_method, methods
from gradoscope.attribution.score import Score
from gradoscope.contract.arrays import Statistics
from gradoscope.pipeline.notes import notes
from gradoscope.pipeline.records import map_and_facts
from gradoscope.pipeline.texts import texts

from tests.support.nets import Tiny, finish, random_picture, wrap

ZERO, SOME = Statistics(min=0, max=0, sum=0), Statistics(min=-1, max=0, sum=-3)


def codes(method: str, score: str = "logit", statistics: Statistics = ZERO, **options) -> list[str]:
    found = find_method(method)
    return [note.code for note in notes(found, found.Parameters(**options), score, statistics)]


def test_what_a_map_of_zeros_means():
    assert codes("grad_cam") == ["zero_relu"]
    assert codes("grad_cam", relu=False) == ["zero"]
    assert codes("guided_grad_cam") == ["zero_cam"]
    assert codes("vanilla_gradient") == ["zero"]
    assert codes("vanilla_gradient", "probability") == ["zero_probability"]
    assert codes("grad_cam", "log_probability") == ["zero_probability", "zero_relu"]
    assert codes("grad_cam", statistics=SOME) == []


def test_every_note_says_what_to_do_in_both_languages():
    for method in methods().values():
        for code in {"zero_probability", method.zero_note(method.Parameters())}:
            assert texts("en")[f"note.{code}"]
            assert texts("zh")[f"note.{code}"]
    (relu,) = notes(find_method("grad_cam"), find_method("grad_cam").Parameters(), "logit", ZERO)
    assert "relu = false" in relu.detail
    (saturated,) = notes(find_method("grad_cam"), find_method("grad_cam").Parameters(relu=False), "probability", ZERO)
    assert "score = logit" in saturated.detail


@pytest.mark.parametrize("method", ["vanilla_gradient", "smooth_grad", "guided_backprop", "grad_cam", "occlusion"])
def test_the_record_names_the_engine(method):
    options = {"smooth_grad": {"samples": 4}, "occlusion": {"window": 4, "stride": 4}}.get(method, {})
    classifier = wrap(Tiny(), side=12)
    engine = Engine(classifier, Score(0), prepared(classifier, kind="pytorch"), micro_batch=2)
    found = find_method(method)
    steps = found.attribute(engine, random_picture(side=12), found.Parameters(**options), 0)
    values, facts = map_and_facts(finish(steps)[1], seconds=0.1, engine=engine)
    by_backend = method in ("vanilla_gradient", "smooth_grad")
    assert facts.diagnostics["engine"] == {
        "backend": engine.backend.backend_name_for(2) if by_backend else "plain",
        "device": "cpu",
        "dtype": "float32",
        "threads": torch.get_num_threads(),
    }
    assert np.isfinite(values).all()


def test_a_faster_backend_is_named_from_its_first_use():
    classifier = wrap(Tiny(), side=12)
    selector = prepared(classifier, kind="none")
    engine = Engine(classifier, Score(0), selector)
    engine.gradients(random_picture(side=12)[None])
    assert engine.used == ("plain",)
    selector.backend.name = "faster"
    engine.gradients(random_picture(side=12)[None])
    assert engine.used == ("plain", "faster")
