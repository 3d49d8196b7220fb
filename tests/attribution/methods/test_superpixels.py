"""LIME and Kernel SHAP: against captum on the same samples, against Shapley values, and what is told of their noise."""

from __future__ import annotations

import itertools
import math
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from captum._utils.models.linear_model import SkLearnRidge
from captum.attr import KernelShap, Lime
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.baselines import make_baseline
from gradoscope.attribution.methods.lime import nearness
from gradoscope.attribution.methods.superpixels import superpixels
from gradoscope.attribution.score import Score
from skimage.segmentation import slic
from torch import Tensor

from tests.attribution.methods.test_parity import CAT
from tests.support.nets import (
    Linear,
    Tiny,
    classifier,
    explain,
    finish,
    random_picture,
    relative,
    sample_pixels,
    steps_of,
    wrap,
)
from tests.support.warm_python import WarmPython

METHODS = ("lime", "kernel_shap")
SIDE = 64
FEW = {"samples": 60, "segments": 12}


def drawn(method: str, count: int, superpixels: int, seed: int) -> list[Tensor]:
    return list(find_method(method).draw(count, superpixels, seed))  # type: ignore[attr-defined]


class SameCoalitions(KernelShap):
    """captum's with the coalitions that ours draws for this seed."""

    def kernel_shap_perturb_generator(self, original_inp: object, **kwargs: object) -> Iterator[Tensor]:
        count = int(str(kwargs["num_interp_features"]))
        yield torch.ones(1, count, dtype=torch.long)
        yield torch.zeros(1, count, dtype=torch.long)
        for visible in drawn("kernel_shap", FEW["samples"], count, seed=3):
            yield visible.long()[None]


