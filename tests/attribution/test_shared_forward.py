"""One forward pass for several users: their results are those of a pass for each."""

from __future__ import annotations

import itertools
import weakref

import pytest
import torch
from gradoscope.attribution import shared_forward as graph
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.inspection import inspection_of
from gradoscope.attribution.methods.base import OnePass, find_method, methods
from gradoscope.attribution.score import Score
from gradoscope.attribution.shared_forward import ForwardPass, SharedEngine, SharedForward
from torch import Tensor, nn

from tests.attribution.methods.test_every_method import Faulty, left_as_it_was
from tests.support.nets import Tiny, classifier, random_picture, relative, wrap

METHODS = [id for id, method in methods().items() if isinstance(method, OnePass)]


def pictures(side: int = 8, count: int = 3) -> Tensor:
    return torch.stack([random_picture(side=side, seed=seed) for seed in range(count)])


def maps(method: str, engine: Engine, x: Tensor) -> Tensor:
    found = find_method(method)
    return found.maps(engine, x, found.Parameters())[0]  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("order", list(itertools.permutations(["vanilla_gradient", "guided_backprop", "grad_cam"])))
def test_each_answer_is_that_of_a_pass_of_its_own(order: tuple[str, ...], inplace: bool) -> None:
    """In any order, and again: a rule is removed from the graph before the next backward pass."""
    network, x = wrap(Tiny(nn.ReLU(inplace=inplace), seed=4)).double(), pictures().double()
    layer = inspection_of(network).layers[-1].name
    shared = ForwardPass(network, x, [layer])
    assert torch.allclose(shared.logits, network(x))
    for method in (*order, *METHODS, *order):
        for score in (Score((0, 2, 1)), Score((1, 1, 2), "probability")):
            actual, expected = maps(method, SharedEngine(shared, score), x), maps(method, Engine(network, score), x)
            assert torch.allclose(actual, expected, rtol=1e-10, atol=1e-14), method


@pytest.mark.parametrize("architecture", ["densenet121", "efficientnet_b0", "mobilenet_v3_small", "vgg11"])
def test_large_networks(architecture: str) -> None:
    network, x, score = classifier(architecture, 96), pictures(96, 2), Score((3, 7))
    with left_as_it_was(network):
        shared = ForwardPass(network, x, [inspection_of(network).layers[-1].name])
        for method in ("vanilla_gradient", "guided_backprop", "grad_cam"):
            actual, expected = maps(method, SharedEngine(shared, score), x), maps(method, Engine(network, score), x)
            assert relative(actual, expected) < 1e-5, method


def test_one_forward_pass_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    network, x = wrap(Tiny()), pictures()
    layer = inspection_of(network).layers[-1].name
    passes = []
    monkeypatch.setattr(network.network, "forward", lambda x: passes.append(len(x)) or Tiny.forward(network.network, x))
    shared = ForwardPass(network, x, [layer])
    for method in ("vanilla_gradient", "guided_backprop", "grad_cam"):
        maps(method, SharedEngine(shared, Score((0, 1, 2))), x)
    assert passes == [3]
    maps("vanilla_gradient", SharedEngine(shared, Score(0)), x.clone())  # other pictures
    SharedEngine(shared, Score(0)).features(x, "first")  # a layer that was not asked for
    assert passes == [3, 3, 3]


def test_a_model_that_raises_is_left_as_it_was() -> None:
    network = Faulty()
    model = wrap(network)
    with left_as_it_was(model):
        network.fuse = 1
        with pytest.raises(ArithmeticError):
            ForwardPass(model, pictures(), ["first", "second"])


def test_a_rule_that_refuses_leaves_nothing_on_the_graph() -> None:
    network, x = wrap(Tiny(torch.sin)).double(), pictures().double()
    shared = ForwardPass(network, x)
    with pytest.raises(Refused):
        maps("guided_backprop", SharedEngine(shared, Score(0)), x)
    expected = maps("vanilla_gradient", Engine(network, Score(0)), x)
    assert torch.allclose(maps("vanilla_gradient", SharedEngine(shared, Score(0)), x), expected)


def test_what_has_no_gradient_is_refused() -> None:
    class Detached(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.detach())

    network, x = wrap(Detached()), pictures()
    with pytest.raises(Refused, match="no gradient"):
        maps("vanilla_gradient", SharedEngine(ForwardPass(network, x), Score(0)), x)


def test_a_layer_that_the_score_does_not_depend_on_is_refused() -> None:
    class Aside(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            self.second(x.mean(1, keepdim=True).expand(-1, 6, -1, -1))  # leads nowhere
            return self.head(self.first(x).mean((2, 3)).repeat(1, 2)[:, :8])

    network, x = wrap(Aside()), pictures()
    with pytest.raises(Refused, match="does not depend on the layer «second»"):
        SharedEngine(ForwardPass(network, x, ["second"]), Score(0)).features(x, "second")

    class Severed(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).detach()

    with pytest.raises(Refused, match="does not depend on the layer «second»"):
        SharedEngine(ForwardPass(wrap(Severed()), x, ["second"]), Score(0)).features(x, "second")


def test_the_graph_is_freed_after_its_last_user() -> None:
    network, x = wrap(Tiny()), random_picture(side=8)
    shared_forward = SharedForward(network, x, (inspection_of(network).layers[-1].name,), 2)
    assert isinstance(shared_forward.engine(Score(0)), SharedEngine)
    kept = weakref.ref(shared_forward.engine(Score(1))._graph)  # type: ignore[attr-defined]
    shared_forward.release()
    assert kept() is not None
    shared_forward.release()
    assert kept() is None


def test_without_memory_for_a_graph_each_user_has_a_pass_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    network, x = wrap(Tiny()), random_picture(side=8)

    def no_memory(*given: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: not enough memory")

    monkeypatch.setattr(graph, "ForwardPass", no_memory)
    engine = SharedForward(network, x, (), 2).engine(Score(1))
    assert type(engine) is Engine
    assert torch.allclose(engine.gradients(x[None]), Engine(network, Score(1)).gradients(x[None]))
