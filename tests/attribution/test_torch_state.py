"""Whatever the caller has set in PyTorch: the maps are the same, and afterwards it is as it was."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import pytest
import torch
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.methods.base import find_method, methods
from gradoscope.attribution.score import Score
from gradoscope.attribution.torch_state import clean_state, in_clean_state
from torch import Tensor, nn

from tests.support.cheap_options import CHEAP
from tests.support.nets import Tiny, random_picture, relative, wrap
from tests.support.token_nets import Tokens


@contextmanager
def default_dtype() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def reduced_precision() -> Iterator[None]:
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision("highest")


STATES = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "default dtype": default_dtype,
    "default device": lambda: torch.device("meta"),
    "deterministic": deterministic,
    "reduced precision": reduced_precision,
}


def state() -> dict[str, Any]:
    return {
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "products": torch.get_float32_matmul_precision(),
        "convolutions": torch.backends.cudnn.allow_tf32,
    }


CLEAN = {
    "grad": True, "inference": False, "autocast": False, "dtype": torch.float32, "device": torch.device("cpu"),
    "products": "highest", "convolutions": False,
}  # fmt: skip


class Pooled(Tiny):
    """With a max pooling, whose backward pass has no deterministic form in PyTorch."""

    def __init__(self) -> None:
        super().__init__(nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)))


@pytest.mark.parametrize("setting", STATES.values(), ids=STATES)
def test_every_method_and_the_callers_state(setting: Any) -> None:
    network, x = wrap(Pooled(), side=16), random_picture(side=16)
    transformer, tokens = wrap(Tokens(), side=32), random_picture(side=32)

    def map_of(id: str) -> Tensor:
        taken, picture = (transformer, tokens) if find_method(id).transformers_only else (network, x)
        return find_method(id).run(Engine(taken, Score(1)), picture, **CHEAP.get(id, {})).values

    expected = {id: map_of(id) for id in methods()}
    manager: AbstractContextManager[Any] = setting()
    actual = {}
    with manager:
        before = state()
        for id in expected:
            actual[id] = map_of(id)
            assert state() == before, id
    for id, values in expected.items():
        assert actual[id].dtype == torch.float32
        assert relative(actual[id], values) < 1e-6, id


@pytest.mark.parametrize("setting", STATES.values(), ids=STATES)
def test_state_comes_back_after_an_error_too(setting: Any) -> None:
    with setting():
        before = state()
        with suppress(ZeroDivisionError), clean_state(), clean_state():
            assert CLEAN.items() <= state().items()
            raise ZeroDivisionError
        assert state() == before


def test_steps_run_in_it_and_the_caller_has_its_own_between_them() -> None:
    seen = []

    def steps() -> Generator[int, None, str]:
        try:
            for number in range(2):
                seen.append(state())
                yield number
            return "end"
        finally:
            seen.append(state())

    with torch.inference_mode(), default_dtype():
        before = state()
        running = in_clean_state(steps())
        assert next(running) == 0
        assert state() == before
        running.close()  # suspended: what it does at its end runs in the clean state too
        assert state() == before
        whole = in_clean_state(steps())
        assert list(whole) == [0, 1]
    assert len(seen) == 5
    assert all(CLEAN.items() <= one.items() for one in seen)


def test_network_built_in_inference_mode() -> None:
    with torch.inference_mode():
        built = wrap(Tiny())
    x = random_picture()
    actual = find_method("vanilla_gradient").run(Engine(built, Score(0)), x).values
    assert relative(actual, find_method("vanilla_gradient").run(Engine(wrap(Tiny()), Score(0)), x).values) < 1e-6