@pytest.mark.parametrize("fill", ["black", "mean", "noise"])
@pytest.mark.parametrize("architecture", ["resnet18", "convnext_atto"])
def test_kernel_shap_against_captum(architecture: str, fill: str) -> None:
    """Whose sum is the score's difference up to a weight of 10⁶; ours exactly."""
    network, x = classifier(architecture, SIDE), sample_pixels("cat", SIDE)
    labels, baseline = superpixels(x, FEW["segments"], 10), make_baseline(fill, x, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = SameCoalitions(network).attribute(
            x[None], baseline[None], target=CAT, feature_mask=labels[None, None], n_samples=FEW["samples"] + 2
        )
    actual = explain("kernel_shap", network, x, score=Score(CAT), seed=3, micro_batch=16, fill=fill, **FEW)
    assert relative(actual.values, expected[0, :1]) < 1e-3
    values = [float(actual.values[0][labels == number][0]) for number in range(int(labels.max()) + 1)]
    scores = network(torch.stack((x, baseline)))[:, CAT].detach()
    assert sum(values) == pytest.approx(float(scores[0] - scores[1]), rel=1e-4)
    assert actual.diagnostics["superpixels"] == len(values) > 5
    assert actual.diagnostics["forward_evaluations"] == FEW["samples"] + 2


@pytest.mark.parametrize("ridge", [0.5, 1.0])
def test_lime_against_captum(ridge: float) -> None:
    network, x = classifier("resnet18", SIDE), sample_pixels("cat", SIDE)
    labels = superpixels(x, FEW["segments"], 10)
    count = int(labels.max()) + 1
    samples = iter(drawn("lime", FEW["samples"], count, seed=3))
    peer = Lime(
        network,
        interpretable_model=SkLearnRidge(alpha=ridge),
        similarity_func=lambda original, shown, visible, **more: float(nearness(visible.double(), 0.25)),
        perturb_func=lambda original, **more: next(samples).long()[None],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = peer.attribute(
            x[None], torch.zeros_like(x)[None], target=CAT, feature_mask=labels[None, None], n_samples=FEW["samples"]
        )
    actual = explain("lime", network, x, score=Score(CAT), seed=3, fill="black", ridge=ridge, **FEW)
    assert relative(actual.values, expected[0, :1]) < 1e-3


def test_nearness_is_the_cosine_kernel() -> None:
    visible = torch.tensor([[1.0, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]])
    assert nearness(visible, 0.25).tolist() == pytest.approx([1, math.exp(-((0.5 / 0.25) ** 2)), math.exp(-16)])


def shapley_values(network: torch.nn.Module, x: Tensor, labels: Tensor, baseline: Tensor) -> Tensor:
    """By all orders in which superpixels can appear."""
    count = int(labels.max()) + 1
    known: dict[frozenset[int], float] = {}

    def score(members: frozenset[int]) -> float:
        if members not in known:
            mask = torch.isin(labels, torch.tensor(sorted(members)))
            known[members] = float(network(torch.where(mask, x, baseline)[None])[0, 1].detach())
        return known[members]

    values = torch.zeros(count, dtype=torch.float64)
    orders = list(itertools.permutations(range(count)))
    for order in orders:
        for place, member in enumerate(order):
            before = frozenset(order[:place])
            values[member] += (score(before | {member}) - score(before)) / len(orders)
    return values


def test_kernel_shap_tends_to_the_shapley_values() -> None:
    network, x = wrap(Tiny(seed=5)).double(), random_picture(seed=2).double()
    labels = superpixels(x, 4, 100)
    expected = shapley_values(network, x, labels, torch.zeros_like(x))
    assert len(expected) == 4
    actual = explain(
        "kernel_shap",
        network,
        x,
        score=Score(1),
        micro_batch=500,
        samples=20000,
        segments=4,
        compactness=100.0,
        fill="black",
    )
    distance = relative(actual.values[0], expected[labels])
    error = actual.diagnostics["standard_error"]
    assert error is not None
    assert distance < 3 * error < 0.1


def test_a_linear_score_is_found_exactly() -> None:
    """Of any coalitions that tell all superpixels apart: what each adds, without noise."""
    network, x = wrap(Linear()).double(), random_picture().double()
    labels = superpixels(x, 6, 10)
    parts = (network.network.weight[1] * x / network.std[0]).sum(0).detach()
    expected = torch.stack([parts[labels == number].sum() for number in range(int(labels.max()) + 1)])
    for method, options in (("kernel_shap", {}), ("lime", {"ridge": 0})):
        actual = explain(method, network, x, score=Score(1), samples=50, segments=6, fill="black", **options)
        assert relative(actual.values[0], expected[labels]) < 1e-8
        assert actual.diagnostics["standard_error"] == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_the_standard_error_is_how_far_seeds_are_apart(method: str) -> None:
    network, x = wrap(Tiny(seed=5)).double(), random_picture(seed=2).double()
    found = [
        explain(
            method,
            network,
            x,
            score=Score(1),
            seed=seed,
            micro_batch=200,
            samples=200,
            segments=6,
            compactness=100.0,
            **options,
        )
        for seed in range(24)
        for options in [{"ridge": 0} if method == "lime" else {}]
    ]
    maps = torch.stack([one.values for one in found])
    seen = float((maps - maps.mean(0)).square().sum((1, 2, 3)).mean().sqrt() / maps.mean(0).norm())
    told = sum(float(one.diagnostics["standard_error"] or 0) for one in found) / len(found)
    assert 0.7 < told / seen < 1.4


@pytest.mark.parametrize("method", METHODS)
def test_maps_grow_and_the_micro_batch_does_not_matter(method: str) -> None:
    network, x = wrap(Tiny(seed=5)).double(), random_picture().double()
    yielded, expected = finish(steps_of(method, network, x, micro_batch=5, samples=17, segments=6, seed=4))
    assert [step.done for step in yielded] == [2, 7, 12, 17, 19]
    declared = find_method(method)
    parameters = declared.Parameters(samples=17, segments=6)
    assert {step.total for step in yielded} == {declared.cost(parameters, (8, 8))} == {19}
    assert all(step.estimate is not None and step.estimate.shape == (1, 8, 8) for step in yielded[1:])
    assert torch.equal(yielded[-1].estimate, expected.values)  # type: ignore[arg-type]
    for micro_batch in (1, 17, 100):
        other = explain(method, network, x, micro_batch=micro_batch, samples=17, segments=6, seed=4)
        assert relative(other.values, expected.values) < 1e-9
    assert relative(explain(method, network, x, samples=17, segments=6, seed=5).values, expected.values) > 1e-3
    assert declared.stochastic(parameters)


@pytest.mark.parametrize("method", METHODS)
def test_fewer_samples_than_superpixels(method: str) -> None:
    found = explain(method, wrap(Tiny(seed=5)), random_picture(), samples=2, segments=8)
    assert bool(found.values.isfinite().all())
    assert found.diagnostics["standard_error"] is None


def test_superpixels_are_slics() -> None:
    x = sample_pixels("cat", SIDE)
    expected = slic(x.movedim(0, -1).double().numpy(), n_segments=20, compactness=5, start_label=0)
    assert torch.equal(superpixels(x, 20, 5), torch.from_numpy(expected))
    grey = superpixels(x[:1], 20, 0.1)
    assert grey.shape == (SIDE, SIDE)
    assert sorted(grey.unique().tolist()) == list(range(int(grey.max()) + 1))


@pytest.mark.parametrize("method", METHODS)
def test_one_superpixel_is_the_whole_change(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["gradoscope.attribution.methods.superpixels"]
    monkeypatch.setattr(module, "superpixels", lambda picture, *more: torch.zeros(picture.shape[-2:], dtype=torch.long))
    network, x = wrap(Linear()).double(), random_picture().double()
    options = {"ridge": 0} if method == "lime" else {}
    found = explain(method, network, x, samples=9, fill="black", **options).values
    scores = network(torch.stack((x, torch.zeros_like(x))))[:, 0].detach()
    assert torch.allclose(found, (scores[0] - scores[1]).expand(1, 8, 8))


def test_scikit_image_is_loaded_for_superpixels_only(warm_python: WarmPython, tmp_path: Path) -> None:
    code = (
        "import sys, gradoscope.web.application; from gradoscope.attribution.methods.base import methods; methods(); "
        "print(sorted({'skimage', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    done = warm_python.run_code(code, tmp_path)
    assert done.stdout.strip() == "[]"
