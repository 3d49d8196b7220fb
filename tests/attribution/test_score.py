"""The score: its formulas, and that each method explains the score that it is given."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.noise import generator
from gradoscope.attribution.score import Score
from torch import Tensor

from tests.support.nets import Tiny, explain, gradient, random_picture, relative, seeded, wrap
from tests.support.rule_activations import DeconvolutionActivation, GuidedActivation

SCORES = {
    "logit": (Score(0), lambda y: y[:, 0]),
    "against": (Score(0, "logit", 2), lambda y: y[:, 0] - y[:, 2]),
    "log_probability": (Score(1, "log_probability"), lambda y: (y.exp() / y.exp().sum(1, keepdim=True)).log()[:, 1]),
    "probability": (Score(2, "probability"), lambda y: y.exp()[:, 2] / y.exp().sum(1)),
}


@pytest.mark.parametrize("name", SCORES)
def test_formula(name: str) -> None:
    score, expected = SCORES[name]
    logits = seeded((5, 3)).double()
    assert torch.allclose(score(logits), expected(logits), atol=1e-14)


@pytest.mark.parametrize(
    ("kind", "against"), [("logit", None), ("logit", 4), ("log_probability", None), ("probability", None)]
)
@pytest.mark.parametrize("multilabel", [False, True])
def test_each_picture_of_a_pass_may_have_a_class_of_its_own(kind: str, against: int | None, multilabel: bool) -> None:
    logits, targets = seeded((4, 5)).double(), (3, 0, 0, 2)
    actual = Score(targets, kind, against, multilabel)(logits)  # type: ignore[arg-type]
    for row, target in enumerate(targets):
        one = Score(target, kind, against, multilabel)(logits[row : row + 1])  # type: ignore[arg-type]
        assert torch.equal(actual[row : row + 1], one)


def test_there_is_a_class_for_each_picture() -> None:
    with pytest.raises(ValueError, match="2 targets for 3 pictures"):
        Score((0, 1))(seeded((3, 5)))
    with pytest.raises(ValueError, match="against"):
        Score((0, 1), against=1)


@pytest.mark.parametrize(
    ("kind", "target", "against"), [("probability", 0, 1), ("log_probability", 0, 1), ("logit", 1, 1), ("logit", 0, 0)]
)
def test_against_goes_with_two_logits(kind: str, target: int, against: int) -> None:
    with pytest.raises(ValueError, match="against"):
        Score(target, kind, against)  # type: ignore[arg-type]


def test_class_0_is_a_class() -> None:
    logits = torch.tensor([[5.0, 7.0, 1.0]])
    assert float(Score(1, "logit", 0)(logits)) == 2
    assert float(Score(0)(logits)) == 5


@pytest.mark.parametrize("name", SCORES)
def test_every_method_explains_it(name: str) -> None:
    """Against plain autograd on a small network in float64."""
    score, formula = SCORES[name]
    network, x = wrap(Tiny(seed=4)).double(), random_picture(seed=6).double()

    def plain(at: Tensor) -> Tensor:
        return gradient(network, at, formula)

    def difference(at: Tensor) -> float:
        return float(formula(network(x[None])) - formula(network(at[None])))

    assert relative(explain("vanilla_gradient", network, x, score=score).values, plain(x)) < 1e-12
    smooth = explain("smooth_grad", network, x, score=score, samples=3, noise=0.0).values
    assert relative(smooth, plain(x)) < 1e-12
    integral = explain("integrated_gradients", network, x, score=score, steps=7, rule="midpoint")
    expected = x * sum(plain(x * (i + 0.5) / 7) for i in range(7)) / 7
    assert relative(integral.values, expected) < 1e-12
    assert integral.diagnostics["completeness"]["expected"] == pytest.approx(difference(torch.zeros_like(x)))
    blurred = explain("blur_integrated_gradients", network, x, score=score, steps=200, max_sigma=4.0)
    record = blurred.diagnostics["completeness"]
    assert record["attributed"] == pytest.approx(record["expected"], rel=0.05, abs=1e-3)
    occluded = explain("occlusion", network, x, score=score, window=8, stride=8, fill="black")
    assert float(occluded.values[0, 3, 3]) == pytest.approx(difference(torch.zeros_like(x)))
    cam = explain("grad_cam", network, x, score=score, relu=False).values
    body = network.network
    features = body.activation(body.second(body.activation(body.first(x[None])))).detach().requires_grad_()
    (slope,) = torch.autograd.grad(formula(body.head(features.mean((2, 3)))).sum(), features)
    coarse = (slope.mean((2, 3), keepdim=True) * features.detach()).sum(1)
    assert float(cam.mean()) == pytest.approx(float(coarse.mean()))  # enlarging by two keeps the mean
    for rule, with_rule in (("guided_backprop", GuidedActivation), ("deconvolution", DeconvolutionActivation)):
        body = Tiny(lambda value: with_rule.apply(value, F.relu), seed=4)  # noqa: B023
        expected = gradient(wrap(body).double(), x, formula)
        assert relative(explain(rule, network, x, score=score).values, expected) < 1e-12
    product = explain("guided_grad_cam", network, x, score=score).values
    guided = explain("guided_backprop", network, x, score=score).values
    assert torch.allclose(product, guided * explain("grad_cam", network, x, score=score).values, atol=1e-14)
    assert relative(explain("input_x_gradient", network, x, score=score).values, x * plain(x)) < 1e-12
    shap = explain("gradient_shap", network, x, score=score, samples=3, baseline="black", seed=2)
    places = [float(torch.rand((), generator=generator(2, k, "alpha"))) for k in range(3)]
    assert relative(shap.values, sum(x * plain(place * x) for place in places) / 3) < 1e-7
    assert shap.diagnostics["completeness"]["expected"] == pytest.approx(difference(torch.zeros_like(x)))
    if score.kind == "logit":
        lifted = explain("deep_lift", network, x, score=score)
        assert float(lifted.values.sum()) == pytest.approx(difference(torch.zeros_like(x)))
    else:
        with pytest.raises(Refused, match="score = logit"):
            explain("deep_lift", network, x, score=score)


@pytest.mark.parametrize(("kind", "formula"), [("probability", torch.sigmoid), ("log_probability", F.logsigmoid)])
def test_probability_of_a_multilabel_network_is_a_sigmoid(kind: str, formula: Callable[[Tensor], Tensor]) -> None:
    logits = seeded((5, 3)).double()
    actual = Score(1, kind, multilabel=True)(logits)  # type: ignore[arg-type]
    assert torch.allclose(actual, formula(logits[:, 1]), atol=1e-14)
