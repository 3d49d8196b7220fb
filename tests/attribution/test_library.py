"""The attribution library by itself: the five lines of the README, and that it does not need what the server needs."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import get_args

import pytest
import torch
from gradoscope.attribution import AttributionError, Classifier, Engine, Score, find_method
from gradoscope.attribution.errors import InvalidParameter, Refused, UnknownName
from gradoscope.attribution.score import ScoreKind
from gradoscope.contract import arrays
from torch import nn

from tests.support.nets import Tiny, random_picture
from tests.support.warm_python import WarmPython

# what the server needs, and the library does not
SERVER = "fastapi starlette uvicorn httpx2 typer rich jinja2 pydantic_settings fsspec timm torchvision"


def test_in_five_lines() -> None:
    network, picture = Tiny(), random_picture()
    classifier = Classifier(network, size=(8, 8), labels=["cat", "dog", "owl"], mean=(0.5,) * 3, std=(0.25,) * 3)
    engine = Engine(classifier, Score(target=2))
    attribution = find_method("integrated_gradients").run(engine, picture, steps=200)
    black = torch.zeros_like(picture)
    with torch.no_grad():
        change = classifier(picture[None])[0, 2] - classifier(black[None])[0, 2]
    assert attribution.values.shape == picture.shape
    assert float(attribution.values.sum()) == pytest.approx(float(change), rel=0.02)


def test_a_classifier_is_the_network_and_nothing_else() -> None:
    classifier = Classifier(Tiny(), size=(8, 8), labels=["a", "b", "c"])
    before = dict(vars(classifier))
    engine = Engine(classifier, Score(0))
    find_method("grad_cam").run(engine, random_picture())
    engine.backend.max_batch = 1
    assert vars(classifier) == before


def test_it_is_used_without_the_server(warm_python: WarmPython, tmp_path: Path) -> None:
    """In a process of its own, where none of what the server needs can be imported."""
    code = f"""
import sys
class Barred:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {SERVER.split()!r}:
            raise ImportError(name + " is barred")
sys.meta_path.insert(0, Barred())
import torch
from torch import nn
from gradoscope.attribution import Classifier, Engine, Score, find_method
from gradoscope.attribution.metrics.base import metrics
network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(256, 2))
classifier = Classifier(network, size=(8, 8), labels=["a", "b"])
from gradoscope.attribution.backends.selection import prepared
for backend in (None, prepared(classifier, "pytorch")):
    found = find_method("smooth_grad").run(Engine(classifier, Score(1), backend), torch.rand(3, 8, 8), samples=4)
    assert found.values.shape == (3, 8, 8)
assert metrics()
own = [name for name in sys.modules if name.startswith("gradoscope.")]
print(sorted({{name.split(".")[1] for name in own}}))
"""
    done = warm_python.run_code(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["['attribution',", "'contract']"], "of contract, only the version is imported"


def test_its_errors_are_plain() -> None:
    """No HTTP status, no field of a request: those are given where a client is told."""
    engine = Engine(Classifier(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), size=(8, 8), labels="abc"), Score(0))
    for method, kind in (("grad_cam", Refused), ("guided_backprop", Refused)):
        with pytest.raises(kind) as caught:
            find_method(method).run(engine, random_picture())
        assert isinstance(caught.value, AttributionError)
        assert caught.value.detail == str(caught.value)
        assert not hasattr(caught.value, "status")
    with pytest.raises(ValueError, match="steps"):
        find_method("integrated_gradients").run(engine, random_picture(), steps=0)


def test_errors_cross_processes() -> None:
    for error in (Refused("why"), UnknownName("why", "metric"), InvalidParameter("why", "grad_cam", "layer")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.detail, vars(again)) == (type(error), "why", vars(error))


def test_scores_are_those_of_the_contract() -> None:
    assert get_args(ScoreKind) == get_args(arrays.ScoreKind)
