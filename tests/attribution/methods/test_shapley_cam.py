"""ShapleyCAM: by hand, against pytorch-grad-cam, on the shared pass, and refused without second derivatives."""

from __future__ import annotations

import pytest
import pytorch_grad_cam as grad_cam
import torch
import torch.nn.functional as F
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.counters import counters
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.inspection import inspection_of
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.score import Score
from gradoscope.attribution.shared_forward import ForwardPass, SharedEngine
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from tests.attribution.methods.test_cams import CLOSE, LEAF, MODELS, apart, cat, model, of_grad_cam
from tests.attribution.methods.test_channel_cams import written
from tests.support.nets import Tiny, explain, random_picture, relative, wrap


class Probable(nn.Module):
    """A network with its probabilities in place of its logits, all `sharper`."""

    def __init__(self, network: nn.Module, sharper: float) -> None:
        super().__init__()
        self.network, self.sharper = network, sharper

    def forward(self, x: Tensor) -> Tensor:
        return (self.sharper * self.network(x)).softmax(1)


@LEAF
@pytest.mark.parametrize("name", MODELS)
def test_against_grad_cam(name: str) -> None:
    """Of a probability, and of logits so far apart that it bends: else H would be 0, and the map Grad-CAM's."""
    spread = float(model(name)(cat(name)[None]).std())
    network = Classifier(Probable(model(name), 3 / spread), size=model(name).size, labels=model(name).labels)
    target = int(network(cat(name)[None])[0].argmax())
    actual = explain("shapley_cam", network, cat(name), score=Score(target))
    layer = actual.diagnostics["layer"]
    assert apart(actual.values, of_grad_cam(grad_cam.ShapleyCAM, network, cat(name), layer, target=target)) < CLOSE
    plain = explain("grad_cam", network, cat(name), score=Score(target)).values
    assert relative(actual.values, plain) > 1e-2


def test_by_hand() -> None:
    """S = 3 a + b − a b of the means over 4 places: G − ½ H A is ((3 − b) / 4 + b / 8, (1 − a) / 4 + a / 8)."""
    network, x = written()
    actual = explain("shapley_cam", network, x, score=Score(0), layer="maps").values
    a, b = 0.2, 0.0625
    expected = torch.tensor([(3 - b / 2) / 4 * 0.8, (1 - a / 2) / 4 * 0.25], dtype=torch.float64).diag()
    assert torch.allclose(actual[0], expected)


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.ReLU(inplace=True), nn.SiLU()])
def test_on_the_shared_pass(activation: nn.Module) -> None:
    """One forward pass for all layers and all classes; two gradients for each layer, and the graph stays usable."""
    network = wrap(Tiny(activation, seed=5)).double()
    x = torch.stack([random_picture(seed=seed) for seed in (1, 2)]).double()
    names = [layer.name for layer in inspection_of(network).layers]
    method, passes = find_method("shapley_cam"), []
    shared = ForwardPass(network, x, names)
    handle = network.network.register_forward_hook(lambda *given: passes.append(1))
    for score in (Score((0, 2), "probability"), Score((1, 1))):
        before = counters.gradient_evaluations
        parameters = method.Parameters(layer=",".join(names), relu=False)
        found, told = method.maps(SharedEngine(shared, score), x, parameters)  # type: ignore[attr-defined]
        assert passes == []
        assert counters.gradient_evaluations - before == 2 * len(names) * len(x)
        assert told["gradient_evaluations"] == method.cost(parameters, (8, 8)) == 2 * len(names)
        grad = find_method("grad_cam").maps(SharedEngine(shared, score), x, parameters)  # type: ignore[attr-defined]
        assert bool(grad[0].isfinite().all())
        for picture, target, values in zip(x, score.target, found, strict=True):  # type: ignore[arg-type]
            alone = explain(
                "shapley_cam", network, picture, score=Score(target, score.kind), layer=",".join(names), relu=False
            )
            assert relative(values, alone.values) < 1e-10
            passes.clear()
    handle.remove()


def test_it_is_grad_cam_where_the_score_is_piecewise_linear() -> None:
    network, x = wrap(Tiny(seed=5)).double(), random_picture().double()
    for layer in inspection_of(network).layers:
        actual, plain = (
            explain(id, network, x, layer=layer.name, relu=False).values for id in ("shapley_cam", "grad_cam")
        )
        assert relative(actual, plain) < 1e-12


class Once(torch.autograd.Function):
    """A square whose derivative has no derivative."""

    @staticmethod
    def forward(ctx, x):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    @once_differentiable
    def backward(ctx, slope):  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        return 2 * x * slope


class Gated(Tiny):
    """Ends in a function whose derivative PyTorch cannot differentiate."""

    def forward(self, x: Tensor) -> Tensor:
        return F.hardsigmoid(super().forward(x))


@pytest.mark.parametrize("network", [Tiny(Once.apply, seed=5), Gated(seed=5)], ids=["once", "gated"])
@pytest.mark.parametrize("shares", [False, True])
def test_refused_without_second_derivatives(network: nn.Module, shares: bool) -> None:
    classifier, x = wrap(network), random_picture()[None]
    method = find_method("shapley_cam")
    first = next(layer.name for layer in inspection_of(classifier).layers)
    engine = SharedEngine(ForwardPass(classifier, x, [first]), Score(0)) if shares else Engine(classifier, Score(0))
    with pytest.raises(Refused, match=r"second derivatives, and this model has none: .*Take Grad-CAM"):
        method.maps(engine, x, method.Parameters(layer=first))  # type: ignore[attr-defined]
    assert bool(find_method("grad_cam").maps(engine, x, method.Parameters(layer=first))[0].isfinite().all())  # type: ignore[attr-defined]


@pytest.mark.parametrize("shares", [False, True])
def test_refused_under_reentrant_checkpointing(shares: bool) -> None:
    class Checkpointed(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            x = self.activation(self.first(x))
            return checkpoint(lambda x: self.head(self.activation(self.second(x)).mean((2, 3))), x, use_reentrant=True)

    classifier, x = wrap(Checkpointed(seed=5)), random_picture()[None]
    method = find_method("shapley_cam")
    engine = SharedEngine(ForwardPass(classifier, x, ["first"]), Score(0)) if shares else Engine(classifier, Score(0))
    with pytest.raises(Refused, match="re-entrant checkpointing"):
        method.maps(engine, x, method.Parameters(layer="first"))  # type: ignore[attr-defined]
