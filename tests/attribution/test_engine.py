"""The engine: gradients picture by picture, noise, and no value that is not finite."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from gradoscope.attribution.backends.backend import PATIENCE, EagerBackend
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.errors import ComputationFailed, OutOfMemory, Refused
from gradoscope.attribution.gradients import finite
from gradoscope.attribution.noise import generator, noise
from gradoscope.attribution.score import Score
from gradoscope.pipeline.problems import as_problem
from torch import Tensor, nn

from tests.support.nets import Linear, Quadratic, Tiny, explain, gradient, random_picture, relative, wrap


def test_gradient_of_a_linear_score_is_its_weight() -> None:
    network = Linear()
    actual = Engine(wrap(network), Score(1)).gradients(random_picture()[None])
    assert torch.allclose(actual[0], network.weight[1])


def test_gradient_is_per_pixel_value_in_0_to_1() -> None:
    """The normalisation is part of the model, so its divisor is in the gradient."""
    network, std = Linear(), torch.tensor([0.1, 0.2, 0.5])
    actual = Engine(wrap(network, mean=(0.4, 0.5, 0.6), std=std.tolist()), Score(0)).gradients(random_picture()[None])
    assert torch.allclose(actual[0], network.weight[0] / std.view(3, 1, 1))


def test_pictures_of_a_batch_do_not_mix() -> None:
    network = wrap(Tiny()).double()
    pictures = torch.stack([random_picture(seed=seed) for seed in range(5)]).double()
    actual = Engine(network, Score(2)).gradients(pictures)
    for picture, slope in zip(pictures, actual, strict=True):
        assert relative(slope, gradient(network, picture, lambda y: y[:, 2])) < 1e-12


def test_scores() -> None:
    network, pictures = wrap(Quadratic()), torch.stack([random_picture(seed=seed) for seed in range(3)])
    actual = Engine(network, Score(1)).scores(pictures)
    assert torch.allclose(actual, network(pictures)[:, 1])
    assert not actual.requires_grad


def test_gradients_within_no_grad() -> None:
    with torch.no_grad():
        assert Engine(wrap(Tiny()), Score(0)).gradients(random_picture()[None]).shape == (1, 3, 8, 8)
        assert not torch.is_grad_enabled()


def test_picture_is_left_as_it_is() -> None:
    """A network may begin with an operation in place."""
    x = random_picture() - 0.5
    kept = x.clone()
    Engine(wrap(nn.Sequential(nn.ReLU(inplace=True), Linear())), Score(0)).gradients(x[None])
    assert torch.equal(x, kept)
    assert not x.requires_grad


@pytest.mark.parametrize(("count", "expected"), [(0, []), (1, [1]), (8, [4, 4]), (9, [4, 4, 1])])
def test_batches(count: int, expected: list[int]) -> None:
    assert [len(batch) for batch in Engine(wrap(Linear()), Score(0), micro_batch=4).batches(range(count))] == expected


def test_batches_are_lazy() -> None:
    taken = []
    next(Engine(wrap(Linear()), Score(0), micro_batch=3).batches(taken.append(i) for i in range(1000)))
    assert len(taken) == 3


def test_noise_is_of_seed_and_sample_alone() -> None:
    shape = (3, 8, 8)
    assert torch.equal(noise(7, 3, shape), noise(7, 3, shape))
    different = [noise(seed, k, shape) for seed in (0, 1, 11) for k in (0, 1, 11)]
    for i, one in enumerate(different):
        assert not any(torch.equal(one, other) for other in different[:i])


def test_generators_are_of_seed_and_names_alone() -> None:
    """Each name its own stream: what a sample draws is not tied to its noise."""
    streams = [(seed, *names) for seed in (0, 1) for names in ((), (0,), (1,), (0, "alpha"), (1, "alpha"))]
    drawn = [torch.rand(4, generator=generator(*stream)) for stream in streams]
    for i, (stream, values) in enumerate(zip(streams, drawn, strict=True)):
        assert torch.equal(values, torch.rand(4, generator=generator(*stream)))
        assert not any(torch.equal(values, other) for other in drawn[:i])


def test_noise_is_standard_normal() -> None:
    values = torch.cat([noise(0, k, (3, 32, 32)).flatten() for k in range(10)])
    assert abs(float(values.mean())) < 0.02
    assert float(values.std()) == pytest.approx(1, abs=0.02)


def test_noise_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    noise(0, 0, (3, 8, 8))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_never_returned(value: float) -> None:
    with pytest.raises(ComputationFailed, match="finite"):
        finite(torch.tensor([0.0, value]))

    class Broken(Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x * torch.tensor(value))

    with pytest.raises(ComputationFailed):
        Engine(wrap(Broken()), Score(0)).gradients(random_picture()[None])


class Detached(Tiny):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.detach())


class Sealed(Tiny):
    def forward(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            return super().forward(x)


@pytest.mark.parametrize("network", [Detached(), Sealed()])
def test_model_without_a_graph_is_refused(network: nn.Module) -> None:
    with pytest.raises(Refused, match="no gradient"):
        Engine(wrap(network), Score(0)).gradients(random_picture()[None])


class Hungry(Tiny):
    """A network that memory suffices for only up to `most` pictures at once."""

    def __init__(self, most: int, error: type[Exception] = MemoryError, words: str = "") -> None:
        super().__init__()
        self.most, self.error, self.words, self.passes = most, error, words, []

    def forward(self, x: Tensor) -> Tensor:
        self.passes.append(len(x))
        if len(x) > self.most:
            raise self.error(self.words)
        return super().forward(x)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError, ""),
        (torch.OutOfMemoryError, "CUDA out of memory. Tried to allocate 2.00 GiB."),
        (RuntimeError, "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: not enough memory: you tried to …"),
        (RuntimeError, "std::bad_alloc"),
    ],
)
def test_micro_batch_is_halved_when_memory_runs_out(error: type[Exception], words: str) -> None:
    """The result is the same, and the smaller size is remembered for this model."""
    network = Hungry(3, error, words)
    model, pictures = wrap(network), torch.stack([random_picture(seed=seed) for seed in range(8)])
    backend = EagerBackend("plain", model)
    engine = Engine(model, Score(1), backend, micro_batch=8)
    actual = engine.gradients(pictures)
    assert torch.allclose(actual, Engine(wrap(Tiny()), Score(1)).gradients(pictures), atol=1e-7)
    assert network.passes == [8, 4, 2, 2, 2, 2]
    assert engine.micro_batch == 2
    assert Engine(model, Score(0), backend, micro_batch=8).micro_batch == 2
    assert [len(batch) for batch in engine.batches(range(5))] == [2, 2, 1]
    network.passes.clear()
    engine.scores(pictures)
    assert network.passes == [2, 2, 2, 2]


def test_full_micro_batch_is_found_again_when_memory_is_back() -> None:
    network = Hungry(2)
    model, pictures = wrap(network), torch.stack([random_picture(seed=seed) for seed in range(8)])
    backend = EagerBackend("plain", model)
    engine = Engine(model, Score(1), backend, micro_batch=8)
    engine.gradients(pictures)
    network.most = 8
    for _ in range(PATIENCE[0]):
        engine.gradients(pictures)
    assert (engine.micro_batch, backend.max_batch) == (8, None)
    network.passes.clear()
    engine.gradients(pictures)
    assert network.passes == [8]


def test_more_pictures_are_tried_ever_more_rarely_while_memory_is_short() -> None:
    network = Hungry(2)
    model, pictures = wrap(network), torch.stack([random_picture(seed=seed) for seed in range(4)])
    backend = EagerBackend("plain", model)
    engine = Engine(model, Score(1), backend, micro_batch=4)
    for _ in range(4 * PATIENCE[0]):
        engine.gradients(pictures)
    tries = [number for number, count in enumerate(network.passes) if count == 4]
    between = [after - before - 1 for before, after in pairwise(tries)]
    assert between[:3] == [PATIENCE[0], 2 * PATIENCE[0], 4 * PATIENCE[0]]


def test_what_is_found_again_is_no_more_than_the_budget_allows() -> None:
    network = Hungry(1)
    backend = EagerBackend("plain", model := wrap(network))
    backend.ceiling = backend.max_batch = 3
    engine = Engine(model, Score(1), backend, micro_batch=8)
    pictures = torch.stack([random_picture(seed=seed) for seed in range(6)])
    engine.gradients(pictures)
    network.most = 8
    for _ in range(4 * PATIENCE[0]):
        engine.gradients(pictures)
    assert (backend.max_batch, max(network.passes[3:])) == (3, 3)


def test_one_picture_too_much() -> None:
    """507 only where nothing is left to halve."""
    for compute in ("gradients", "scores"):
        with pytest.raises(OutOfMemory) as refusal:
            getattr(Engine(wrap(Hungry(0)), Score(1)), compute)(torch.stack([random_picture()] * 4))
        assert as_problem(refusal.value).status == 507


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    network = Hungry(0, RuntimeError, "mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError, match="shapes"):
        Engine(wrap(network), Score(1)).gradients(torch.stack([random_picture()] * 4))
    assert network.passes == [4]


@pytest.mark.parametrize(
    "method", ["smooth_grad", "integrated_gradients", "blur_integrated_gradients", "gradient_shap"]
)
def test_methods_go_on_with_a_smaller_micro_batch(method: str) -> None:
    options = {"samples": 7} if method in ("smooth_grad", "gradient_shap") else {"steps": 7}
    actual = explain(method, wrap(Hungry(2)), random_picture(), micro_batch=6, **options)
    expected = explain(method, wrap(Tiny()), random_picture(), micro_batch=6, **options)
    assert relative(actual.values, expected.values) < 1e-6
    assert actual.diagnostics["gradient_evaluations"] == expected.diagnostics["gradient_evaluations"] == 7
