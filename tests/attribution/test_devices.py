"""No method mixes tensors of two devices, and none waits for a GPU more often than once a pass: on a pretended one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.methods.base import find_method, methods
from gradoscope.attribution.score import Score
from torch import Tensor

from tests.attribution.methods.test_every_method import QUICK
from tests.support.nets import Tiny, classifier, random_picture, relative, wrap
from tests.support.pretend_card import Card, OnCard, moved

NETS = {"tiny": lambda: wrap(Tiny(), side=64), "resnet18": lambda: classifier("resnet18", 64),
        "vit_64": lambda: classifier("vit_64")}  # fmt: skip


@contextmanager
def everywhere(card: Card) -> Iterator[None]:
    """A context in which threads can use the pretended device too: a mode belongs to its thread."""

    class Thread(threading.Thread):
        def run(self) -> None:
            with Card(card.waits):
                super().run()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "Thread", Thread)
        yield


def on_card(method: str, network: Classifier, picture: Tensor, **options: Any) -> tuple[Tensor, Card]:
    """The map, computed on the pretended device; and what it waited for."""
    with Card() as card, everywhere(card):
        engine = Engine(moved(network), Score(1))
        engine.inspection  # noqa: B018 (looked at once for a network; it is no part of a method)
        card.waits.clear()
        values = find_method(method).run(engine, OnCard(picture), **options).values
        assert isinstance(values, OnCard)
        return values.values, card


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("method", methods())
def test_map_on_another_device(method: str, name: str) -> None:
    network, picture, options = NETS[name](), random_picture(side=64), QUICK.get(method, {})
    try:
        expected = find_method(method).run(Engine(network, Score(1)), picture, **options).values
    except Refused:
        with pytest.raises(Refused):
            on_card(method, network, picture, **options)
        return
    actual, _ = on_card(method, network, picture, **options)
    assert relative(actual, expected) < 1e-4


def test_two_devices_are_not_mixed() -> None:
    with Card(), pytest.raises(RuntimeError, match="same device"):
        OnCard(torch.ones(2)) + torch.ones(2)


@pytest.mark.parametrize(
    ("method", "field"),
    [("smooth_grad", "samples"), ("integrated_gradients", "steps"), ("blur_integrated_gradients", "steps")],
)
def test_a_pass_waits_once(method: str, field: str) -> None:
    """For `finite`; what comes at the beginning and at the end does not grow with the passes."""
    network, picture = wrap(Tiny(), side=16), random_picture(side=16)
    few, many = (sum(on_card(method, network, picture, **{field: n})[1].waits.values()) for n in (8, 40))
    assert many - few == (40 - 8) // 4  # pictures in a pass
